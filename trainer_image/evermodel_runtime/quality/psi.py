"""The population stability index: how far the shares of a column's bins have moved, and how far chance moves them."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt
from statistics import NormalDist

HALF = 0.5
"""Added to each count (Jeffreys' prior): a bin that is empty on one side has a logarithm."""
FALSE_ALARMS = 1e-3
"""Windows at rest in which one PSI of all columns goes beyond what is taken for chance."""


def psi(reference: Sequence[int], window: Sequence[int]) -> float | None:
    """Return the population stability index of two histograms over the same bins.

    The sum of (q − p)·ln(q/p) over the bins, with p and q the shares before and now: Kullback and Leibler's symmetric
    divergence, used as an index of stability by Lewis, *An Introduction to Credit Scoring* (1992), and Siddiqi, *Credit
    Risk Scorecards* (2006), whose rule of thumb is that 0.1 to 0.25 is some change and more is a shift.

    Parameters
    ----------
    reference, window : sequence of int
        Rows in each bin; half a row is added to each.

    Returns
    -------
    float or None
        None with fewer than two bins or no rows on one side.

    Examples
    --------
    >>> psi([50, 50], [500, 500])
    0.0
    >>> round(psi([500, 500], [800, 200]), 2)
    0.41
    """
    before, now = sum(reference), sum(window)
    if len(reference) < 2 or not before or not now:  # noqa: PLR2004 - shares of one bin are always 1
        return None
    slack = HALF * len(reference)
    total = 0.0
    for old, new in zip(reference, window, strict=True):
        p, q = (old + HALF) / (before + slack), (new + HALF) / (now + slack)
        total += (q - p) * log(q / p)
    return total


def psi_by_chance(bins: int, reference: int, window: int, *, columns: int) -> float:
    """Return the PSI that no column of a world at rest exceeds in 999 of 1,000 windows.

    At rest PSI / (1/m + 1/n), with m and n the rows on both sides, is distributed as chi-square with one degree fewer
    than bins (Yurdakul and Naranjo, *Statistical properties of the population stability index*, Journal of Risk Model
    Validation 14, 2020). Its quantile is Wilson and Hilferty's, a little too large for
    few bins; the columns share the error (Bonferroni).

    Parameters
    ----------
    bins : int
        At least 2.
    reference, window : int
        Rows that have a value, at least 1 each.
    columns : int
        How many are looked at.
    """
    z = NormalDist().inv_cdf(1 - FALSE_ALARMS / columns)
    freedom = bins - 1
    part = 2 / (9 * freedom)
    quantile = freedom * (1 - part + z * sqrt(part)) ** 3
    return quantile * (1 / reference + 1 / window)


JUMP = 0.05
"""Share of the rows by which missing or strange values must have grown to be a problem."""
_Z = 4.5
"""Standard errors that this must be besides: chance makes so much in 3 of a million comparisons."""


def jump(usual: float, reference: int, share: float, window: int) -> float:
    """Return how far a share is above what it was: at 1 it is well above, and by more than chance makes of so few rows.

    Parameters
    ----------
    usual, share : float
        Shares of ``reference`` rows before and of ``window`` rows now.
    """
    if not reference or not window:
        return 0.0
    pooled = (usual * reference + share * window) / (reference + window)
    chance = _Z * sqrt(pooled * (1 - pooled) * (1 / reference + 1 / window))
    return (share - usual) / max(JUMP, chance)
