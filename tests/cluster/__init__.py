"""The project's own Kubernetes on one Linux machine: built from source, run in namespaces, gone after `down`."""
