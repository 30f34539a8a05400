"""Which labelled production records are learnt from beside the source, and how much each row weighs by its age."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evermodel.contract import FeedbackRules

LEAST_WEIGHT = 1e-9
"""Of a row however old it is: with none at all, its class would be lost."""
Weights = NDArray[np.float64]
Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Merged:
    """The newest of the records, and what rows weigh.

    Attributes
    ----------
    first : int
        Place of the oldest record that is learnt from.
    too_old : int
        Records older than ``maxAge``.
    beyond_share : int
        Records of those left, for which ``maxShare`` has no room.
    weights : array of float or None
        Of the records that are learnt from; None where rows weigh alike.
    source_weight : float or None
        Of each row of the source.
    """

    first: int = 0
    too_old: int = 0
    beyond_share: int = 0
    weights: Weights | None = None
    source_weight: float | None = None


def merged(times: Times, source_rows: int, rules: FeedbackRules) -> Merged:
    """Apply the rules to records, given when they were predicted, the oldest first.

    Age counts from the newest record, which weighs 1: only the ratios of weights matter, and a pause in production
    makes no row lighter. Rows of the source carry no time: they count as being as old as the oldest record.
    """
    oldest = -np.inf if rules.max_age is None else rules.as_of - rules.max_age
    too_old = int(np.searchsorted(times, oldest, side="left"))
    beyond_share = max(0, len(times) - too_old - _room(source_rows, rules.max_share))
    first = too_old + beyond_share
    kept = times[first:]
    if rules.half_life is None or not len(kept):
        return Merged(first, too_old, beyond_share)
    weights = np.maximum(np.exp2(-(kept[-1] - kept) / rules.half_life), LEAST_WEIGHT)
    return Merged(first, too_old, beyond_share, weights, float(weights[0]))


def _room(source_rows: int, max_share: float | None) -> int:
    """Return how many records may stand beside the rows of the source."""
    if max_share is None or max_share >= 1:
        return sys.maxsize
    return int(max_share / (1 - max_share) * source_rows + 1e-9)


def effective_rows(weights: Weights) -> float:
    """Return how many rows of equal weight tell as much (Kish 1965)."""
    return float(weights.sum() ** 2 / np.square(weights).sum())


def told_of(merging: Merged, records: int, source_rows: int, rules: FeedbackRules) -> str:
    """Say what the rules made of so many usable records."""
    kept = records - merging.first
    limits = []
    if rules.max_age is not None:
        limits.append(f"{merging.too_old:,} older than maxAge")
    if rules.max_share is not None:
        limits.append(f"{merging.beyond_share:,} beyond maxShare {rules.max_share:g}")
    left_out = f", left out {' and '.join(limits)}" if limits else ""
    line = f"Production records: {kept:,} of {records:,} learnt from beside {source_rows:,} source rows{left_out}."
    if merging.weights is None or merging.source_weight is None:
        return line
    everything = np.concatenate([np.full(source_rows, merging.source_weight), merging.weights])
    return (
        f"{line} Weights by age: {merging.source_weight:.3g} (source, oldest record) to 1 (newest), together as "
        f"{effective_rows(everything):,.0f} equal rows."
    )
