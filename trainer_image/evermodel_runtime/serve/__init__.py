"""The serving pod: answers predictions from one verified artifact and passes labels on to the hub."""

from evermodel_runtime.train import sum_in_one_thread


def main() -> int:
    """Run the serving process until it is told to stop; returns the exit code.

    It computes in one thread, as the sessions of ONNX Runtime do: libraries would start as many as the node has
    processors, whatever the pod's limit is, and these take each other's time.
    """
    sum_in_one_thread()
    from evermodel_runtime.serve.process import main as run  # noqa: PLC0415 - the other entry points need no ONNX Runtime

    return run()
