"""What a model answered to rows whose truth is known, and how well that is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from evermodel.contract import Average, Measure, Metric, Scalar, Task, label_text
from evermodel_runtime.data.rows import Mask
from evermodel_runtime.evaluate.metrics import (
    ClassSums,
    Codes,
    ErrorSums,
    Floats,
    Probabilities,
    class_metric,
    error_metric,
    probability_metric,
)
from evermodel_runtime.evaluate.resampling import Pairs, bootstrap_interval, swap_p
from evermodel_runtime.quality.wilson import wilson_interval

Texts = NDArray[np.object_]
Interval = tuple[float, float] | None
OF_PROBABILITIES = frozenset({Metric.ROC_AUC, Metric.PR_AUC, Metric.LOG_LOSS})
MOST_RANKED = 100
"""Classes up to which the areas under curves are measured without being asked for: each sorts all rows."""


class Answers(Protocol):
    """One model's answers; ``value`` and ``interval`` are None where a metric has no value on these rows."""

    def __len__(self) -> int:
        """Return how many rows there are."""
        ...

    def only(self, chosen: Mask) -> Self:
        """Return some of the rows."""
        ...

    def value(self, measure: Measure) -> float | None:
        """Return a metric."""
        ...

    def interval(self, measure: Measure) -> Interval:
        """Return the 95 % interval of a metric: Wilson's for accuracy, else by bootstrap; None for metrics of ranks."""
        ...

    def metrics(self, further: Iterable[Measure] = ()) -> dict[str, float]:
        """Return all metrics of the task, and others that are asked for, that have a value."""
        ...

    def right(self) -> Mask:
        """Return the rows that were answered as they are."""
        ...

    def always(self, answer: Scalar) -> Self:
        """Return the same with one answer to all rows."""
        ...

    def without_features(self, measure: Measure, answer: Scalar) -> float:
        """Return the metric of what looks at no feature; where it is not of one class, always this answer."""
        ...

    def swap_p(self, champion: Self, measure: Measure) -> float:
        """Return p of the paired test: how probable so large a lead over the champion would be by chance."""
        ...


@dataclass(frozen=True, slots=True)
class ClassAnswers:
    """Answers of a classifier.

    Attributes
    ----------
    truth, said : array of str
        Labels as ``label_text`` spells them.
    classes : array of str
        Those of the model, in the order of its probabilities.
    probabilities : array of shape (rows, classes) or None
        None where the model knows none.
    """

    truth: Texts
    said: Texts
    classes: Texts
    probabilities: Probabilities | None = None

    def __len__(self) -> int:
        return len(self.truth)

    def only(self, chosen: Mask) -> Self:
        """Return some of the rows."""
        sure = None if self.probabilities is None else self.probabilities[chosen]
        return replace(self, truth=self.truth[chosen], said=self.said[chosen], probabilities=sure)

    def value(self, measure: Measure) -> float | None:
        """Return a metric."""
        if measure.metric in OF_PROBABILITIES:
            return self._of_probabilities(measure, self.truth_places())
        return self._of_counts(measure, _Coded.of(measure.positive_class, self.truth, self.said))

    def interval(self, measure: Measure) -> Interval:
        """Return the 95 % interval of a metric: Wilson's for accuracy, else by bootstrap; None for metrics of ranks."""
        if measure.metric is Metric.ACCURACY:
            return wilson_interval(int(self.right().sum()), len(self)) if len(self) else None
        if measure.metric in OF_PROBABILITIES:
            return None
        coded = _Coded.of(measure.positive_class, self.truth, self.said)
        pairs = Pairs.of_classes(coded.classes, coded.truth, coded.said[0], coded.said[0])
        return bootstrap_interval(pairs.counts, pairs.candidate, coded.metric(measure))

    def metrics(self, further: Iterable[Measure] = ()) -> dict[str, float]:
        """Return all metrics of the task, and others that are asked for, that have a value."""
        coded, places = _Coded.of(None, self.truth, self.said), self.truth_places()
        found = {}
        for measure in _of_all_classes():
            if measure.metric not in OF_PROBABILITIES:
                found[str(measure)] = self._of_counts(measure, coded)
            elif len(self.classes) <= MOST_RANKED or measure.metric is Metric.LOG_LOSS:
                found[str(measure)] = self._of_probabilities(measure, places)
        return _with_value(found | {str(measure): self.value(measure) for measure in further})

    def right(self) -> Mask:
        """Return the rows that were answered as they are."""
        correct: Mask = self.truth == self.said
        return correct

    def always(self, answer: Scalar) -> Self:
        """Return the same with one answer to all rows."""
        said = np.full(len(self.said), label_text(answer), dtype=np.object_)
        return replace(self, said=said, probabilities=None)

    def without_features(self, measure: Measure, answer: Scalar) -> float:
        """Return the metric of what looks at no feature; where it is not of one class, always this answer.

        Always answering a class has the best precision and f1 of it that can be had so, and a recall of 1, which is no
        measure of anything: there it is a guess that says the class as often as the model.
        """
        if measure.positive_class is None:
            return self.always(answer).value(measure) or 0.0
        if measure.metric is Metric.RECALL:
            return float(np.mean(self.said == measure.positive_class))
        return self.always(measure.positive_class).value(measure) or 0.0

    def swap_p(self, champion: Self, measure: Measure) -> float:
        """Return p of the paired test: how probable so large a lead over the champion would be by chance."""
        coded = _Coded.of(measure.positive_class, self.truth, self.said, champion.said)
        pairs, value = Pairs.of_classes(coded.classes, coded.truth, *coded.said), coded.metric(measure)
        return swap_p(pairs, lambda ours, theirs: value(ours) - value(theirs))

    def truth_places(self) -> Codes:
        """Return the place of each row's class among those of the model; -1: it knows no such class."""
        places = {label: place for place, label in enumerate(self.classes.tolist())}
        return np.array([places.get(label, -1) for label in self.truth.tolist()], dtype=np.intp)

    def _of_counts(self, measure: Measure, coded: _Coded) -> float | None:
        sums = ClassSums.of(coded.truth, coded.said[0], coded.classes)
        return _known(class_metric(measure, sums, coded.positive))

    def _of_probabilities(self, measure: Measure, truth: Codes) -> float | None:
        if self.probabilities is None:
            return None
        if measure.positive_class is None:
            return _known(probability_metric(measure, truth, self.probabilities))
        (positive,) = np.nonzero(self.classes == measure.positive_class)
        if not len(positive):
            return None
        return _known(probability_metric(measure, truth, self.probabilities, int(positive[0])))


@dataclass(frozen=True, slots=True)
class NumberAnswers:
    """Answers of a regressor."""

    truth: Floats
    said: Floats

    def __len__(self) -> int:
        return len(self.truth)

    def only(self, chosen: Mask) -> Self:
        """Return some of the rows."""
        return replace(self, truth=self.truth[chosen], said=self.said[chosen])

    def value(self, measure: Measure) -> float | None:
        """Return a metric."""
        return _known(error_metric(measure.metric, ErrorSums.of(self.truth, self.said)))

    def interval(self, measure: Measure) -> Interval:
        """Return the 95 % bootstrap interval of a metric."""
        if not len(self):
            return None
        pairs = Pairs.of_blocks(self._sums(), self._sums())
        return bootstrap_interval(
            pairs.counts, pairs.candidate, lambda sums: error_metric(measure.metric, ErrorSums.joined(sums))
        )

    def metrics(self, further: Iterable[Measure] = ()) -> dict[str, float]:
        """Return all metrics of the task, and others that are asked for, that have a value."""
        sums = ErrorSums.of(self.truth, self.said)
        found = {metric.value: _known(error_metric(metric, sums)) for metric in Metric if metric.task is _NUMBERS}
        return _with_value(found | {str(measure): self.value(measure) for measure in further})

    def right(self) -> Mask:
        """Return the rows that were answered as they are."""
        correct: Mask = self.truth == self.said
        return correct

    def always(self, answer: Scalar) -> Self:
        """Return the same with one answer to all rows."""
        return replace(self, said=np.full(len(self.said), float(answer)))

    def without_features(self, measure: Measure, answer: Scalar) -> float:
        """Return the metric of what looks at no feature: always this answer."""
        return self.always(answer).value(measure) or 0.0

    def swap_p(self, champion: Self, measure: Measure) -> float:
        """Return p of the paired test: how probable so large a lead over the champion would be by chance."""

        def value(sums: Floats) -> Floats:
            found = error_metric(measure.metric, ErrorSums.joined(sums))
            return -found if measure.metric.lower_is_better else found

        pairs = Pairs.of_blocks(self._sums(), champion._sums())
        return swap_p(pairs, lambda ours, theirs: value(ours) - value(theirs))

    def _sums(self) -> Floats:
        return np.column_stack(ErrorSums.each(self.truth, self.said))


_NUMBERS = Task.REGRESSION


@dataclass(frozen=True, slots=True)
class _Coded:
    """Labels as places in the list of all that occur; for a metric of one class, of that class and all others."""

    truth: Codes
    said: tuple[Codes, ...]
    classes: int
    positive: int | None

    @classmethod
    def of(cls, positive_class: str | None, truth: Texts, *said: Texts) -> Self:
        if positive_class is not None:
            chosen = tuple((labels == positive_class).astype(np.intp) for labels in (truth, *said))
            return cls(chosen[0], chosen[1:], 2, 1)
        names, codes = np.unique(np.concatenate((truth, *said)), return_inverse=True)
        split = np.split(codes.astype(np.intp), len(said) + 1)
        return cls(split[0], tuple(split[1:]), len(names), None)

    def metric(self, measure: Measure) -> Callable[[Floats], Floats]:
        """Return what makes the metric of joined sums."""
        return lambda sums: class_metric(measure, ClassSums.joined(sums), self.positive)


def _of_all_classes() -> list[Measure]:
    averaged = (Metric.PRECISION, Metric.RECALL, Metric.F1)
    return [
        *(Measure(metric=metric) for metric in Metric if metric.task is Task.CLASSIFICATION),
        *(Measure(metric=metric, average=Average.WEIGHTED) for metric in averaged),
    ]


def _with_value(values: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}


def _known(value: float | Floats) -> float | None:
    number = float(value)
    return None if np.isnan(number) else number
