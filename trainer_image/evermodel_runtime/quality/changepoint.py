"""Since when is accuracy too low? The most likely start of the shortfall that an alarm was about.

References
----------
Lorden, G. (1971), "Procedures for reacting to a change in distribution", Annals of Mathematical Statistics 42: the
start that maximises the likelihood ratio, here with the detector's own bets as the alternatives.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log

from evermodel_runtime.quality.detector import DetectorSettings

LONGEST_SHORTFALL = 20_000
"""Labels before an alarm that are looked at: a world that changed earlier has shown itself in as many."""


def labels_since_change(newest_first: Iterable[bool], settings: DetectorSettings) -> int:
    """Count the labels since the most likely change.

    Parameters
    ----------
    newest_first : iterable of bool
        Which labels up to the alarm were right, the newest first, as far back as the change may be.
    settings : DetectorSettings
        Of the detector that alarmed.

    Returns
    -------
    int
        The number of newest labels that speak most for an accuracy below the level, by the bet that they speak for
        most; at least 1 when there are any.
    """
    m = settings.level
    gains = [(log(1 + bet * (m - 1)), log(1 + bet * m)) for bet in settings.bets]
    evidence = [0.0] * len(gains)
    most, since = float("-inf"), 0
    for labels, correct in enumerate(newest_first, 1):
        evidence = [sum_ + (right if correct else wrong) for sum_, (right, wrong) in zip(evidence, gains, strict=True)]
        if max(evidence) > most:
            most, since = max(evidence), labels
    return since
