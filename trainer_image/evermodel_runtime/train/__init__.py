"""The training Job: choose the data, fit, export, publish."""

import os

THREADS = "OMP_NUM_THREADS"
"""Variable that OpenMP and OpenBLAS read when they are loaded."""


def main() -> int:
    """Train as the environment says; returns the exit code."""
    sum_in_one_thread()
    from evermodel_runtime.train.job import main as run  # noqa: PLC0415 - the other entry points need no scikit-learn

    return run()


def sum_in_one_thread() -> None:
    """Let no number depend on the node, unless who sets the variable chooses otherwise.

    Sums depend on how many threads share them: models would differ from node to node. More than there are processors
    wait for each other, too. Parameters such as n_jobs share out whole trees.
    """
    os.environ.setdefault(THREADS, "1")
