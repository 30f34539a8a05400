"""The Open Inference Protocol v2 by gRPC. Imported only where it is declared: it takes memory and time to start."""
