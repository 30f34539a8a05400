"""Which data to fit on: everything, or only what came lately. An inner temporal validation decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from evermodel_runtime.data.merging import Weights
from evermodel_runtime.data.rows import FeatureRows, Index, Labels, Mask

VALIDATION_SHARE = 0.25
VALIDATION_SHARE_SINCE_CHANGE = 0.5
"""Of the rows of a new world: they are few, and choosing among windows that reach back behind it matters most."""
LARGEST_VALIDATION = 400
"""Newest rows that judge. More would reach back behind a change of the world that few labels have shown so far."""
SMALLEST_VALIDATION = 20
SMALLEST_WINDOW = 50
DOUBT = 0.5
"""Standard errors by which a window must be better than all data, where no alarm says that the world has changed."""
HOPELESS = 1.0
"""Standard errors by which a window is worse before the shorter ones are not tried any more, without an alarm."""
NEARLY_ALL = 4
"""Rows of feedback for each of the source from which all feedback is hardly another choice than all data."""
AROUND_CHANGE = (4.0, 2.0, 1.0, 0.5, 0.25)
"""Windows after an alarm, in lengths of what has come since the change: its estimate may be off either way, and a world
that goes on changing is best learnt from the newest rows."""


class Window(StrEnum):
    """What was fitted on, as reported."""

    ALL = "all"
    RECENT = "recent"
    NEW = "new"
    """Records that a model has not learnt from, which learns on."""


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Features with their labels.

    Attributes
    ----------
    weights : array of float or None
        How much each row counts in a fit; None where all count alike.
    """

    rows: FeatureRows
    labels: Labels
    weights: Weights | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: Mask | Index | slice) -> LabelledRows:
        weights = None if self.weights is None else self.weights[chosen]
        return LabelledRows(self.rows[chosen], self.labels[chosen], weights)

    def between(self, start: int, stop: int) -> LabelledRows:
        """Return a stretch of the rows."""
        return self[start:stop]

    def followed_by(self, other: LabelledRows) -> LabelledRows:
        """Return these rows and then those of ``other``."""
        weights = None
        if self.weights is not None or other.weights is not None:
            weights = np.concatenate([self.weights_or_ones, other.weights_or_ones])
        return LabelledRows(self.rows.followed_by(other.rows), np.concatenate([self.labels, other.labels]), weights)

    @property
    def weights_or_ones(self) -> Weights:
        """What each row counts, where all count alike as well."""
        return np.ones(len(self)) if self.weights is None else self.weights


@dataclass(frozen=True, slots=True)
class Choice:
    """Rows to fit on, and why.

    Attributes
    ----------
    validation : float or None
        Goodness of this choice on the newest rows, fitted on the others; None when there were too few to tell.
    tried : int
        Candidates that were fitted to choose.
    """

    data: LabelledRows
    window: Window
    feedback_rows: int
    validation: float | None
    tried: int = 0


@dataclass(frozen=True, slots=True)
class Score:
    """How good a candidate is on the newest rows.

    Attributes
    ----------
    goodness : float
        The objective's metric, of which more is better: a share, or a negative error.
    losses : array of float or None
        Of errors, what each row adds to them.
    """

    goodness: float
    losses: NDArray[np.float64] | None = None


Judge = Callable[[LabelledRows, LabelledRows], Score | None]
"""Fits on the first and scores on the second; None when the first cannot be fitted on."""


def choose_data(source: LabelledRows, feedback: LabelledRows, judge: Judge, since_change: int | None = None) -> Choice:
    """Choose between all data and recent windows of the feedback.

    Parameters
    ----------
    source : LabelledRows
        Training part of the source.
    feedback : LabelledRows
        Labelled production rows, oldest first.
    judge : callable
        Fits a candidate and scores it on the newest feedback.
    since_change : int or None
        How many of the newest feedback rows have come since the change that an alarm found; None without an alarm.

    Returns
    -------
    Choice
        Its data include the validation rows again. All data win a tie, then the longer window.
    """
    everything = all_data(source, feedback)
    split = len(feedback) - _judging(len(feedback), since_change)
    if len(feedback) - split < SMALLEST_VALIDATION:
        return everything
    newest = feedback.between(split, len(feedback))
    doubt = DOUBT if since_change is None else 0.0
    leading = judge(source.followed_by(feedback.between(0, split)), newest)
    best, tried = replace(everything, validation=_goodness(leading)), 1
    for start in _window_starts(len(source), split, len(feedback), since_change):
        candidate = feedback.between(start, split)
        if len(np.unique(candidate.labels)) < 2:  # noqa: PLR2004 - two classes
            continue
        score = judge(candidate, newest)
        tried += 1
        if score is not None and leading is not None and _is_better(leading, score, len(newest), HOPELESS):
            if since_change is None:
                break
            continue
        if score is not None and (leading is None or _is_better(score, leading, len(newest), doubt)):
            data = feedback.between(start, len(feedback))
            leading, best = score, Choice(data, Window.RECENT, len(data), score.goodness)
    return replace(best, tried=tried)


def all_data(source: LabelledRows, feedback: LabelledRows) -> Choice:
    """Return the choice where there is none: what bounds the share of the feedback excludes windows of it alone."""
    return Choice(source.followed_by(feedback), Window.ALL, len(feedback), None)


def _goodness(score: Score | None) -> float | None:
    return None if score is None else score.goodness


def _is_better(score: Score, leading: Score, rows: int, doubt: float) -> bool:
    """Tell whether a window is better than the best so far by so many standard errors."""
    if score.losses is None or leading.losses is None:
        spread = sqrt(max(leading.goodness * (1 - leading.goodness), 0.0))
        return score.goodness > leading.goodness + doubt * spread / sqrt(rows)
    gains = leading.losses - score.losses  # row by row, for a hard row is hard for both
    return float(gains.mean()) > doubt * float(gains.std(ddof=1)) / sqrt(rows)


def _judging(rows: int, since_change: int | None) -> int:
    """Return how many of the newest rows judge: none that came before the change."""
    if since_change is None:
        return min(int(rows * VALIDATION_SHARE), LARGEST_VALIDATION)
    return min(int(since_change * VALIDATION_SHARE_SINCE_CHANGE), LARGEST_VALIDATION)


def _window_starts(source: int, split: int, rows: int, since_change: int | None) -> Iterator[int]:
    """Yield where windows begin that end at ``split``, the longest first."""
    if since_change is not None:
        return windows_around(rows, split, since_change)
    nearly_all = source * NEARLY_ALL < split
    return islice(window_starts(split), int(nearly_all), None)


def window_starts(rows: int) -> Iterator[int]:
    """Yield where windows begin that end at ``rows``: all of them, the last half, the last quarter and so on."""
    length = rows
    while length >= SMALLEST_WINDOW:
        yield rows - length
        length //= 2


def windows_around(rows: int, split: int, since_change: int) -> Iterator[int]:
    """Yield where windows begin that end at ``split``, around the change ``since_change`` rows before the end."""
    starts = (max(0, rows - int(lengths * since_change)) for lengths in AROUND_CHANGE)
    for start in dict.fromkeys(starts):
        if split - start >= SMALLEST_WINDOW:
            yield start
