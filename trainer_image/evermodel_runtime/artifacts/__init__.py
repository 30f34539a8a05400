"""Models as files: manifest, digests, scoring, and the way to the hub and back."""
