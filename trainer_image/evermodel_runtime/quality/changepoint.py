"""Since when is the metric missed? The most likely start of the shortfall that an alarm was about.

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


def labels_since_change(newest_first: Iterable[float], settings: DetectorSettings) -> int:
    """Count the labels since the most likely change.

    Parameters
    ----------
    newest_first : iterable of float
        The outcomes of labels up to the alarm, the newest first, as far back as the change may be.
    settings : DetectorSettings
        Of the detector that alarmed.

    Returns
    -------
    int
        The number of newest labels that speak most for a mean below the level, by the bet that they speak for
        most; at least 1 when there are any.
    """
    m = settings.level
    bets = settings.bets
    right, wrong = ([log(1 + bet * (m - outcome)) for bet in bets] for outcome in (1, 0))
    evidence = [0.0] * len(bets)
    most, since = float("-inf"), 0
    for labels, outcome in enumerate(newest_first, 1):
        known = right if outcome == 1 else wrong if not outcome else None
        gains = known or [log(1 + bet * (m - outcome)) for bet in bets]
        evidence = [sum_ + gain for sum_, gain in zip(evidence, gains, strict=True)]
        if max(evidence) > most:
            most, since = max(evidence), labels
    return since
