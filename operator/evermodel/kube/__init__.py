"""The Kubernetes client behind a small protocol."""
