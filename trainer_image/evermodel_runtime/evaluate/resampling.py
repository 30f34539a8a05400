"""How sure a difference and a value are: a paired test and intervals, from the same rows drawn or swapped at random.

References
----------
Noreen, E. W. (1989), "Computer-Intensive Methods for Testing Hypotheses": were both models equally good, it would be
chance which of both gave which answer to a row. For accuracy the exact form of this test is McNemar's.
Besag, J. and Clifford, P. (1991), "Sequential Monte Carlo p-values", Biometrika 78: stopping early keeps p valid.
Efron, B. and Tibshirani, R. J. (1993), "An Introduction to the Bootstrap", chapter 13: percentile intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from evermodel_runtime.evaluate.metrics import Codes, Floats

Value = Callable[[Floats], Floats]
"""Values of a metric, of shape (...), from sums over rows, of shape (..., sums)."""
SEED = 0
"""The same rows and answers give the same figures."""
SWAPS = 100_000
"""Most swaps of a test: the least p is then 1e-5."""
ENOUGH = 50
"""Swaps that do as well as the candidate did, after which no more are drawn: p is known to a seventh then."""
RESAMPLES = 2_000
BLOCKS = 500
"""Rows of numbers are swapped and drawn in at most this many blocks: rows that all differ would take a minute."""
AT_ONCE = 2_000
MOST_PRODUCTS = 2e10
"""Multiplications of one test: a second or two. Many classes are tested by fewer swaps."""
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows in groups whose rows are all alike, or that are taken together.

    Attributes
    ----------
    counts : array of int, shape (groups,)
        Rows of a group; a block is drawn and swapped as one.
    candidate, champion : array, shape (groups, sums)
        What one row of the group adds to the sums of each model.
    """

    counts: NDArray[np.int64]
    candidate: Floats
    champion: Floats

    @classmethod
    def of_classes(cls, classes: int, truth: Codes, candidate: Codes, champion: Codes) -> Self:
        """Group rows by their class and both answers, each a place in a list of classes."""
        cells, counts = np.unique(np.stack((truth, candidate, champion)), axis=1, return_counts=True)
        truly, ours, theirs = (np.eye(classes)[codes] for codes in cells)
        return cls(counts, *(np.hstack((truly * said, said, truly)) for said in (ours, theirs)))

    @classmethod
    def of_blocks(cls, candidate: Floats, champion: Floats) -> Self:
        """Group rows that all differ, at random."""
        blocks = min(len(candidate), BLOCKS)
        order = np.random.default_rng(SEED).permutation(len(candidate))
        starts = np.linspace(0, len(candidate), blocks, endpoint=False).astype(np.intp)
        return cls(np.ones(blocks, np.int64), *(np.add.reduceat(sums[order], starts) for sums in (candidate, champion)))


def swap_p(pairs: Pairs, gain: Callable[[Floats, Floats], Floats]) -> float:
    """Return the probability of a gain this large if it were chance which model gave which answer to a row.

    Parameters
    ----------
    pairs : Pairs
        The rows.
    gain : callable
        By how much the candidate is better, from the sums of both.
    """
    differs = (pairs.candidate != pairs.champion).any(axis=1)
    counts, candidate, champion = pairs.counts[differs], pairs.candidate[differs], pairs.champion[differs]
    agreed = pairs.counts[~differs] @ pairs.candidate[~differs]
    both = agreed + counts @ (candidate + champion) + agreed
    least = gain(agreed + counts @ candidate, agreed + counts @ champion)
    if np.isnan(least):
        return 1.0
    least -= 1e-12 * max(1.0, abs(float(least)))  # what is equal but for rounding is as large

    most = int(np.clip(MOST_PRODUCTS / max(candidate.size, 1), AT_ONCE, SWAPS))
    random = np.random.default_rng(SEED)
    drawn = found = 0
    while drawn < most:
        kept = _halves(random, counts)
        ours = agreed + kept @ candidate + (counts - kept) @ champion
        as_large = np.flatnonzero(gain(ours, both - ours) >= least)
        if found + len(as_large) >= ENOUGH:
            return ENOUGH / (drawn + int(as_large[ENOUGH - found - 1]) + 1)
        found += len(as_large)
        drawn += AT_ONCE
    return (found + 1) / (drawn + 1)


def _halves(random: np.random.Generator, counts: NDArray[np.int64]) -> Floats:
    """Return how many rows of each group keep their answers, when each does with probability 1/2."""
    size = (AT_ONCE, len(counts))
    if counts.max(initial=0) > 1:
        return random.binomial(counts, 0.5, size=size).astype(np.float64)
    return random.integers(0, 2, size=size, dtype=np.int8).astype(np.float64)  # ten times as fast


def bootstrap_interval(counts: NDArray[np.int64], sums: Floats, value: Value) -> tuple[float, float] | None:
    """Return the 95 % interval of a metric; None when it has no value in most resamples.

    Parameters
    ----------
    counts : array of int, shape (groups,)
        Rows of each group.
    sums : array, shape (groups, sums)
        What one row of the group adds to the sums.
    value : callable
        The metric, from the sums.
    """
    found = np.concatenate([value(drawn @ sums) for drawn in _drawn(counts)])
    known = found[~np.isnan(found)]
    if 2 * len(known) < len(found):
        return None
    tail = (1 - CONFIDENCE) / 2
    lower, upper = np.quantile(known, (tail, 1 - tail)).tolist()
    return lower, upper


def _drawn(counts: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield how often each group is drawn in resamples of as many rows."""
    random = np.random.default_rng(SEED)
    rows = int(counts.sum())
    at_once = max(1, min(RESAMPLES, int(2e7 / len(counts))))
    for start in range(0, RESAMPLES, at_once):
        yield random.multinomial(rows, counts / rows, size=min(at_once, RESAMPLES - start))
