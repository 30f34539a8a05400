"""What a label says about a model, for the metric that is watched: a number from 0 (as bad as counts) to 1 (right).

The mean of these outcomes, given the past, is at least the detector's level while the model keeps its metric:

- accuracy: right or wrong. recall of a class: the same, on rows whose label it is; precision: on those predicted so.
- f1 of a class with threshold t: on the rows labelled or predicted so, right or wrong. F1 = 2J/(1 + J) for the share J
  of these rows that are right, so F1 is at least t exactly while J is at least t/(2 - t): while the mean of
  2(1 - t)TP - t(FP + FN) is not negative.
- rmse with threshold t: 1 - min(e², B)/B, B = 9t², whose mean is at least 1 - t²/B while that of e² is at most t².
- mae and mape: the same of |e| (mape: of |e/label|), B = 4t.

The bounds cut at about three standard deviations of normal errors that are just good enough (of which E|e| is 0.8):
smaller ones would cut off the evidence of heavy tails, larger ones would let one outlier count for many labels.

References
----------
Shin, J., Ramdas, A. and Rinaldo, A. (2022), arXiv:2203.03532, section 4: bounded random variables, by their conditional
means; the labels of a subpopulation are a sequence of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from evermodel.contract import Measure, Metric, Scalar
from evermodel_runtime.quality.prediction_id import compact_label

SQUARED_BOUND = 9.0
"""B in units of t²."""
ABSOLUTE_BOUND = 4.0
"""B in units of t."""
SMALLEST_TRUTH = 2.0**-52
"""What a label of 0 counts as where mape divides by it, as in scikit-learn."""
LARGEST = (2 - 2**-23) * 2.0**127
"""The largest 32-bit float."""
OF_ONE_CLASS = frozenset({Metric.PRECISION, Metric.RECALL, Metric.F1})
OF_ERRORS = frozenset({Metric.RMSE, Metric.MAE, Metric.MAPE})


Labelled = tuple[int, bool, str, str | None]
"""One row of the ledger, as far as quality goes: its number, whether the prediction was right, the label, and the
prediction as its id holds it, or None for labels that an earlier hub wrote. As SQLite gives it: nothing is made of it.
"""
Outcome = tuple[int, float]
"""Ledger number and outcome."""
Outcomes = Callable[[Iterable[Labelled]], Iterator[Outcome]]


def is_watchable(measure: Measure) -> bool:
    """Tell whether single labels bear evidence about a metric."""
    if measure.metric in OF_ONE_CLASS:
        return measure.positive_class is not None
    return measure.metric is Metric.ACCURACY or measure.metric in OF_ERRORS


def outcomes_of(measure: Measure, threshold: float) -> Outcomes:
    """Return what turns rows of the ledger into outcomes; rows that say nothing about the metric are left out."""
    if measure.metric is Metric.ACCURACY:
        return lambda rows: ((seq, correct) for seq, correct, _, _ in rows)
    if measure.metric in OF_ERRORS:
        return _of_errors(measure.metric, threshold)
    name = measure.positive_class or ""
    compact = compact_label(name)
    match measure.metric:
        case Metric.RECALL:
            return lambda rows: ((seq, correct) for seq, correct, label, _ in rows if label == name)
        case Metric.PRECISION:
            return lambda rows: ((seq, correct) for seq, correct, _, predicted in rows if predicted == compact)
        case _:
            return lambda rows: (
                (seq, correct) for seq, correct, label, predicted in rows if label == name or predicted == compact
            )


def as_number(label: Scalar) -> float | None:
    """Return a label as a finite number within 32-bit floats; None where it is none, as words and booleans are."""
    if isinstance(label, bool):
        return None
    try:
        number = float(label)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) <= LARGEST else None  # NaN is not


def error_of(metric: Metric, label: str, predicted: str | None) -> float | None:
    """Return that of which the metric is the mean, or of rmse the root of the mean; None for what are no numbers."""
    truth, said = as_number(label), None if predicted is None else as_number(predicted)
    if truth is None or said is None:
        return None
    error = abs(said - truth)
    if metric is Metric.RMSE:
        return error * error
    return error / max(abs(truth), SMALLEST_TRUTH) if metric is Metric.MAPE else error


def bound_of(metric: Metric, threshold: float) -> float:
    """Return B, beyond which a larger error counts no more."""
    return SQUARED_BOUND * threshold * threshold if metric is Metric.RMSE else ABSOLUTE_BOUND * threshold


def level_of(measure: Measure, threshold: float, tolerance: float) -> float:
    """Return the mean of the outcomes that must be refuted for an alarm; of errors, ``tolerance`` is a share."""
    match measure.metric:
        case Metric.RMSE:
            return 1 - (1 + tolerance) ** 2 / SQUARED_BOUND
        case Metric.MAE | Metric.MAPE:
            return 1 - (1 + tolerance) / ABSOLUTE_BOUND
        case Metric.F1:
            return (threshold - tolerance) / (2 - (threshold - tolerance))
        case _:
            return threshold - tolerance


def value_of(measure: Measure, share: float) -> float:
    """Return the metric where this share of the rows that it is about is right."""
    return 2 * share / (1 + share) if measure.metric is Metric.F1 else share


def _of_errors(metric: Metric, threshold: float) -> Outcomes:
    bound = bound_of(metric, threshold)

    def outcomes(rows: Iterable[Labelled]) -> Iterator[Outcome]:
        for seq, _, label, predicted in rows:
            error = error_of(metric, label, predicted)
            if error is not None:
                yield seq, 1.0 - min(error, bound) / bound

    return outcomes
