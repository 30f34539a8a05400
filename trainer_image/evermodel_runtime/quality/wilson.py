"""How sure a share is."""

from __future__ import annotations

from math import sqrt

Z95 = 1.959963984540054
"""Quantile of the normal distribution that leaves 2.5 % above it."""


def wilson_interval(successes: int, samples: int, z: float = Z95) -> tuple[float, float]:
    """Interval of a share from independent yes-or-no outcomes.

    Parameters
    ----------
    successes, samples : int
        How many of how many; ``samples`` is at least 1.
    z : float
        Quantile of the normal distribution: 1.96 for 95 %.

    Returns
    -------
    (float, float)
        Lower and upper bound, within [0, 1].

    References
    ----------
    Wilson, E. B. (1927), "Probable inference, the law of succession, and statistical inference", JASA 22.
    """
    share = successes / samples
    spread = z * z / samples
    centre = share + spread / 2
    half = z * sqrt(share * (1 - share) / samples + spread / (4 * samples))
    lower = 0.0 if successes == 0 else (centre - half) / (1 + spread)
    upper = 1.0 if successes == samples else (centre + half) / (1 + spread)
    return lower, upper
