"""The report of an evaluation: everything that a person needs to believe a verdict, as one message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from evermodel.contract import Measure, Message, Metric, PairedScore, ScoringRun
from evermodel_runtime.evaluate.answers import Answers, ClassAnswers, NumberAnswers
from evermodel_runtime.evaluate.importance import Importance
from evermodel_runtime.evaluate.metrics import Floats, precision_recall_curve, roc_curve

if TYPE_CHECKING:
    from evermodel_runtime.evaluate.comparison import Comparison

FORMAT = 1
"""Version of the report's format; fields are only added to it."""
MOST_CLASSES = 20
"""Classes, the most frequent ones, of which the report shows each."""
POINTS = 100
"""Points that a curve is thinned out to."""
BINS = 10
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
_PER_CLASS = (Metric.PRECISION, Metric.RECALL, Metric.F1)
Points = tuple[tuple[float, float], ...]


class ClassFigures(Message, frozen=True, kw_only=True):
    """How well one class is told from all others."""

    label: str
    rows: int
    precision: float | None
    recall: float | None
    f1: float | None
    roc: Points = ()
    """False positive rate and true positive rate."""
    precision_recall: Points = ()
    """Recall and precision."""


class Bin(Message, frozen=True, kw_only=True):
    """Rows whose answer was given about as much probability."""

    rows: int
    said: float
    """Mean probability of the answers."""
    right: float
    """Share of them that were right."""


class ClassReport(Message, tag_field="task", tag="Classification", frozen=True, kw_only=True):
    """The candidate's answers, class by class."""

    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Rows by their class (first) and the answer, of the labels shown."""
    classes: tuple[ClassFigures, ...]
    calibration: tuple[Bin, ...] = ()
    expected_calibration_error: float | None = None
    brier: float | None = None
    """Mean squared distance of the probabilities from the truth, over all classes."""


class NumberReport(Message, tag_field="task", tag="Regression", frozen=True, kw_only=True):
    """The candidate's errors."""

    quantiles: tuple[tuple[str, float], ...]
    """Of the absolute error."""
    mean_error: float
    """Predicted less actual: where it is not near 0, the model is biased."""
    actual_and_predicted: Points
    """Of some rows, evenly chosen."""


class SetReport(Message, frozen=True, kw_only=True):
    """Candidate and champion on one held-out set."""

    name: str
    score: PairedScore
    interval: tuple[float, float] | None
    champion_interval: tuple[float, float] | None
    champion_metrics: dict[str, float]
    detail: ClassReport | NumberReport
    importance: Importance | None = None
    """None in reports of before it was measured."""


class Report(Message, frozen=True, kw_only=True):
    """One evaluation."""

    format: int = FORMAT
    model: str
    version: int
    estimator: str
    candidate: str
    """sha256 of the candidate's manifest."""
    champion: str | None
    data_sha256: str
    objective: str
    sets: tuple[SetReport, ...]
    left_out: tuple[str, ...]
    """What is not in the report, and why."""


def encoded(report: Report) -> bytes:
    """Return the same bytes for equal reports."""
    return msgspec.json.encode(report, order="deterministic")


def set_report(
    name: str, score: PairedScore, compared: Comparison, run: ScoringRun, importance: Importance
) -> SetReport:
    """Describe one set in full."""
    theirs = compared.theirs
    return SetReport(
        name=name,
        score=score,
        interval=compared.ours.interval(run.objective),
        champion_interval=None if theirs is None else theirs.interval(run.objective),
        champion_metrics={} if theirs is None else theirs.metrics(run.metrics),
        detail=_detail(compared.ours),
        importance=importance,
    )


def _detail(answers: Answers) -> ClassReport | NumberReport:
    if isinstance(answers, NumberAnswers):
        return _of_numbers(answers)
    if isinstance(answers, ClassAnswers):
        return _of_classes(answers)
    raise TypeError(f"{type(answers)} are answers of no task.")


def _of_classes(answers: ClassAnswers) -> ClassReport:
    names, counts = np.unique(np.concatenate((answers.truth, answers.said)), return_counts=True)
    labels = tuple(sorted(names[np.argsort(-counts, kind="stable")][:MOST_CLASSES].tolist()))
    confusion = tuple(
        tuple(int(((answers.truth == truly) & (answers.said == said)).sum()) for said in labels) for truly in labels
    )
    report = ClassReport(
        labels=labels, confusion=confusion, classes=tuple(_class_figures(answers, label) for label in labels)
    )
    if answers.probabilities is None:
        return report
    sure = answers.probabilities.max(axis=1).astype(np.float64)
    right = answers.right()
    place = np.minimum((sure * BINS).astype(np.intp), BINS - 1)
    bins = tuple(
        Bin(rows=int(chosen.sum()), said=float(sure[chosen].mean()), right=float(right[chosen].mean()))
        for chosen in (place == index for index in range(BINS))
        if chosen.any()
    )
    truth = answers.truth[:, None] == answers.classes[None, :]
    return msgspec.structs.replace(
        report,
        calibration=bins,
        expected_calibration_error=sum(one.rows * abs(one.said - one.right) for one in bins) / len(answers),
        brier=float(((answers.probabilities - truth) ** 2).sum(axis=1).mean()),
    )


def _class_figures(answers: ClassAnswers, label: str) -> ClassFigures:
    precision, recall, f1 = (answers.value(Measure(metric=metric, positive_class=label)) for metric in _PER_CLASS)
    positive = answers.truth == label
    figures = ClassFigures(label=label, rows=int(positive.sum()), precision=precision, recall=recall, f1=f1)
    (place,) = np.nonzero(answers.classes == label)
    if answers.probabilities is None or not len(place) or positive.all() or not positive.any():
        return figures
    score = answers.probabilities[:, int(place[0])]
    found, gained = precision_recall_curve(positive, score)
    return msgspec.structs.replace(
        figures, roc=_points(*roc_curve(positive, score)), precision_recall=_points(gained, found)
    )


def _of_numbers(answers: NumberAnswers) -> NumberReport:
    error = answers.said - answers.truth
    found = np.quantile(np.abs(error), QUANTILES).tolist()
    order = np.argsort(answers.truth, kind="stable")
    return NumberReport(
        quantiles=tuple((f"{share:.0%}", value) for share, value in zip(QUANTILES, found, strict=True)),
        mean_error=float(error.mean()),
        actual_and_predicted=_points(answers.truth[order], answers.said[order]),
    )


def _points(x: Floats, y: Floats) -> Points:
    chosen = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).astype(np.intp))
    return tuple(
        (float(f"{a:.5g}"), float(f"{b:.5g}")) for a, b in zip(x[chosen].tolist(), y[chosen].tolist(), strict=True)
    )
