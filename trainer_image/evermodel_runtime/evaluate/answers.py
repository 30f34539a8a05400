"""What a model answered to rows whose truth is known, and how well that is."""

from __future__ import annotations

from collections.abc import Iterator
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

Texts = NDArray[np.object_]
OF_PROBABILITIES = frozenset({Metric.ROC_AUC, Metric.PR_AUC, Metric.LOG_LOSS})
_AVERAGED = (Metric.PRECISION, Metric.RECALL, Metric.F1)
Interval = tuple[float, float] | None


class Answers(Protocol):
    """One model's answers; ``value`` and ``interval`` are None where a metric has no value on these rows."""

    def value(self, measure: Measure) -> float | None:
        """Return a metric."""
        ...

    def interval(self, measure: Measure) -> Interval:
        """Return the 95 % bootstrap interval of a metric of sums."""
        ...

    def metrics(self) -> dict[str, float]:
        """Return all metrics of the task that have a value."""
        ...

    def right(self) -> Mask:
        """Return the rows that were answered as they are."""
        ...

    def always(self, answer: Scalar) -> Self:
        """Return the same with one answer to all rows."""
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

    def value(self, measure: Measure) -> float | None:
        """Return a metric."""
        if measure.metric in OF_PROBABILITIES:
            return self._of_probabilities(measure)
        coded = _Coded.of(measure, self.truth, self.said)
        return _known(class_metric(measure, ClassSums.of(coded.truth, coded.said[0], coded.classes), coded.positive))

    def interval(self, measure: Measure) -> Interval:
        """Return the 95 % bootstrap interval of a metric of sums."""
        coded = _Coded.of(measure, self.truth, self.said)
        pairs = Pairs.of_classes(coded.classes, coded.truth, coded.said[0], coded.said[0])
        return bootstrap_interval(pairs.counts, pairs.candidate, coded.value)

    def metrics(self) -> dict[str, float]:
        """Return all metrics of the task that have a value."""
        return _that_have_a_value({str(measure): self.value(measure) for measure in _all_of_classes()})

    def right(self) -> Mask:
        """Return the rows that were answered as they are."""
        correct: Mask = self.truth == self.said
        return correct

    def always(self, answer: Scalar) -> Self:
        """Return the same with one answer to all rows."""
        said = np.full(len(self.said), label_text(answer), dtype=np.object_)
        return replace(self, said=said, probabilities=None)

    def swap_p(self, champion: Self, measure: Measure) -> float:
        """Return p of the paired test: how probable so large a lead over the champion would be by chance."""
        coded = _Coded.of(measure, self.truth, self.said, champion.said)
        pairs = Pairs.of_classes(coded.classes, coded.truth, *coded.said)
        return swap_p(pairs, lambda ours, theirs: coded.value(ours) - coded.value(theirs))

    def _of_probabilities(self, measure: Measure) -> float | None:
        if self.probabilities is None:
            return None
        places = {label: place for place, label in enumerate(self.classes.tolist())}
        positive = places.get(measure.positive_class) if measure.positive_class is not None else None
        if positive is None and measure.positive_class is not None:
            return None
        truth = np.array([places.get(label, -1) for label in self.truth.tolist()], dtype=np.intp)
        return _known(probability_metric(measure, truth, self.probabilities, positive))


@dataclass(frozen=True, slots=True)
class NumberAnswers:
    """Answers of a regressor."""

    truth: Floats
    said: Floats

    def value(self, measure: Measure) -> float | None:
        """Return a metric."""
        return _known(error_metric(measure.metric, ErrorSums.of(self.truth, self.said)))

    def interval(self, measure: Measure) -> Interval:
        """Return the 95 % bootstrap interval of a metric of sums."""
        pairs = Pairs.of_blocks(self._sums(), self._sums())
        return bootstrap_interval(
            pairs.counts, pairs.candidate, lambda sums: error_metric(measure.metric, ErrorSums.joined(sums))
        )

    def metrics(self) -> dict[str, float]:
        """Return all metrics of the task that have a value."""
        return _that_have_a_value(
            {metric.value: self.value(Measure(metric=metric)) for metric in Metric if metric.task is _NUMBERS}
        )

    def right(self) -> Mask:
        """Return the rows that were answered as they are."""
        correct: Mask = self.truth == self.said
        return correct

    def always(self, answer: Scalar) -> Self:
        """Return the same with one answer to all rows."""
        return replace(self, said=np.full(len(self.said), float(answer)))

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

    measure: Measure
    truth: Codes
    said: tuple[Codes, ...]
    classes: int
    positive: int | None

    @classmethod
    def of(cls, measure: Measure, truth: Texts, *said: Texts) -> Self:
        if measure.positive_class is not None:
            chosen = tuple((labels == measure.positive_class).astype(np.intp) for labels in (truth, *said))
            return cls(measure, chosen[0], chosen[1:], 2, 1)
        names, codes = np.unique(np.concatenate((truth, *said)), return_inverse=True)
        split = np.split(codes.astype(np.intp), len(said) + 1)
        return cls(measure, split[0], tuple(split[1:]), len(names), None)

    def value(self, sums: Floats) -> Floats:
        """Return the metric from joined sums."""
        return class_metric(self.measure, ClassSums.joined(sums), self.positive)


def _all_of_classes() -> Iterator[Measure]:
    for metric in Metric:
        if metric.task is Task.CLASSIFICATION:
            yield Measure(metric=metric)
    for metric in _AVERAGED:
        yield Measure(metric=metric, average=Average.WEIGHTED)


def _that_have_a_value(values: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}


def _known(value: float | Floats) -> float | None:
    number = float(value)
    return None if np.isnan(number) else number
