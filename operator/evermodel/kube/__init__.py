"""Talking to Kubernetes: a small protocol in JSON objects, its implementation on kubernetes.aio, errors as types."""
