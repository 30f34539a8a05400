"""The serving pod: answers predictions from one verified artifact and passes labels on to the hub."""


def main() -> int:
    """Run the serving process until it is told to stop; returns the exit code."""
    from evermodel_runtime.serve.process import main as run  # noqa: PLC0415 - the other entry points need no ONNX Runtime

    return run()
