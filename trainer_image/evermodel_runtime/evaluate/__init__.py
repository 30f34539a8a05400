"""The evaluation Job: candidate and champion on the same rows that neither has seen."""


def main() -> int:
    """Evaluate as the environment says; returns the exit code."""
    from evermodel_runtime.evaluate.job import main as run  # noqa: PLC0415 - the other entry points need no ONNX Runtime

    return run()
