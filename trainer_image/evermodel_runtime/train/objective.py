"""How well an attempt did within a run, by the objective's metric."""

from __future__ import annotations

from typing import Any

import numpy as np

from evermodel.contract import Measure, Metric, Task
from evermodel_runtime.data.labels import as_texts
from evermodel_runtime.data.rows import Labels
from evermodel_runtime.evaluate.answers import ClassAnswers, NumberAnswers
from evermodel_runtime.evaluate.metrics import ErrorSums, Floats


def value_of(objective: Measure, truth: Labels, predicted: Any) -> float | None:
    """Return the objective's metric of a pipeline's answers; None where it has no value on these rows."""
    if objective.metric.task is Task.REGRESSION:
        return NumberAnswers(truth.astype(np.float64), np.asarray(predicted, np.float64).reshape(-1)).value(objective)
    return ClassAnswers(as_texts(truth.tolist()), as_texts(predicted.tolist()), as_texts(())).value(objective)


def losses_of(objective: Measure, truth: Labels, predicted: Any) -> Floats | None:
    """Return what each row adds to the objective's error; None where it is none of numbers."""
    if objective.metric.task is not Task.REGRESSION:
        return None
    each = ErrorSums(*ErrorSums.each(truth.astype(np.float64), np.asarray(predicted, np.float64).reshape(-1)))
    match objective.metric:
        case Metric.MAE:
            return each.absolute
        case Metric.MAPE:
            return each.relative
    return each.squared


def goodness(objective: Measure, value: float) -> float:
    """Return the value, or its negative where less is better: of goodness, more always is. Twice is as it was."""
    return objective.gain(value, over=0.0)
