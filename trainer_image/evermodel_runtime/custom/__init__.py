"""Training in a container of the user's own: what comes before it, and what comes after."""
