"""The metric of an objective, and how its values are shown."""

from __future__ import annotations

from evermodel.api.modeldeployment import Objective
from evermodel.contract import Measure, Metric


def objective_of(objective: Objective | None) -> Measure:
    """Return the metric of an objective; what was recorded long ago has none, and was about accuracy."""
    if objective is None:
        return Measure()
    return Measure(metric=Metric(objective.metric.value), positive_class=objective.positive_class)


def meets(objective: Objective, value: float) -> bool:
    """Tell whether a value is as good as the threshold asks."""
    return objective_of(objective).gain(value, over=objective.threshold) >= 0


def rounded(objective: Objective, value: float, digits: int) -> float:
    """Round for a status: a share to so many decimals, an error, whatever its units, to four digits."""
    return float(f"{value:.4g}") if objective_of(objective).metric.lower_is_better else round(value, digits)


def notable(objective: Objective) -> float:
    """Return what movement is worth a write: 0.01, of an error a hundredth of the threshold."""
    return 0.01 * objective.threshold if objective_of(objective).metric.lower_is_better else 0.01
