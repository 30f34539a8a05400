"""How many labels each step of the loop waits for after an alarm. Counts only: what is done with them is the caller's.

The operator and the backtest both ask here.

The labels since the change count, not those since the alarm: the detector says where the shortfall that it alarmed on
began, and what came since then is of the new world as well. A run needs a quarter of ``minSamples`` of them; a
candidate is judged on labels later than its training, at the looks of the gate. A run that gave no better model is
followed by another: at once for the first few, then each time after a pause in labels that doubles. Without an alarm a
run needs ``minSamples`` labels that no run has learnt from, and half as many again after each that gave no better
model, until one is a clear gain: one that leads by chance may be promoted, but does not end the count. So the number of
runs that change nothing grows with the logarithm of the labels.
"""

from __future__ import annotations

TRAIN_SHARE = 0.25
"""Share of ``minSamples`` that a run after an alarm needs to train on."""
GROWTH = 1.5
"""By how much the pause grows with each run for more labels that gave no better model."""
MOST_RECORDS = 8
"""Times ``minSamples`` records that a candidate is judged on at most, where few of them can be scored."""


def labels_to_train(min_samples: int) -> int:
    """Return how many labels since the change a first run after an alarm needs."""
    return max(1, round(min_samples * TRAIN_SHARE))


def pause_after(attempts: int, *, max_attempts: int, min_samples: int) -> int:
    """Return how many more labels must come after the ``attempts``-th run in a row that gave no better model."""
    return 0 if attempts < max_attempts else min_samples << (attempts - max_attempts)


def labels_for_more(fruitless: int, *, min_samples: int) -> int:
    """Return how many labels that no run has learnt from call for one, after so many that gave no better model."""
    return round(min_samples * GROWTH**fruitless)


def records_for(rows: int, *, counted: int, scored: int, min_samples: int) -> int:
    """Return how many records it takes to score ``rows``, when so many of those counted so far could be scored.

    Records equal to a row that was trained on are not scored, and where rows repeat these can be most of them. What is
    asked for grows by an eighth at least, so that few judgements are needed however the share changes, and at most to
    what ``is_futile`` ends at.
    """
    wanted = -(-rows * counted // scored) if scored else 2 * counted
    most = MOST_RECORDS * min_samples
    return max(min(max(wanted, counted + -(-counted // 8)), most), rows)


def is_futile(*, counted: int, scored: int, min_samples: int) -> bool:
    """Tell whether a candidate is waited for no longer: of so many records, too few or none could be scored."""
    return counted >= min_samples * (MOST_RECORDS if scored else 1)
