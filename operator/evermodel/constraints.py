"""What a candidate must meet besides being better: further metrics, and the objective in groups of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evermodel.contract import Measure, PairedScore

GROUP_ROWS = 30
"""Rows from which on a group of a slice binds: fewer show nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A metric and the worst value that will do."""

    metric: Measure
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomDemand:
    """A metric that a container of the user's own measures: it must be there, and meet a threshold if it has one."""

    name: str
    lower_is_better: bool
    threshold: float | None = None

    def is_missed_by(self, value: float) -> bool:
        """Tell whether a value is worse than the threshold."""
        if self.threshold is None:
            return False
        return value > self.threshold if self.lower_is_better else value < self.threshold

    @property
    def worse_side(self) -> str:
        """The word for where worse values are."""
        return "above" if self.lower_is_better else "below"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What the user declared."""

    constraints: tuple[Constraint, ...] = ()
    custom: tuple[CustomDemand, ...] = ()
    slice_thresholds: Mapping[str, float] = field(default_factory=dict)
    """What every group of a slice must meet in the objective's metric, by column."""


NO_DEMANDS = Demands()


def unknown(demands: Demands, name: str, score: PairedScore) -> str | None:
    """Say what is demanded and was not measured, in a sentence; None when all was."""
    for constraint in demands.constraints:
        if str(constraint.metric) not in score.metrics:
            return (
                f"evaluation.constraints asks for {constraint.metric.told}, which has no value on these {score.rows} "
                f"{name} rows: none is of the class, the model knows no probabilities, or it was declared after the "
                "evaluation."
            )
    for custom in demands.custom:
        if custom.name not in score.metrics:
            return (
                f"evaluation.customMetrics has {custom.name}, which was not measured on these {score.rows} {name} "
                "rows: it was declared after the evaluation. Ask for another run."
            )
    known = {group.column for group in score.slices}
    for column in demands.slice_thresholds:
        if column not in known:
            return (
                f"evaluation.slices has a threshold for column {column!r}, which is not known of these {score.rows} "
                f"{name} rows: it is not in the data, is no feature (production records hold features alone), or was "
                "declared after the evaluation."
            )
    return None


def missed(demands: Demands, objective: Measure, name: str, score: PairedScore) -> str | None:
    """Say which demand a candidate misses, in a sentence; None when it meets all. All of them are known."""
    for constraint in demands.constraints:
        measure, value = constraint.metric, score.metrics[str(constraint.metric)]
        if measure.gain(value, over=constraint.threshold) < 0:
            return (
                f"{measure.told} {measure.shown(value)} on {score.rows} {name} rows is {measure.worse_side} "
                f"{constraint.threshold}, as evaluation.constraints has it."
            )
    for custom in demands.custom:
        found = score.metrics[custom.name]
        if custom.is_missed_by(found):
            return (
                f"{custom.name} {found:,.4g} on {score.rows} {name} rows is {custom.worse_side} {custom.threshold}, as "
                "evaluation.customMetrics has it."
            )
    for group in score.slices:
        threshold = demands.slice_thresholds.get(group.column)
        if threshold is None or group.rows < GROUP_ROWS:
            continue
        if objective.gain(group.candidate, over=threshold) < 0:
            return (
                f"{objective.told} {objective.shown(group.candidate)} on the {group.rows} {name} rows whose "
                f"{group.column} is {group.group} is {objective.worse_side} {threshold}, as evaluation.slices has it."
            )
    return None
