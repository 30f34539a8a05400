"""What ends a demo before its end."""


class DemoError(Exception):
    """A failure whose message says what was not seen and where to look; no traceback is printed."""
