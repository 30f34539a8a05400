"""Builders of Kubernetes objects: values in, manifests out; no client, no clock."""
