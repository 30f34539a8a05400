"""The whole loop on a real Kubernetes, with clients and labels: `make demo`."""
