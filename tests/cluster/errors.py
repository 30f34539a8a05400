"""What can go wrong in words a user can act on."""


class ClusterError(Exception):
    """A failure whose message is all that the user needs; no traceback is printed."""
