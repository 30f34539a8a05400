"""Metrics, what they must reach, and those of one's own."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from evermodel import contract
from evermodel.api.evaluation import Constraint, CustomMetric, EvaluationMetric
from evermodel.api.modeldeployment import Metric, Objective
from evermodel.api.rules.rule import BOUNDS, CONTAINER_RULES, Rule

_OF_ONE_CLASS = [metric.value for metric in (Metric.PRECISION, Metric.RECALL, Metric.F1)]
_OF_A_CLASS = "['precision', 'recall', 'f1', 'rocAuc', 'prAuc']"
_LOSSES = [metric.value for metric in contract.Metric if metric.lower_is_better]
_METRIC_RULES = (
    Rule(
        rule="!has(self.average) || self.metric in ['precision', 'recall', 'f1']",
        message="is for precision, recall and f1, which each class has: leave it out",
        field_path=".average",
    ),
    Rule(
        rule=f"!has(self.positiveClass) || self.metric in {_OF_A_CLASS}",
        message="is for precision, recall, f1, rocAuc and prAuc: leave it out",
        field_path=".positiveClass",
    ),
    Rule(
        rule="!has(self.average) || !has(self.positiveClass)",
        message="the metric of one class needs no average: leave one of both out",
        field_path=".average",
    ),
)

FIELD_RULES: Mapping[tuple[type[Struct], str], tuple[Rule, ...]] = {
    (Objective, "threshold"): (
        Rule(
            rule="self > 0.0",
            message="must be above 0: write 0.93 for an accuracy, or the largest error that will do",
            instead_of=BOUNDS,
        ),
    ),
}

STRUCT_RULES: Mapping[type[Struct], tuple[Rule, ...]] = {
    EvaluationMetric: _METRIC_RULES,
    Constraint: (
        *_METRIC_RULES,
        Rule(
            rule=f"self.metric in {_LOSSES} || self.threshold <= 1.0",
            message="is of a metric whose best value is 1: write 0.93, not 93",
            field_path=".threshold",
        ),
        Rule(
            rule=f"!(self.metric in {_LOSSES}) || self.threshold > 0.0",
            message="is of a metric whose best value is 0: write the largest that will do, above 0",
            field_path=".threshold",
        ),
    ),
    Objective: (
        Rule(
            rule=f"self.metric in {_LOSSES} || self.threshold < 1.0",
            message="accuracy, precision, recall and f1 are fractions between 0 and 1: write 0.93, not 93",
            field_path=".threshold",
        ),
        Rule(
            rule=f"has(self.positiveClass) || !(self.metric in {_OF_ONE_CLASS})",
            message="precision, recall and f1 are of one class: name it, as the target spells it",
            field_path=".positiveClass",
        ),
        Rule(
            rule=f"!has(self.positiveClass) || self.metric in {_OF_ONE_CLASS}",
            message="is for precision, recall and f1, which are of one class: leave it out",
            field_path=".positiveClass",
        ),
    ),
    CustomMetric: (
        *CONTAINER_RULES,
        Rule(
            rule=f"!(self.name in {[metric.value for metric in contract.Metric]})",
            message="is a metric that is always measured: give your own another name",
            field_path=".name",
        ),
    ),
}
