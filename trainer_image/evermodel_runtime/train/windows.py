"""Which data to fit on: everything, or only what came lately. An inner temporal validation decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from evermodel_runtime.data.rows import FeatureRows, Labels

VALIDATION_SHARE = 0.25
LARGEST_VALIDATION = 200
"""Newest rows that judge. More would reach back behind a change of the world that few labels have shown so far."""
SMALLEST_VALIDATION = 20
SMALLEST_WINDOW = 50


class Window(StrEnum):
    """What was fitted on, as reported."""

    ALL = "all"
    RECENT = "recent"


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Features with their labels."""

    rows: FeatureRows
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def between(self, start: int, stop: int) -> LabelledRows:
        """Return a stretch of the rows."""
        return LabelledRows(self.rows[start:stop], self.labels[start:stop])

    def followed_by(self, other: LabelledRows) -> LabelledRows:
        """Return these rows and then those of ``other``."""
        return LabelledRows(self.rows.followed_by(other.rows), np.concatenate([self.labels, other.labels]))


@dataclass(frozen=True, slots=True)
class Choice:
    """Rows to fit on, and why.

    Attributes
    ----------
    validation : float or None
        Accuracy of this choice on the newest rows, fitted on the others; None when there were too few to tell.
    """

    data: LabelledRows
    window: Window
    feedback_rows: int
    validation: float | None


Accuracy = Callable[[LabelledRows, LabelledRows], float | None]
"""Fits on the first and scores on the second; None when the first cannot be fitted on."""


def choose_data(source: LabelledRows, feedback: LabelledRows, accuracy: Accuracy) -> Choice:
    """Choose between all data and recent windows of the feedback.

    Parameters
    ----------
    source : LabelledRows
        Training part of the source.
    feedback : LabelledRows
        Labelled production rows, oldest first.
    accuracy : callable
        Fits a candidate and scores it on the newest feedback.

    Returns
    -------
    Choice
        Its data include the validation rows again. All data win a tie, then the longer window.
    """
    everything = source.followed_by(feedback)
    judging = min(int(len(feedback) * VALIDATION_SHARE), LARGEST_VALIDATION)
    if judging < SMALLEST_VALIDATION:
        return Choice(everything, Window.ALL, len(feedback), None)
    split = len(feedback) - judging
    newest = feedback.between(split, len(feedback))
    best = Choice(
        everything, Window.ALL, len(feedback), accuracy(source.followed_by(feedback.between(0, split)), newest)
    )
    for start in window_starts(split):
        candidate = feedback.between(start, split)
        if len(np.unique(candidate.labels)) < 2:  # noqa: PLR2004 - two classes
            continue
        score = accuracy(candidate, newest)
        if score is not None and (best.validation is None or score > best.validation):
            data = feedback.between(start, len(feedback))
            best = Choice(data, Window.RECENT, len(data), score)
    return best


def window_starts(rows: int) -> Iterator[int]:
    """Yield where windows begin that end at ``rows``: all of them, the last half, the last quarter and so on."""
    length = rows
    while length >= SMALLEST_WINDOW:
        yield rows - length
        length //= 2
