"""Metrics as scikit-learn defines them.

Written out, since importing scikit-learn takes longer than everything else that an evaluation does. Most metrics follow
from a few sums over the rows, so that those of thousands of resamples are one calculation: in the arrays of sums, all
axes but that of the classes are resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from evermodel.contract import Average, Measure, Metric

Floats = NDArray[np.float64]
Probabilities = NDArray[np.floating[Any]]
Codes = NDArray[np.intp]
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class ClassSums:
    """Rows by class, of shape (..., classes).

    Attributes
    ----------
    hits : array
        Rows of the class that were said to be of it.
    said : array
        Rows that were said to be of the class.
    truly : array
        Rows of the class.
    """

    hits: Floats
    said: Floats
    truly: Floats

    @classmethod
    def of(cls, truth: Codes, said: Codes, classes: int) -> Self:
        """Count rows whose labels are places in a list of classes."""

        def counted(codes: Codes) -> Floats:
            return np.bincount(codes, minlength=classes).astype(np.float64)

        return cls(counted(truth[truth == said]), counted(said), counted(truth))

    @classmethod
    def joined(cls, sums: Floats) -> Self:
        """Take the three from one array of shape (..., 3 * classes)."""
        return cls(*np.split(sums, 3, axis=-1))

    def only(self, place: int) -> Self:
        """Return the sums of one class."""
        chosen = slice(place, place + 1)
        return type(self)(self.hits[..., chosen], self.said[..., chosen], self.truly[..., chosen])


@dataclass(frozen=True, slots=True)
class ErrorSums:
    """Sums over rows of numbers, of shape (...).

    Attributes
    ----------
    rows : array
        How many there are.
    squared, absolute, relative : array
        Of the errors; relative to the truth.
    truth, truth_squared : array
        Of the truth, from which its mean was taken.
    """

    rows: Floats
    squared: Floats
    absolute: Floats
    relative: Floats
    truth: Floats
    truth_squared: Floats

    @classmethod
    def of(cls, truth: Floats, said: Floats) -> Self:
        """Add up the rows."""
        return cls(*(np.asarray(values.sum()) for values in cls.each(truth, said)))

    @classmethod
    def joined(cls, sums: Floats) -> Self:
        """Take the six from one array of shape (..., 6)."""
        return cls(*np.moveaxis(sums, -1, 0))

    @staticmethod
    def each(truth: Floats, said: Floats) -> tuple[Floats, ...]:
        """Return what each row adds to the sums."""
        error = truth - said
        centred = truth - truth.mean()
        relative = np.abs(error) / np.maximum(np.abs(truth), _EPSILON)
        return np.ones(len(truth)), error**2, np.abs(error), relative, centred, centred**2


def class_metric(measure: Measure, sums: ClassSums, positive: int | None = None) -> Floats:
    """Return a metric of classes that follows from their sums; NaN where it has no value.

    Parameters
    ----------
    measure : Measure
        accuracy, balancedAccuracy, mcc, precision, recall or f1.
    sums : ClassSums
        Of shape (..., classes).
    positive : int or None
        The place of ``measure.positive_class``.
    """
    if measure.metric in _WHOLE:
        return _WHOLE[measure.metric](sums)
    part = _PARTS[measure.metric]
    if positive is not None:
        one = sums.only(positive)
        defined = (one.truly > 0) | ((one.said > 0) & (measure.metric is not Metric.RECALL))
        value: Floats = np.where(defined, part(one), np.nan)[..., 0]
        return value
    match measure.average or Average.MACRO:
        case Average.MACRO:
            return _mean(part(sums), sums.said + sums.truly > 0)
        case Average.MICRO:
            return _accuracy(sums)  # each row has one class: all three are the same
        case Average.WEIGHTED:
            return _ratio((part(sums) * sums.truly).sum(-1), sums.truly.sum(-1))


def error_metric(metric: Metric, sums: ErrorSums) -> Floats:
    """Return a metric of numbers: rmse, mae, mape (a fraction) or r2; NaN where it has no value."""
    match metric:
        case Metric.RMSE:
            return np.sqrt(sums.squared / sums.rows)
        case Metric.MAE:
            return sums.absolute / sums.rows
        case Metric.MAPE:
            return sums.relative / sums.rows
    spread = sums.truth_squared - sums.truth**2 / sums.rows
    constant = np.where(sums.squared == 0, 1.0, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(spread > 0, 1 - sums.squared / spread, constant)
    return np.where(sums.rows > 1, found, np.nan)


def probability_metric(
    measure: Measure, truth: Codes, probabilities: Probabilities, positive: int | None = None
) -> float:
    """Return a metric of the probabilities: rocAuc, prAuc or logLoss; NaN where it has no value.

    Without a positive class rocAuc and prAuc are the mean over the classes, each against all others, that have rows
    and are not alone: of two classes, rocAuc is the same for both.

    Parameters
    ----------
    truth : array of int, shape (rows,)
        The place of each row's class among those of the model, or -1: it knows no such class.
    probabilities : array of shape (rows, classes)
        What the model said.
    """
    if measure.metric is Metric.LOG_LOSS:
        return log_loss(truth, probabilities)
    area = roc_auc if measure.metric is Metric.ROC_AUC else average_precision
    places = range(probabilities.shape[1]) if positive is None else (positive,)
    areas = [area(truth == place, probabilities[:, place]) for place in places]
    known = [value for value in areas if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def log_loss(truth: Codes, probabilities: Probabilities) -> float:
    """Return the mean negative logarithm of what was given to the right class; NaN if the model knows one not."""
    if not len(truth) or (truth < 0).any():
        return float("nan")
    right = probabilities[np.arange(len(truth)), truth].astype(np.float64)  # as classifiers of scikit-learn answer
    return float(-np.log(np.clip(right, _EPSILON, 1 - _EPSILON)).mean())


def roc_auc(positive: NDArray[np.bool_], score: Probabilities) -> float:
    """Return the probability that a positive row scores above another one, ties counted half; NaN without either."""
    if not len(positive):
        return float("nan")
    false, true = roc_curve(positive, score)
    return float(np.trapezoid(true, false))


def average_precision(positive: NDArray[np.bool_], score: Probabilities) -> float:
    """Return the mean of the precisions at each threshold, weighted by the recall gained; NaN without a positive."""
    if not len(positive):
        return float("nan")
    precision, recall = precision_recall_curve(positive, score)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def roc_curve(positive: NDArray[np.bool_], score: Probabilities) -> tuple[Floats, Floats]:
    """Return false and true positive rates from (0, 0) to (1, 1), a point for each score that occurs."""
    said, hits = _at_thresholds(positive, score)
    true = _ratio(hits, np.float64(positive.sum()))
    false = _ratio(said - hits, np.float64((~positive).sum()))
    return np.concatenate(([0.0], false)), np.concatenate(([0.0], true))


def precision_recall_curve(positive: NDArray[np.bool_], score: Probabilities) -> tuple[Floats, Floats]:
    """Return precision and recall, from the highest score that occurs to the lowest."""
    said, hits = _at_thresholds(positive, score)
    return _ratio(hits, said), _ratio(hits, np.float64(positive.sum()))


def _at_thresholds(positive: NDArray[np.bool_], score: Probabilities) -> tuple[Floats, Floats]:
    """Return how many rows score at least as high as each score that occurs, and how many of these are positive."""
    order = np.argsort(-score, kind="stable")
    sorted_score = score[order]
    last = np.append(np.flatnonzero(np.diff(sorted_score)), len(score) - 1)
    hits = np.cumsum(positive[order], dtype=np.float64)
    return (last + 1).astype(np.float64), hits[last]


def _ratio(part: Any, whole: Any) -> Floats:
    """Divide; 0 / 0 is NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient: Floats = np.asarray(part / whole, dtype=np.float64)
    return quotient


def _accuracy(sums: ClassSums) -> Floats:
    return _ratio(sums.hits.sum(-1), sums.truly.sum(-1))


def _balanced_accuracy(sums: ClassSums) -> Floats:
    return _mean(_ratio(sums.hits, sums.truly), sums.truly > 0)


def _precision(sums: ClassSums) -> Floats:
    return np.where(sums.said > 0, _ratio(sums.hits, sums.said), 0.0)


def _recall(sums: ClassSums) -> Floats:
    return np.where(sums.truly > 0, _ratio(sums.hits, sums.truly), 0.0)


def _f1(sums: ClassSums) -> Floats:
    both = sums.said + sums.truly
    return np.where(both > 0, _ratio(2 * sums.hits, both), 0.0)


_PARTS: dict[Metric, Callable[[ClassSums], Floats]] = {
    Metric.PRECISION: _precision,
    Metric.RECALL: _recall,
    Metric.F1: _f1,
}


def _mean(values: Floats, counts: NDArray[np.bool_]) -> Floats:
    """Return the mean over those classes that count."""
    return _ratio(np.where(counts, values, 0.0).sum(-1), counts.sum(-1))


def _mcc(sums: ClassSums) -> Floats:
    rows = sums.truly.sum(-1)
    together = sums.hits.sum(-1) * rows - (sums.said * sums.truly).sum(-1)
    spread = (rows**2 - (sums.said**2).sum(-1)) * (rows**2 - (sums.truly**2).sum(-1))
    return np.where(spread > 0, _ratio(together, np.sqrt(np.maximum(spread, 0.0))), 0.0)


_WHOLE: dict[Metric, Callable[[ClassSums], Floats]] = {
    Metric.ACCURACY: _accuracy,
    Metric.BALANCED_ACCURACY: _balanced_accuracy,
    Metric.MCC: _mcc,
}
