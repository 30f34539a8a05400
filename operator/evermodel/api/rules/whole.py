"""Rules that compare parts of one ModelDeployment."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from evermodel import contract
from evermodel.api.modeldeployment import REGRESSORS, Metric, ModelDeploymentSpec
from evermodel.api.rules.estimators import GOING_ON, WITHOUT_WEIGHTS
from evermodel.api.rules.rule import Rule
from evermodel.contract import Task

_REGRESSORS = [estimator.value for estimator in REGRESSORS]
_ERRORS = [metric.value for metric in Metric if contract.Metric(metric.value).lower_is_better]
_OF_REGRESSION = [metric.value for metric in Metric if contract.Metric(metric.value).task is Task.REGRESSION]
_OF_NUMBERS = [metric.value for metric in contract.Metric if metric.task is Task.REGRESSION]


def _fits_the_task(field_name: str) -> tuple[Rule, ...]:
    """Return the rules by which a list of metrics is of numbers where numbers are predicted, and else of classes."""
    path = f"self.evaluation.{field_name}"
    return (
        Rule(
            rule=f"self.task == 'Regression' || !has({path}) || !{path}.exists(one, one.metric in {_OF_NUMBERS})",
            message="is measured by metrics of classes: rmse, mae, mape and r2 are of numbers",
            field_path=f".evaluation.{field_name}",
        ),
        Rule(
            rule=f"self.task != 'Regression' || !has({path}) || {path}.all(one, one.metric in {_OF_NUMBERS})",
            message="is measured by metrics of numbers: choose rmse, mae, mape or r2",
            field_path=f".evaluation.{field_name}",
        ),
    )


def _withholds(field_name: str) -> tuple[Rule, ...]:
    """Return the rules of the columns that captured rows lack."""
    path = f"self.monitoring.capture.{field_name}"
    nothing = f"!has(self.monitoring.capture) || !has({path}) || {path}.size() == 0"
    return (
        Rule(
            rule=f"{nothing} || !(self.data.target in {path})",
            message="has the target, which no request has: take it out",
            field_path=f".monitoring.capture.{field_name}",
        ),
        Rule(
            rule=(
                f"{nothing} || !has(self.data.features) || self.data.features.size() == 0"
                f" || {path}.all(one, one in self.data.features)"
            ),
            message="has a column that is not in data.features: what the model does not take is never captured",
            field_path=f".monitoring.capture.{field_name}",
        ),
        Rule(
            rule=f"{nothing} || (!self.retraining.data.includeFeedback && !has(self.monitoring.offline))",
            message=(
                "leaves out what the model takes, so that records can neither be learnt from nor scored: take the "
                "columns out of data.features, or do without retraining.data.includeFeedback and monitoring.offline"
            ),
            field_path=f".monitoring.capture.{field_name}",
        ),
    )


STRUCT_RULES: Mapping[type[Struct], tuple[Rule, ...]] = {
    ModelDeploymentSpec: (
        Rule(
            rule="!has(self.retraining.data.halfLife) || !has(self.training.container)",
            message="a container gets rows without weights: leave it out, and bound them by maxAge",
            field_path=".retraining.data.halfLife",
        ),
        Rule(
            rule=(
                "!has(self.retraining.data.halfLife) || !has(self.training.estimator)"
                f" || !(self.training.estimator in {list(WITHOUT_WEIGHTS)})"
            ),
            message=(
                "the estimator counts all rows alike: leave it out, and bound them by maxAge, or choose an estimator "
                "that takes sample_weight"
            ),
            field_path=".retraining.data.halfLife",
        ),
        Rule(
            # A Bagging draws rows by their weights, whatever its member is.
            rule=(
                "!has(self.retraining.data.halfLife) || !has(self.training.ensemble)"
                " || self.training.ensemble.type == 'Bagging'"
                " || (self.training.ensemble.members.all(one, has(one.estimator)"
                f" && !(one.estimator in {list(WITHOUT_WEIGHTS)})"
                " && (!has(one.preprocessing) || one.preprocessing.size() == 0))"
                " && (!has(self.training.ensemble.finalEstimator)"
                f" || !(self.training.ensemble.finalEstimator.estimator in {list(WITHOUT_WEIGHTS)})))"
            ),
            message=(
                "a part of training.ensemble counts all rows alike: an earlier version, a member with preprocessing of "
                "its own, or an estimator that takes no sample_weight. Leave halfLife out, and bound the records by "
                "maxAge, or choose another member"
            ),
            field_path=".retraining.data.halfLife",
        ),
        Rule(
            rule=(
                "!has(self.retraining.online) || (has(self.training.estimator)"
                f" && self.training.estimator in {list(GOING_ON)})"
            ),
            message=(
                f"only {', '.join(GOING_ON[:-1])} and {GOING_ON[-1]} can learn on from where they are: choose one of "
                "them in spec.training.estimator, or leave it out"
            ),
            field_path=".retraining.online",
        ),
        Rule(
            rule=(
                "!has(self.retraining.triggers) || !('Data' in self.retraining.triggers) || "
                "self.retraining.data.includeFeedback || "
                "(!has(self.data.train.sha256) && (self.data.train.uri.startsWith('hub://') || "
                "self.data.train.uri.startsWith('configmap://')))"
            ),
            message=(
                "triggers names Data, and nothing tells when this source changes: only hub:// and configmap:// "
                "without a sha256 are watched. Write triggers: [Schedule] and a schedule, or set "
                "retraining.data.includeFeedback"
            ),
            field_path=".retraining.triggers",
        ),
        Rule(
            rule=(
                "[has(self.training.estimator), has(self.training.ensemble), has(self.training.container)]"
                ".exists_one(declared, declared) || (has(self.model) && !has(self.training.estimator)"
                " && !has(self.training.ensemble) && !has(self.training.container))"
            ),
            message=(
                "what is to be trained? Declare an estimator, an ensemble of several, or a container: one of them; "
                "or import a model in spec.model"
            ),
            field_path=".training",
        ),
        Rule(
            rule=(f"self.objective.metric in {_ERRORS} || self.monitoring.tolerance < self.objective.threshold"),
            message="must be below objective.threshold: no value is below threshold − tolerance otherwise",
            field_path=".monitoring.tolerance",
        ),
        Rule(
            rule=(
                "self.task == 'Regression' || !has(self.training.estimator)"
                f" || !(self.training.estimator in {_REGRESSORS})"
            ),
            message="is a regressor: set spec.task to Regression, or choose a classifier",
            field_path=".training.estimator",
        ),
        Rule(
            rule=(
                "self.task != 'Regression' || !has(self.training.estimator)"
                f" || self.training.estimator in {_REGRESSORS}"
            ),
            message="is a classifier: choose a regressor for the task Regression",
            field_path=".training.estimator",
        ),
        Rule(
            rule=(
                "!has(self.training.ensemble) || self.training.ensemble.members.all("
                f"one, !has(one.estimator) || (one.estimator in {_REGRESSORS}) == (self.task == 'Regression'))"
            ),
            message="has a member of another task: choose classifiers for Classification, regressors for Regression",
            field_path=".training.ensemble.members",
        ),
        Rule(
            rule=(
                "!has(self.training.ensemble) || !has(self.training.ensemble.finalEstimator)"
                f" || (self.training.ensemble.finalEstimator.estimator in {_REGRESSORS}) == (self.task == 'Regression')"
            ),
            message="is of another task: choose a classifier for Classification, a regressor for Regression",
            field_path=".training.ensemble.finalEstimator",
        ),
        Rule(
            rule="!has(self.training.ensemble) || !has(self.training.ensemble.voting) || self.task != 'Regression'",
            message="regressors have no classes to vote for, their mean is taken: leave voting out",
            field_path=".training.ensemble.voting",
        ),
        Rule(
            rule=f"self.task == 'Regression' || !(self.objective.metric in {_OF_REGRESSION})",
            message="is about numbers: set spec.task to Regression, or choose a metric of classes such as accuracy",
            field_path=".objective.metric",
        ),
        Rule(
            rule=f"self.task != 'Regression' || self.objective.metric in {_OF_REGRESSION}",
            message=f"is about classes: choose {', '.join(_OF_REGRESSION[:-1])} or {_OF_REGRESSION[-1]} for Regression",
            field_path=".objective.metric",
        ),
        Rule(
            rule=(
                "!has(self.training.preprocessing)"
                " || self.training.preprocessing.all(step, !(self.data.target in step.columns))"
            ),
            message="the target is what is predicted: no step may transform it",
            field_path=".training.preprocessing",
        ),
        *_fits_the_task("metrics"),
        *_fits_the_task("constraints"),
        *_withholds("drop"),
        *_withholds("hash"),
        Rule(
            rule=(
                "!has(self.evaluation.slices) || !self.evaluation.slices.exists(one, one.column == self.data.target)"
            ),
            message="the target is what is predicted: tell rows apart by another column",
            field_path=".evaluation.slices",
        ),
    ),
}
