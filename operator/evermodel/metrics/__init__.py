"""Where the live quality comes from."""
