"""The hub: the one owner of what must be counted once. Labels, counts, captured records, detectors and artifacts."""


def main() -> int:
    """Run the hub until it is told to stop; returns the exit code."""
    from evermodel_runtime.hub.process import main as run  # noqa: PLC0415 - the other entry points need no web server

    return run()
