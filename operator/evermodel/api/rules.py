"""What the schema's keywords cannot say, or not say well: CEL rules, each with a message that tells what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from evermodel import contract
from evermodel.api.evaluation import Constraint, CustomMetric, EvaluationMetric
from evermodel.api.fields import CRON
from evermodel.api.modeldeployment import (
    REGRESSORS,
    Container,
    Data,
    DataFormat,
    DriftRules,
    Ensemble,
    ImportedModel,
    Member,
    Metric,
    ModelDeploymentSpec,
    Monitoring,
    Objective,
    Offline,
    Retraining,
    RetrainingData,
    TrainData,
    Training,
    WarmStart,
)
from evermodel.api.modelversion import ModelVersionSpec
from evermodel.api.template import EnvVar, PodTemplate
from evermodel.contract import Task

IN_EPOCHS = (
    "MLPClassifier",
    "MLPRegressor",
    "PassiveAggressiveClassifier",
    "PassiveAggressiveRegressor",
    "Perceptron",
    "SGDClassifier",
    "SGDRegressor",
)
"""Estimators that learn in passes over the rows. Naive Bayes takes rows bit by bit too, but counts each only once."""
GOING_ON = (*IN_EPOCHS, "BernoulliNB", "ComplementNB", "GaussianNB", "MultinomialNB")
"""Estimators that learn on from where they are."""
GROWING = (
    "ExtraTreesClassifier",
    "ExtraTreesRegressor",
    "GradientBoostingClassifier",
    "GradientBoostingRegressor",
    "MLPClassifier",
    "MLPRegressor",
    "RandomForestClassifier",
    "RandomForestRegressor",
)
"""Estimators that can be made larger and keep what they know."""
WITHOUT_WEIGHTS = (
    "ARDRegression",
    "CCA",
    "GaussianProcessClassifier",
    "GaussianProcessRegressor",
    "KNeighborsClassifier",
    "KNeighborsRegressor",
    "LabelPropagation",
    "LabelSpreading",
    "Lars",
    "LarsCV",
    "LassoLars",
    "LassoLarsCV",
    "LassoLarsIC",
    "LinearDiscriminantAnalysis",
    "NearestCentroid",
    "OrthogonalMatchingPursuit",
    "OrthogonalMatchingPursuitCV",
    "PLSCanonical",
    "PLSRegression",
    "PassiveAggressiveClassifier",
    "PassiveAggressiveRegressor",
    "QuadraticDiscriminantAnalysis",
    "RadiusNeighborsClassifier",
    "RadiusNeighborsRegressor",
    "TheilSenRegressor",
    "TransformedTargetRegressor",
)
"""Estimators whose fit takes no sample_weight."""
NAME_LENGTH = 40
"""Longest name of a ModelDeployment: names of Jobs and pods are made from it and end at 63 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What must hold (CEL over ``self``), and what to do when it does not."""

    rule: str
    message: str
    field_path: str = ""
    """Where the error is shown, below the value that the rule is about."""
    instead_of: frozenset[str] = field(default_factory=frozenset)
    """Schema keywords that say the same in worse words; they are left out where the rule stands."""

    def validation(self) -> dict[str, Any]:
        """Return the rule as an entry of x-kubernetes-validations."""
        shown = {"rule": self.rule, "message": self.message}
        return shown | {"fieldPath": self.field_path} if self.field_path else shown


_IS_SCHEDULE = Rule(
    rule=f"self.matches('{CRON}')",
    message="is no schedule: write minute, hour, day, month and day of the week as cron does: 0 3 * * mon",
    instead_of=frozenset({"pattern"}),
)
_DURATION = "self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$')"
_IS_DURATION = Rule(
    rule=_DURATION,
    message="is not a duration: write 30s, 15m or 1h30m",
    instead_of=frozenset({"pattern"}),
)
_AT_LEAST_A_SECOND = (
    _IS_DURATION,
    Rule(rule=f"!{_DURATION} || duration(self) >= duration('1s')", message="is too short: write 1s or more"),
)
_IS_WINDOW = (
    _IS_DURATION,
    Rule(
        rule=f"!{_DURATION} || (duration(self) >= duration('1m') && duration(self) <= duration('336h'))",
        message="must be from 1m to 336h, which are two weeks",
    ),
)
_URI = (
    "self.matches('^configmap://[a-z0-9.-]+/[A-Za-z0-9._-]+$') || self.matches('^hub://[A-Za-z0-9][A-Za-z0-9._-]{0,127}$')"
    " || self.matches('^pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9._=,+@:%~ /-]*$')"
    " || self.matches('^https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/[!-\"$-~]*$')"
    " || self.matches('^sklearn://')"
)

BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "wine")
"""Data sets of scikit-learn that sklearn:// names."""
_ERRORS = [metric.value for metric in Metric if contract.Metric(metric.value).lower_is_better]
_OF_ONE_CLASS = [metric.value for metric in (Metric.PRECISION, Metric.RECALL, Metric.F1)]
_OF_REGRESSION = [metric.value for metric in Metric if contract.Metric(metric.value).task is Task.REGRESSION]
_REGRESSORS = [estimator.value for estimator in REGRESSORS]
_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})


def fraction_rules(schema: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Return a number's bounds as a rule when one of them is a fraction.

    The API server cuts the keywords' bounds to whole numbers when the value is written as one: it takes 0 for a
    minimum of 0.05 and refuses 0 for a maximum of 0.5.
    """
    lower, upper = schema.get("minimum"), schema.get("maximum")
    if all(bound is None or float(bound).is_integer() for bound in (lower, upper)):
        return ()
    limits = []
    if lower is not None:
        limits.append((">", "above", lower) if schema.get("exclusiveMinimum") else (">=", "at least", lower))
    if upper is not None:
        limits.append(("<", "below", upper) if schema.get("exclusiveMaximum") else ("<=", "at most", upper))
    return (
        Rule(
            rule=" && ".join(f"self {sign} {float(bound)}" for sign, _, bound in limits),
            message="must be " + " and ".join(f"{words} {bound:g}" for _, words, bound in limits),
            instead_of=_BOUNDS,
        ),
    )


FIELD_RULES: Mapping[tuple[type[Struct], str], tuple[Rule, ...]] = {
    (Member, "version"): (
        Rule(
            rule="type(self) == int ? int(self) >= 1 : self == 'Champion'",
            message="write the number of a version, from 1, or Champion",
        ),
    ),
    (Objective, "threshold"): (
        Rule(
            rule="self > 0.0",
            message="must be above 0: write 0.93 for an accuracy, or the largest error that will do",
            instead_of=_BOUNDS,
        ),
    ),
    (TrainData, "uri"): (
        Rule(
            rule=_URI,
            message=(
                "is no data source: write configmap://NAME/KEY, hub://NAME, pvc://CLAIM/PATH, https://HOST/PATH"
                " or sklearn://NAME"
            ),
            instead_of=frozenset({"pattern"}),
        ),
        Rule(
            rule="!self.startsWith('pvc://') || self.split('/').all(part, part != '.' && part != '..')",
            message="the path begins at the top of the claim: leave out . and .. between slashes",
        ),
        Rule(
            rule="!self.matches('^https?://[^/]*@')",
            message="everybody can read this field: put user and password into the Secret of data.credentialsSecretRef",
        ),
        Rule(
            rule=(
                "!self.startsWith('sklearn://') ||"
                f" self.matches('^sklearn://({'|'.join(BUNDLED)})([?]rows=[0-9]{{0,9}}:[0-9]{{0,9}})?$')"
            ),
            message=(
                f"scikit-learn's data sets are {', '.join(BUNDLED[:-1])} and {BUNDLED[-1]},"
                " with or without ?rows=START:STOP"
            ),
        ),
        Rule(
            rule=(
                "!self.matches('[?]rows=[0-9]{1,9}:[0-9]{1,9}$') ||"
                " int(self.split('=')[1].split(':')[0]) < int(self.split('=')[1].split(':')[1])"
            ),
            message="?rows=START:STOP is empty: START must be below STOP",
        ),
    ),
    (WarmStart, "from"): (
        Rule(
            rule=(
                "self == 'Champion' || self.matches('^hub://[A-Za-z0-9][A-Za-z0-9._-]{0,127}$') ||"
                " self.matches('^https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/[!-\"$-~]*$')"
            ),
            message="is nothing to start from: write Champion, hub://NAME or https://HOST/PATH",
            instead_of=frozenset({"pattern"}),
        ),
    ),
    (ImportedModel, "uri"): (
        Rule(
            rule=(
                "self.matches('^hub://[A-Za-z0-9][A-Za-z0-9._-]{0,127}$') ||"
                " self.matches('^https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/[!-\"$-~]*$')"
            ),
            message="is no place of a model: write hub://NAME or https://HOST/PATH",
            instead_of=frozenset({"pattern"}),
        ),
    ),
    (Training, "deadline"): _AT_LEAST_A_SECOND,
    (Training, "pendingDeadline"): _AT_LEAST_A_SECOND,
    (Monitoring, "interval"): _AT_LEAST_A_SECOND,
    (Monitoring, "labelDelay"): (_IS_DURATION,),
    (Offline, "schedule"): (_IS_SCHEDULE,),
    (DriftRules, "window"): _IS_WINDOW,
    (Retraining, "cooldown"): _AT_LEAST_A_SECOND,
    (RetrainingData, "maxAge"): _AT_LEAST_A_SECOND,
    (RetrainingData, "halfLife"): _AT_LEAST_A_SECOND,
    (RetrainingData, "maxShare"): (
        Rule(rule="self > 0.0 && self <= 1.0", message="must be above 0 and at most 1", instead_of=_BOUNDS),
    ),
    (Retraining, "schedule"): (_IS_SCHEDULE,),
    (EnvVar, "name"): (
        Rule(
            rule="!self.startsWith('EVERMODEL_')",
            message="names that begin with EVERMODEL_ are the operator's: choose another",
        ),
    ),
    (PodTemplate, "labels"): (
        Rule(
            rule="self.all(key, !key.startsWith('evermodel.dev/') && !key.startsWith('app.kubernetes.io/'))",
            message="labels under evermodel.dev/ and app.kubernetes.io/ are the operator's: choose another prefix",
        ),
    ),
    (PodTemplate, "annotations"): (
        Rule(
            rule="self.all(key, !key.startsWith('evermodel.dev/'))",
            message="annotations under evermodel.dev/ are the operator's: choose another prefix",
        ),
    ),
}
"""Rules of single fields, by struct and name in YAML."""

_OF_A_CLASS = "['precision', 'recall', 'f1', 'rocAuc', 'prAuc']"
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
_LOSSES = [metric.value for metric in contract.Metric if metric.lower_is_better]
_CONTAINER_RULES = (
    Rule(
        rule="has(self.image) || (has(self.command) && self.command.size() > 0)",
        message="the runtime image does nothing of yours by itself: write the command to run, or name an image",
        field_path=".command",
    ),
)
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
    TrainData: (
        Rule(
            rule="!self.uri.startsWith('http://') || has(self.sha256)",
            message="what comes by http:// can be changed on its way: write https://, or declare the file's sha256",
            field_path=".uri",
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
    Data: (
        Rule(
            rule="!has(self.credentialsSecretRef) || self.train.uri.startsWith('https://')",
            message="credentials are for https:// sources: take them out, or write https://HOST/PATH",
            field_path=".credentialsSecretRef",
        ),
        Rule(
            rule="!has(self.features) || !(self.target in self.features)",
            message="the target is what is predicted: take it out of the features",
            field_path=".features",
        ),
        Rule(
            rule="!has(self.idColumn) || self.idColumn != self.target",
            message="the target cannot name the rows: choose another idColumn",
            field_path=".idColumn",
        ),
        Rule(
            rule="!has(self.idColumn) || !has(self.features) || !(self.idColumn in self.features)",
            message="the idColumn names rows and is not learnt from: take it out of the features",
            field_path=".idColumn",
        ),
    ),
    Member: (
        Rule(
            rule="has(self.estimator) != has(self.version)",
            message="a member is an estimator or an earlier version: declare one of the two",
            field_path=".estimator",
        ),
        Rule(
            rule=(
                "!has(self.version) || !(has(self.parameters)"
                " || (has(self.preprocessing) && self.preprocessing.size() > 0))"
            ),
            message="an earlier version takes part as it is: leave parameters and preprocessing out",
            field_path=".version",
        ),
    ),
    Ensemble: (
        Rule(
            rule="self.type != 'Bagging' || self.members.all(one, !has(one.version))",
            message="a Bagging fits its member many times, and an earlier version stays as it is: choose an estimator",
            field_path=".members",
        ),
        Rule(
            rule="self.type == 'Bagging' ? self.members.size() == 1 : self.members.size() > 1",
            message="a Bagging has one member, fitted on many samples of the rows; Voting and Stacking have several",
            field_path=".members",
        ),
        Rule(
            rule="self.type == 'Voting' || !has(self.voting)",
            message="only a Voting votes: leave voting out, or set the type to Voting",
            field_path=".voting",
        ),
        Rule(
            rule="!has(self.weights) || (self.type == 'Voting' && self.weights.size() == self.members.size())",
            message="members of a Voting have weights, one each: write as many as there are members",
            field_path=".weights",
        ),
        Rule(
            rule="self.type == 'Stacking' || !has(self.finalEstimator)",
            message="only a Stacking has one: leave finalEstimator out, or set the type to Stacking",
            field_path=".finalEstimator",
        ),
        Rule(
            rule="self.type == 'Stacking' || !has(self.folds)",
            message="only a Stacking divides the rows: leave folds out, or set the type to Stacking",
            field_path=".folds",
        ),
        Rule(
            rule="self.type != 'Voting' || !has(self.parameters)",
            message="a Voting has no others: write parameters at its members",
            field_path=".parameters",
        ),
    ),
    Retraining: (
        Rule(
            rule="!has(self.triggers) || !('Schedule' in self.triggers) || has(self.schedule)",
            message="triggers names Schedule: say when, such as 0 3 * * mon",
            field_path=".schedule",
        ),
        Rule(
            rule=(
                "!has(self.schedule) || !has(self.triggers) || self.triggers.size() == 0 || 'Schedule' in self.triggers"
            ),
            message="starts nothing as long as triggers does not name it: write triggers: [Accuracy, Schedule]",
            field_path=".schedule",
        ),
        Rule(
            rule="!has(self.data.halfLife) || !has(self.strategies) || !('Ensemble' in self.strategies)",
            message="Ensemble adds members that cannot weigh rows: leave it out, or data.halfLife",
            field_path=".strategies",
        ),
    ),
    RetrainingData: tuple(
        Rule(
            rule=f"!has(self.{name}) || self.includeFeedback",
            message="is about records of production: set includeFeedback to true, or leave it out",
            field_path=f".{name}",
        )
        for name in ("maxAge", "maxShare", "halfLife")
    ),
    DataFormat: (
        Rule(
            rule=(
                "!has(self.type) || self.type == 'CSV'"
                " || !(has(self.delimiter) || has(self.quote) || has(self.encoding))"
            ),
            message="delimiter, quote and encoding are of CSV: leave them out, or set the type to CSV",
            field_path=".type",
        ),
        Rule(
            rule="!has(self.delimiter) || self.delimiter != (has(self.quote) ? self.quote : '\"')",
            message="the quote cannot stand between values too: choose another delimiter or quote",
            field_path=".delimiter",
        ),
    ),
    WarmStart: (
        Rule(
            rule="self.from != 'Champion' || !has(self.sha256)",
            message="the champion is another one after each promotion: leave sha256 out",
            field_path=".sha256",
        ),
        Rule(
            rule="self.from == 'Champion' || has(self.sha256)",
            message="a file may change: write its digest, as sha256sum prints it",
            field_path=".sha256",
        ),
    ),
    Container: _CONTAINER_RULES,
    CustomMetric: (
        *_CONTAINER_RULES,
        Rule(
            rule=f"!(self.name in {[metric.value for metric in contract.Metric]})",
            message="is a metric that is always measured: give your own another name",
            field_path=".name",
        ),
    ),
    Training: (
        Rule(
            rule=(
                "!has(self.container) || !(has(self.epochs) || has(self.warmStart) || has(self.search)"
                " || (has(self.preprocessing) && self.preprocessing.size() > 0))"
            ),
            message=(
                "a container takes the columns as they are and fits by itself: leave preprocessing, epochs, warmStart "
                "and search out"
            ),
            field_path=".container",
        ),
        Rule(
            rule="!has(self.ensemble) || !has(self.parameters)",
            message="these are an estimator's: write them at the ensemble's members, or at the ensemble",
            field_path=".parameters",
        ),
        Rule(
            rule="!has(self.ensemble) || !has(self.epochs)",
            message="members of an ensemble learn at once: leave epochs out",
            field_path=".epochs",
        ),
        Rule(
            rule=f"!has(self.epochs) || !has(self.estimator) || self.estimator in {list(IN_EPOCHS)}",
            message=(
                f"only {', '.join(IN_EPOCHS[:-1])} and {IN_EPOCHS[-1]} learn in passes over the rows: "
                "leave epochs out, or choose one of them"
            ),
            field_path=".epochs",
        ),
        Rule(
            rule=(
                "!has(self.warmStart) || self.warmStart.mode != 'Continue' || !has(self.estimator)"
                f" || self.estimator in {list(GOING_ON)}"
            ),
            message=(
                f"only {', '.join(GOING_ON[:-1])} and {GOING_ON[-1]} can learn on from where they are: choose one of "
                "them, or another mode"
            ),
            field_path=".warmStart.mode",
        ),
        Rule(
            rule=(
                "!has(self.warmStart) || self.warmStart.mode != 'Grow' || !has(self.estimator)"
                f" || self.estimator in {list(GROWING)}"
            ),
            message=(
                f"only {', '.join(GROWING[:-1])} and {GROWING[-1]} can be made larger: choose one of them, or another "
                "mode"
            ),
            field_path=".warmStart.mode",
        ),
        Rule(
            rule=(
                "!has(self.warmStart) || self.warmStart.mode != 'Features'"
                " || !has(self.preprocessing) || self.preprocessing.size() == 0"
            ),
            message="the features come from the model that it starts from: leave preprocessing out",
            field_path=".preprocessing",
        ),
        Rule(
            rule="!has(self.search) || !has(self.ensemble) || self.ensemble.members.all(one, !has(one.version))",
            message="members that are earlier versions stay as they are, in no fold of a search: leave search out",
            field_path=".search",
        ),
        Rule(
            rule="!has(self.warmStart) || !has(self.ensemble)",
            message="an ensemble is fitted anew: leave warmStart out, or declare an estimator",
            field_path=".warmStart",
        ),
        Rule(
            rule="!has(self.warmStart) || !has(self.search)",
            message="a search fits anew with each setting: leave search or warmStart out",
            field_path=".search",
        ),
    ),
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
        Rule(
            rule=(
                "!has(self.evaluation.slices) || !self.evaluation.slices.exists(one, one.column == self.data.target)"
            ),
            message="the target is what is predicted: tell rows apart by another column",
            field_path=".evaluation.slices",
        ),
    ),
}
"""Rules that compare fields of one struct."""

NAME_RULES = (
    Rule(
        rule=f"self.metadata.name.size() <= {NAME_LENGTH}",
        message=f"names of Jobs and pods are made from it: write {NAME_LENGTH} characters or fewer",
        field_path=".metadata.name",
    ),
    Rule(
        rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        message="a Service is named after it: write a-z, 0-9 and -, beginning with a letter, as in fraud-scoring",
        field_path=".metadata.name",
    ),
    Rule(
        rule="self.metadata.name != 'evermodel-hub'",
        message="the namespace's hub has this name: choose another",
        field_path=".metadata.name",
    ),
)
"""Rules of a ModelDeployment's name."""

RECORD_RULES: Mapping[type[Struct], tuple[Rule, ...]] = {
    ModelVersionSpec: (
        Rule(
            rule="self == oldSelf",
            message="a ModelVersion records one run and never changes: change its ModelDeployment instead",
        ),
    ),
}
"""Rules of ModelVersions. They record what was admitted before, so that no rule but this one applies to them."""
