"""Replay a labelled stream through training, gate and detector, without a cluster."""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay as the arguments say; returns the exit code."""
    from evermodel_runtime.backtest.command import main as run  # noqa: PLC0415 - the other entry points need none of it

    return run(arguments)
