"""The training Job: choose the data, fit, export, publish."""


def main() -> int:
    """Train as the environment says; returns the exit code."""
    from evermodel_runtime.train.job import main as run  # noqa: PLC0415 - the other entry points need no scikit-learn

    return run()
