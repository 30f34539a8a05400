"""What a retraining tries: each attempt after an alarm takes the next strategy that is declared, then the last."""

from __future__ import annotations

from collections.abc import Sequence

from evermodel.contract import Strategy


def strategy_of(attempt: int, strategies: Sequence[Strategy]) -> Strategy:
    """Return the strategy of an attempt, which counts from 1; Refit where none are declared."""
    return strategies[min(attempt, len(strategies)) - 1] if strategies else Strategy.REFIT
