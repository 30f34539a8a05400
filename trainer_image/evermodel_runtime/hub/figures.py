"""Figures of a version for people: the metric over the last labels, and what an alarm was about."""

from __future__ import annotations

import sqlite3
from itertools import islice
from math import sqrt

from evermodel.contract import Alarm, Measure, Metric, QualityQuery, WindowStats
from evermodel_runtime.hub.detectors import rows_before
from evermodel_runtime.quality.changepoint import LONGEST_SHORTFALL, labels_since_change
from evermodel_runtime.quality.detector import Crossing, DetectorSettings
from evermodel_runtime.quality.outcomes import (
    OF_ERRORS,
    SMALLEST_TRUTH,
    error_of,
    outcomes_of,
    value_of,
)
from evermodel_runtime.quality.prediction_id import compact_label
from evermodel_runtime.quality.wilson import Z95, wilson_interval

_ERROR = "abs(CAST(predicted AS REAL) - CAST(label AS REAL))"
_ERRORS = {
    Metric.RMSE: f"{_ERROR} * {_ERROR}",
    Metric.MAE: _ERROR,
    Metric.MAPE: f"{_ERROR} / max(abs(CAST(label AS REAL)), {SMALLEST_TRUTH!r})",
}
"""``quality.outcomes.error_of`` of a row, as SQL: a window of a million rows must not hold up the labels."""
_ABOUT = {
    Metric.RECALL: "label = :name",
    Metric.PRECISION: "predicted = :compact",
    Metric.F1: "(label = :name OR predicted = :compact)",
}
"""Rows that a metric of one class is about."""
_WINDOW = (
    "SELECT correct, label, predicted FROM labels "
    "WHERE model = :model AND version = :version AND predicted_at <= :newest ORDER BY predicted_at DESC LIMIT :window"
)


def read_window(connection: sqlite3.Connection, model: int, query: QualityQuery, now: float) -> WindowStats | None:
    """Score the last labels by the time of the prediction: a late label of an old prediction is no news."""
    of = {
        "model": model,
        "version": query.version,
        "newest": float("inf") if query.label_delay == 0 else now - query.label_delay,
        "window": query.window,
    }
    if query.measure.metric in OF_ERRORS:
        return _errors_of(connection, query.measure.metric, of)
    return _share_of(connection, query.measure, of)


def _share_of(connection: sqlite3.Connection, measure: Measure, of: dict[str, float]) -> WindowStats | None:
    name = measure.positive_class or ""
    about = _ABOUT.get(measure.metric)
    where = "" if about is None else f" WHERE {about}"
    samples, correct = connection.execute(
        f"SELECT count(*), coalesce(sum(correct), 0) FROM ({_WINDOW}){where}",  # noqa: S608 - conditions from above
        of if about is None else of | {"name": name, "compact": compact_label(name)},
    ).fetchone()
    if samples == 0:
        return None
    lower, upper = wilson_interval(correct, samples)
    value, lower, upper = (value_of(measure, share) for share in (correct / samples, lower, upper))
    return WindowStats(value=value, lower=lower, upper=upper, samples=samples)


def _errors_of(connection: sqlite3.Connection, metric: Metric, of: dict[str, float]) -> WindowStats | None:
    """Return the mean of the errors (of rmse, its root) with the interval of a mean of many: normal."""
    samples, total, squares = connection.execute(
        "SELECT count(*), coalesce(sum(error), 0.0), coalesce(sum(error * error), 0.0) FROM "  # noqa: S608 - as above
        f"(SELECT {_ERRORS[metric]} AS error FROM ({_WINDOW}) WHERE predicted IS NOT NULL)",
        of,
    ).fetchone()
    if samples == 0:
        return None
    mean = total / samples
    half = Z95 * sqrt(max(squares / samples - mean * mean, 0.0) / samples)
    value, lower, upper = (_in_units(metric, part) for part in (mean, max(mean - half, 0.0), mean + half))
    return WindowStats(value=value, lower=lower, upper=upper, samples=samples)


def read_alarm(
    connection: sqlite3.Connection, model: int, version: int, crossing: Crossing, settings: DetectorSettings
) -> Alarm:
    """Describe a latched alarm: only by stored labels up to it, which never change."""
    (written_at,) = connection.execute(
        "SELECT written_at FROM labels WHERE model = ? AND seq = ?", (model, crossing.seq)
    ).fetchone()
    made = outcomes_of(settings.measure, settings.threshold)
    longest = min(crossing.samples, LONGEST_SHORTFALL)
    shortfall = list(islice(made(rows_before(connection, model, version, crossing.seq)), longest))
    since = labels_since_change((outcome for _, outcome in shortfall), settings)
    first, _ = shortfall[since - 1]
    return Alarm(
        seq=crossing.seq,
        at=written_at,
        value=_value(connection, model, version, crossing, settings.measure),
        samples=crossing.samples,
        changed_after=first - 1,
    )


def _value(connection: sqlite3.Connection, model: int, version: int, crossing: Crossing, measure: Measure) -> float:
    """Return the metric over a shortfall; errors are not cut at the detector's bound for it."""
    if measure.metric not in OF_ERRORS:
        return value_of(measure, 1 - crossing.wrong / crossing.samples)
    rows = islice(rows_before(connection, model, version, crossing.seq), min(crossing.samples, LONGEST_SHORTFALL))
    errors = [error_of(measure.metric, label, predicted) for _, _, label, predicted in rows]
    known = [error for error in errors if error is not None]
    return _in_units(measure.metric, sum(known) / len(known))


def _in_units(metric: Metric, mean: float) -> float:
    return sqrt(mean) if metric is Metric.RMSE else mean
