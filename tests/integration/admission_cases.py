"""Mistakes that people make, where the API server points, and what it tells them to do."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any

from evermodel.api import API_VERSION

MINIMAL: Mapping[str, Any] = {
    "objective": {"threshold": 0.9},
    "data": {"train": {"uri": "sklearn://iris"}, "target": "target"},
    "training": {"estimator": "LogisticRegression"},
}
TREE: Mapping[str, Any] = {"name": "tree", "estimator": "DecisionTreeClassifier"}
BAYES: Mapping[str, Any] = {"name": "bayes", "estimator": "GaussianNB"}
NEAR: Mapping[str, Any] = {"name": "near", "estimator": "KNeighborsClassifier"}
OLD: Mapping[str, Any] = {"name": "old", "version": "Champion"}
MODEL = {"uri": "hub://one", "sha256": "0" * 64}
CONTINUE = {"from": "Champion", "mode": "Continue"}
Value = Mapping[str, Any] | list[Any] | str | float | bool | EllipsisType | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A valid object with one or two things changed, and the answer."""

    what: str
    spec: Mapping[str, Value] = field(default_factory=dict)
    """Values by dotted path below spec; ... takes the field away."""
    at: str
    """Path in the answer."""
    says: str
    name: str = "iris"


def model(name: str = "iris", changes: Mapping[str, Value] | None = None) -> dict[str, Any]:
    """Return the smallest ModelDeployment with some fields changed."""
    spec = copy.deepcopy(dict(MINIMAL))
    for path, value in (changes or {}).items():
        *parents, last = path.split(".")
        place = spec
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return {"apiVersion": API_VERSION, "kind": "ModelDeployment", "metadata": {"name": name}, "spec": spec}


def version(name: str, **changes: Any) -> dict[str, Any]:
    """Return a ModelVersion as the operator writes it."""
    spec = {
        "number": 1,
        "trigger": {"reason": "FirstVersion", "message": "There is no version yet."},
        "trainingHash": "1:0123456789abcdef",
        "image": "runtime:1",
        "data": MINIMAL["data"],
        "training": MINIMAL["training"],
    }
    return {"apiVersion": API_VERSION, "kind": "ModelVersion", "metadata": {"name": name}, "spec": spec | changes}


FRACTION = "accuracy, precision, recall and f1 are fractions between 0 and 1: write 0.93, not 93"
NO_SOURCE = "is no data source: write configmap://NAME/KEY, hub://NAME, pvc://CLAIM/PATH, https://HOST/PATH or"
NO_DURATION = "is not a duration: write 30s, 15m or 1h30m"
TOO_SHORT = "is too short: write 1s or more"
OWN_LABELS = "labels under evermodel.dev/ and app.kubernetes.io/ are the operator's: choose another prefix"
OWN_VARIABLES = "names that begin with EVERMODEL_ are the operator's: choose another"
BUNDLED = (
    "scikit-learn's data sets are breast_cancer, diabetes, digits, iris and wine, with or without ?rows=START:STOP"
)

REGRESSION: dict[str, Value] = {
    "task": "Regression",
    "objective.metric": "rmse",
    "objective.threshold": 60,
    "data.train.uri": "sklearn://diabetes",
    "training.estimator": "Ridge",
}
"""What makes the smallest ModelDeployment one that predicts numbers."""
NUMBERS = {path: value for path, value in REGRESSION.items() if path != "training.estimator"}
RIDGE = {"name": "ridge", "estimator": "Ridge"}
LOGISTIC = {"name": "logistic", "estimator": "LogisticRegression"}
ONE_MAKER = "Declare an estimator, an ensemble of several, or a container: one of them"

MISTAKES = (
    Mistake(what="a percentage", spec={"objective.threshold": 93}, at="spec.objective.threshold", says=FRACTION),
    Mistake(what="threshold 1", spec={"objective.threshold": 1.0}, at="spec.objective.threshold", says=FRACTION),
    Mistake(
        what="threshold 0",
        spec={"objective.threshold": 0},
        at="spec.objective.threshold",
        says="must be above 0: write 0.93 for an accuracy, or the largest error that will do",
    ),
    Mistake(
        what="a threshold in words",
        spec={"objective.threshold": "high"},
        at="spec.objective.threshold",
        says="must be of type number",
    ),
    Mistake(what="no threshold", spec={"objective": {}}, at="spec.objective.threshold", says="Required value"),
    Mistake(
        what="a recall in percent",
        spec={"objective": {"metric": "recall", "positiveClass": "1", "threshold": 80}},
        at="spec.objective.threshold",
        says=FRACTION,
    ),
    *(
        Mistake(
            what=f"{metric} of no class",
            spec={"objective.metric": metric},
            at="spec.objective.positiveClass",
            says="precision, recall and f1 are of one class: name it, as the target spells it",
        )
        for metric in ("precision", "recall", "f1")
    ),
    Mistake(
        what="a class of the objective accuracy",
        spec={"objective.positiveClass": "1"},
        at="spec.objective.positiveClass",
        says="is for precision, recall and f1, which are of one class: leave it out",
    ),
    Mistake(
        what="a class of an error",
        spec=REGRESSION | {"objective.positiveClass": "1"},
        at="spec.objective.positiveClass",
        says="is for precision, recall and f1, which are of one class: leave it out",
    ),
    Mistake(
        what="recall of numbers",
        spec=REGRESSION | {"objective": {"metric": "recall", "positiveClass": "1", "threshold": 0.8}},
        at="spec.objective.metric",
        says="is about classes: choose rmse, mae or mape for Regression",
    ),
    Mistake(
        what="a class without a name",
        spec={"objective.metric": "f1", "objective.positiveClass": ""},
        at="spec.objective.positiveClass",
        says="should be at least 1 chars long",
    ),
    Mistake(
        what="an objective that nothing can watch",
        spec={"objective.metric": "rocAuc"},
        at="spec.objective.metric",
        says='supported values: "accuracy"',
    ),
    Mistake(
        what="a metric of later",
        spec={"objective.metric": "r2"},
        at="spec.objective.metric",
        says='supported values: "accuracy"',
    ),
    Mistake(
        what="a metric of numbers for classes",
        spec={"objective.metric": "rmse"},
        at="spec.objective.metric",
        says="is about numbers: set spec.task to Regression, or choose a metric of classes such as accuracy",
    ),
    Mistake(
        what="a metric of classes for numbers",
        spec=REGRESSION | {"objective.metric": "accuracy"},
        at="spec.objective.metric",
        says="is about classes: choose rmse, mae or mape for Regression",
    ),
    Mistake(
        what="an error of 0",
        spec=REGRESSION | {"objective.threshold": 0},
        at="spec.objective.threshold",
        says="must be above 0",
    ),
    Mistake(
        what="a regressor for classes",
        spec={"training.estimator": "Ridge"},
        at="spec.training.estimator",
        says="is a regressor: set spec.task to Regression, or choose a classifier",
    ),
    Mistake(
        what="a classifier for numbers",
        spec=REGRESSION | {"training.estimator": "SVC"},
        at="spec.training.estimator",
        says="is a classifier: choose a regressor for the task Regression",
    ),
    Mistake(
        what="a classifier among regressors",
        spec=NUMBERS | {"training": {"ensemble": {"type": "Voting", "members": [RIDGE, LOGISTIC]}}},
        at="spec.training.ensemble.members",
        says="has a member of another task: choose classifiers for Classification, regressors for Regression",
    ),
    Mistake(
        what="a classifier that learns from regressors",
        spec=NUMBERS
        | {
            "training": {
                "ensemble": {
                    "type": "Stacking",
                    "members": [RIDGE, RIDGE | {"name": "other"}],
                    "finalEstimator": {"estimator": "LogisticRegression"},
                }
            }
        },
        at="spec.training.ensemble.finalEstimator",
        says="is of another task: choose a classifier for Classification, a regressor for Regression",
    ),
    Mistake(
        what="regressors that vote",
        spec=NUMBERS
        | {
            "training": {
                "ensemble": {"type": "Voting", "voting": "hard", "members": [RIDGE, RIDGE | {"name": "other"}]}
            }
        },
        at="spec.training.ensemble.voting",
        says="regressors have no classes to vote for, their mean is taken: leave voting out",
    ),
    Mistake(
        what="a task of later",
        spec={"task": "Clustering"},
        at="spec.task",
        says='supported values: "Classification", "Regression"',
    ),
    Mistake(
        what="an unknown estimator",
        spec={"training.estimator": "XGBClassifier"},
        at="spec.training.estimator",
        says='Unsupported value: "XGBClassifier": supported values: "AdaBoostClassifier"',
    ),
    Mistake(
        what="an estimator and a container",
        spec={"training.container": {"image": "own:1"}},
        at="spec.training",
        says=ONE_MAKER,
    ),
    Mistake(
        what="a container that runs nothing",
        spec={"training": {"container": {"args": ["train.py"]}}},
        at="spec.training.container.command",
        says="the runtime image does nothing of yours by itself: write the command to run, or name an image",
    ),
    Mistake(
        what="steps before a container",
        spec={
            "training": {
                "container": {"image": "own:1"},
                "preprocessing": [{"transformer": "StandardScaler", "columns": ["a"]}],
            }
        },
        at="spec.training.container",
        says="leave preprocessing, epochs, warmStart and search out",
    ),
    Mistake(
        what="a search around a container",
        spec={"training": {"container": {"image": "own:1"}, "search": {"parameters": {"a": [1, 2]}}}},
        at="spec.training.container",
        says="leave preprocessing, epochs, warmStart and search out",
    ),
    Mistake(
        what="a variable of the operator in a container",
        spec={"training": {"container": {"image": "own:1", "env": [{"name": "EVERMODEL_INPUT", "value": "/"}]}}},
        at="spec.training.container.env[0].name",
        says=OWN_VARIABLES,
    ),
    Mistake(
        what="an unknown transformer",
        spec={"training.preprocessing": [{"transformer": "FunctionTransformer", "columns": ["a"]}]},
        at="spec.training.preprocessing[0].transformer",
        says='supported values: "Binarizer", "CountVectorizer", "DateParts"',
    ),
    Mistake(
        what="a transformer of no column",
        spec={"training.preprocessing": [{"transformer": "StandardScaler", "columns": []}]},
        at="spec.training.preprocessing[0].columns",
        says="should have at least 1 items",
    ),
    Mistake(
        what="the target transformed",
        spec={"training.preprocessing": [{"transformer": "OneHotEncoder", "columns": ["a", "target"]}]},
        at="spec.training.preprocessing",
        says="the target is what is predicted: no step may transform it",
    ),
    Mistake(
        what="a constraint in percent",
        spec={"evaluation.constraints": [{"metric": "recall", "threshold": 80}]},
        at="spec.evaluation.constraints[0].threshold",
        says="is of a metric whose best value is 1: write 0.93, not 93",
    ),
    Mistake(
        what="a loss of 0",
        spec={"evaluation.constraints": [{"metric": "logLoss", "threshold": 0}]},
        at="spec.evaluation.constraints[0].threshold",
        says="is of a metric whose best value is 0",
    ),
    Mistake(
        what="a class of accuracy",
        spec={"evaluation.metrics": [{"metric": "accuracy", "positiveClass": "fraud"}]},
        at="spec.evaluation.metrics[0].positiveClass",
        says="is for precision, recall, f1, rocAuc and prAuc: leave it out",
    ),
    Mistake(
        what="an average of areas",
        spec={"evaluation.metrics": [{"metric": "rocAuc", "average": "weighted"}]},
        at="spec.evaluation.metrics[0].average",
        says="is for precision, recall and f1",
    ),
    Mistake(
        what="an average of one class",
        spec={"evaluation.constraints": [{"metric": "f1", "average": "macro", "positiveClass": "1", "threshold": 0.5}]},
        at="spec.evaluation.constraints[0].average",
        says="the metric of one class needs no average: leave one of both out",
    ),
    Mistake(
        what="a custom metric that runs nothing",
        spec={"evaluation.customMetrics": [{"name": "cost", "direction": "Minimize"}]},
        at="spec.evaluation.customMetrics[0].command",
        says="write the command to run, or name an image",
    ),
    Mistake(
        what="a custom metric without a direction",
        spec={"evaluation.customMetrics": [{"name": "cost", "image": "cost:1"}]},
        at="spec.evaluation.customMetrics[0].direction",
        says="Required value",
    ),
    Mistake(
        what="a custom metric with the name of another",
        spec={"evaluation.customMetrics": [{"name": "accuracy", "direction": "Maximize", "image": "cost:1"}]},
        at="spec.evaluation.customMetrics[0].name",
        says="is a metric that is always measured: give your own another name",
    ),
    Mistake(
        what="a custom metric whose name is a path",
        spec={"evaluation.customMetrics": [{"name": "../cost", "direction": "Maximize", "image": "cost:1"}]},
        at="spec.evaluation.customMetrics[0].name",
        says="should match",
    ),
    Mistake(
        what="a custom metric twice",
        spec={"evaluation.customMetrics": [{"name": "cost", "direction": "Maximize", "image": "cost:1"}] * 2},
        at="spec.evaluation.customMetrics[1]",
        says="Duplicate value",
    ),
    Mistake(
        what="a metric of numbers",
        spec={"evaluation.constraints": [{"metric": "rmse", "threshold": 3}]},
        at="spec.evaluation.constraints",
        says="rmse, mae, mape and r2 are of numbers",
    ),
    Mistake(
        what="a metric of classes for numbers",
        spec={
            "task": "Regression",
            "objective": {"metric": "rmse", "threshold": 60},
            "training.estimator": "Ridge",
            "evaluation.metrics": [{"metric": "f1"}],
        },
        at="spec.evaluation.metrics",
        says="is measured by metrics of numbers: choose rmse, mae, mape or r2",
    ),
    Mistake(
        what="a slice by the target",
        spec={"evaluation.slices": [{"column": "target"}]},
        at="spec.evaluation.slices",
        says="the target is what is predicted: tell rows apart by another column",
    ),
    Mistake(
        what="a column sliced twice",
        spec={"evaluation.slices": [{"column": "a"}, {"column": "a", "bins": 2}]},
        at="spec.evaluation.slices[1]",
        says="Duplicate value",
    ),
    Mistake(
        what="parameters that are a list",
        spec={"training.parameters": [1, 2]},
        at="spec.training.parameters",
        says="must be of type object",
    ),
    Mistake(what="no source", spec={"data.train.uri": ""}, at="spec.data.train.uri", says=NO_SOURCE),
    Mistake(what="a claim alone", spec={"data.train.uri": "pvc://data"}, at="spec.data.train.uri", says=NO_SOURCE),
    Mistake(
        what="a way out of a claim",
        spec={"data.train.uri": "pvc://data/train/../../x"},
        at="spec.data.train.uri",
        says="the path begins at the top of the claim: leave out . and .. between slashes",
    ),
    Mistake(what="a host alone", spec={"data.train.uri": "https://x.y"}, at="spec.data.train.uri", says=NO_SOURCE),
    Mistake(what="a blank", spec={"data.train.uri": "https://x.y/a b"}, at="spec.data.train.uri", says=NO_SOURCE),
    Mistake(
        what="a password that everybody can read",
        spec={"data.train.uri": "https://me:secret@x.y/z"},
        at="spec.data.train.uri",
        says="put user and password into the Secret of data.credentialsSecretRef",
    ),
    Mistake(
        what="a file that may be changed on its way",
        spec={"data.train.uri": "http://x.y/z"},
        at="spec.data.train.uri",
        says="write https://, or declare the file's sha256",
    ),
    Mistake(
        what="credentials for nobody",
        spec={"data.credentialsSecretRef": {"name": "warehouse"}},
        at="spec.data.credentialsSecretRef",
        says="credentials are for https:// sources",
    ),
    Mistake(what="no key", spec={"data.train.uri": "configmap://data"}, at="spec.data.train.uri", says=NO_SOURCE),
    Mistake(what="a folder up", spec={"data.train.uri": "hub://../x"}, at="spec.data.train.uri", says=NO_SOURCE),
    Mistake(what="no such set", spec={"data.train.uri": "sklearn://mnist"}, at="spec.data.train.uri", says=BUNDLED),
    Mistake(
        what="rows in words", spec={"data.train.uri": "sklearn://iris?rows=all"}, at="spec.data.train.uri", says=BUNDLED
    ),
    Mistake(
        what="rows that end before they start",
        spec={"data.train.uri": "sklearn://digits?rows=500:100"},
        at="spec.data.train.uri",
        says="?rows=START:STOP is empty: START must be below STOP",
    ),
    Mistake(
        what="a digest that is none",
        spec={"data.train.sha256": "abc"},
        at="spec.data.train.sha256",
        says="should match '^[0-9a-f]{64}$'",
    ),
    Mistake(
        what="a format of later",
        spec={"data.format": {"type": "Excel"}},
        at="spec.data.format.type",
        says='supported values: "CSV", "Parquet", "JSONLines", "Arrow"',
    ),
    Mistake(
        what="a delimiter of two characters",
        spec={"data.format": {"delimiter": "||"}},
        at="spec.data.format.delimiter",
        says="may not be more than 1",
    ),
    Mistake(
        what="a delimiter of Parquet",
        spec={"data.format": {"type": "Parquet", "delimiter": ";"}},
        at="spec.data.format.type",
        says="delimiter, quote and encoding are of CSV: leave them out, or set the type to CSV",
    ),
    Mistake(
        what="one character for delimiter and quote",
        spec={"data.format": {"delimiter": "'", "quote": "'"}},
        at="spec.data.format.delimiter",
        says="the quote cannot stand between values too: choose another delimiter or quote",
    ),
    Mistake(
        what="epochs of an estimator that learns at once",
        spec={"training.epochs": {"max": 10}},
        at="spec.training.epochs",
        says="SGDRegressor learn in passes over the rows: leave epochs out, or choose one of them",
    ),
    Mistake(
        what="neither an estimator nor a model",
        spec={"training": ...},
        at="spec.training",
        says="or import a model in spec.model",
    ),
    Mistake(
        what="a model, an estimator and an ensemble",
        spec={"model": MODEL, "training.ensemble": {"type": "Bagging", "members": [TREE]}},
        at="spec.training",
        says="what is to be trained?",
    ),
    Mistake(
        what="a model in a bucket",
        spec={"model": MODEL | {"uri": "s3://models/one"}},
        at="spec.model.uri",
        says="is no place of a model: write hub://NAME or https://HOST/PATH",
    ),
    Mistake(
        what="a model of any content",
        spec={"model": {"uri": "hub://one"}},
        at="spec.model.sha256",
        says="Required value",
    ),
    Mistake(
        what="a forest that learns on",
        spec={"training": {"estimator": "RandomForestClassifier", "warmStart": CONTINUE}},
        at="spec.training.warmStart.mode",
        says="can learn on from where they are: choose one of them, or another mode",
    ),
    Mistake(
        what="a tree that grows",
        spec={"training": {"estimator": "DecisionTreeClassifier", "warmStart": CONTINUE | {"mode": "Grow"}}},
        at="spec.training.warmStart.mode",
        says="can be made larger: choose one of them, or another mode",
    ),
    Mistake(
        what="features and steps of one's own",
        spec={
            "training.warmStart": CONTINUE | {"mode": "Features"},
            "training.preprocessing": [{"transformer": "StandardScaler", "columns": ["*"]}],
        },
        at="spec.training.preprocessing",
        says="the features come from the model that it starts from: leave preprocessing out",
    ),
    Mistake(
        what="an ensemble that starts from a model",
        spec={"training": {"ensemble": {"type": "Bagging", "members": [TREE]}, "warmStart": CONTINUE}},
        at="spec.training.warmStart",
        says="an ensemble is fitted anew: leave warmStart out, or declare an estimator",
    ),
    Mistake(
        what="a search that starts from a model",
        spec={
            "training.warmStart": CONTINUE | {"mode": "Features"},
            "training.search": {"parameters": {"C": [1, 10]}},
        },
        at="spec.training.search",
        says="a search fits anew with each setting: leave search or warmStart out",
    ),
    Mistake(
        what="a start from a bucket",
        spec={"training.warmStart": {"mode": "Features", "from": "s3://models/one"}},
        at="spec.training.warmStart.from",
        says="is nothing to start from: write Champion, hub://NAME or https://HOST/PATH",
    ),
    Mistake(
        what="a start from a file of any content",
        spec={"training.warmStart": {"mode": "Features", "from": "hub://one"}},
        at="spec.training.warmStart.sha256",
        says="a file may change: write its digest, as sha256sum prints it",
    ),
    Mistake(
        what="a champion of one content",
        spec={"training.warmStart": {"mode": "Features", "from": "Champion", "sha256": "0" * 64}},
        at="spec.training.warmStart.sha256",
        says="the champion is another one after each promotion: leave sha256 out",
    ),
    Mistake(
        what="all rows kept apart",
        spec={"training": {"estimator": "MLPClassifier", "epochs": {"max": 10, "validationFraction": 1}}},
        at="spec.training.epochs.validationFraction",
        says="must be at least 0.05 and at most 0.5",
    ),
    Mistake(
        what="a search for nothing",
        spec={"training.search": {"parameters": {}}},
        at="spec.training.search.parameters",
        says="should have at least 1 properties",
    ),
    Mistake(
        what="an algorithm of another library",
        spec={"training.search": {"parameters": {"C": [1]}, "algorithm": "Bayes"}},
        at="spec.training.search.algorithm",
        says='supported values: "Grid", "Random", "SuccessiveHalving", "TPE"',
    ),
    Mistake(
        what="more pods than trials",
        spec={"training.search": {"parameters": {"C": [1, 2]}, "maxTrials": 2, "parallelism": 3}},
        at="spec.training.search.parallelism",
        says="a trial is made by one pod: lower parallelism to maxTrials, or raise maxTrials",
    ),
    Mistake(
        what="a crowd of pods",
        spec={"training.search": {"parameters": {"C": [1]}, "parallelism": 17}},
        at="spec.training.search.parallelism",
        says="should be less than or equal to 16",
    ),
    Mistake(
        what="one fold",
        spec={"training.search": {"parameters": {"C": [1]}, "folds": 1}},
        at="spec.training.search.folds",
        says="should be greater than or equal to 2",
    ),
    Mistake(
        what="an estimator and an ensemble",
        spec={"training.ensemble": {"type": "Bagging", "members": [TREE]}},
        at="spec.training",
        says=ONE_MAKER,
    ),
    Mistake(
        what="neither an estimator nor an ensemble",
        spec={"training": {}},
        at="spec.training",
        says=ONE_MAKER,
    ),
    Mistake(
        what="parameters of an ensemble at the wrong place",
        spec={"training": {"parameters": {"C": 1}, "ensemble": {"type": "Bagging", "members": [TREE]}}},
        at="spec.training.parameters",
        says="write them at the ensemble's members",
    ),
    Mistake(
        what="a vote of one",
        spec={"training": {"ensemble": {"type": "Voting", "members": [TREE]}}},
        at="spec.training.ensemble.members",
        says="a Bagging has one member, fitted on many samples of the rows; Voting and Stacking have several",
    ),
    Mistake(
        what="a member that is an estimator and a version",
        spec={"training": {"ensemble": {"type": "Voting", "members": [TREE, {**BAYES, "version": 1}]}}},
        at="spec.training.ensemble.members[1].estimator",
        says="a member is an estimator or an earlier version: declare one of the two",
    ),
    Mistake(
        what="a member that is nothing",
        spec={"training": {"ensemble": {"type": "Voting", "members": [TREE, {"name": "old"}]}}},
        at="spec.training.ensemble.members[1].estimator",
        says="a member is an estimator or an earlier version: declare one of the two",
    ),
    Mistake(
        what="parameters of an earlier version",
        spec={"training": {"ensemble": {"type": "Voting", "members": [TREE, {**OLD, "parameters": {"C": 1}}]}}},
        at="spec.training.ensemble.members[1].version",
        says="an earlier version takes part as it is: leave parameters and preprocessing out",
    ),
    Mistake(
        what="version 0 as a member",
        spec={"training": {"ensemble": {"type": "Voting", "members": [TREE, {**OLD, "version": 0}]}}},
        at="spec.training.ensemble.members[1].version",
        says="write the number of a version, from 1, or Champion",
    ),
    Mistake(
        what="a version by another word",
        spec={"training": {"ensemble": {"type": "Voting", "members": [TREE, {**OLD, "version": "latest"}]}}},
        at="spec.training.ensemble.members[1].version",
        says="write the number of a version, from 1, or Champion",
    ),
    Mistake(
        what="many samples for an earlier version",
        spec={"training": {"ensemble": {"type": "Bagging", "members": [OLD]}}},
        at="spec.training.ensemble.members",
        says="a Bagging fits its member many times, and an earlier version stays as it is: choose an estimator",
    ),
    Mistake(
        what="a search around an earlier version",
        spec={
            "training": {
                "ensemble": {"type": "Voting", "members": [TREE, OLD]},
                "search": {"parameters": {"tree__max_depth": [1, 2]}},
            }
        },
        at="spec.training.search",
        says="members that are earlier versions stay as they are, in no fold of a search: leave search out",
    ),
    Mistake(
        what="two members of one name",
        spec={"training": {"ensemble": {"type": "Voting", "members": [TREE, TREE]}}},
        at="spec.training.ensemble.members[1]",
        says="Duplicate value",
    ),
    Mistake(
        what="too few weights",
        spec={"training": {"ensemble": {"type": "Voting", "weights": [1], "members": [TREE, BAYES]}}},
        at="spec.training.ensemble.weights",
        says="one each: write as many as there are members",
    ),
    Mistake(
        what="a stacking that votes",
        spec={"training": {"ensemble": {"type": "Stacking", "voting": "soft", "members": [TREE, BAYES]}}},
        at="spec.training.ensemble.voting",
        says="only a Voting votes",
    ),
    Mistake(
        what="a final estimator of a vote",
        spec={
            "training": {
                "ensemble": {"type": "Voting", "finalEstimator": {"estimator": "SVC"}, "members": [TREE, BAYES]}
            }
        },
        at="spec.training.ensemble.finalEstimator",
        says="only a Stacking has one",
    ),
    Mistake(
        what="folds of a vote",
        spec={"training": {"ensemble": {"type": "Voting", "folds": 3, "members": [TREE, BAYES]}}},
        at="spec.training.ensemble.folds",
        says="only a Stacking divides the rows",
    ),
    Mistake(
        what="parameters of a vote",
        spec={"training": {"ensemble": {"type": "Voting", "parameters": {"n_jobs": 2}, "members": [TREE, BAYES]}}},
        at="spec.training.ensemble.parameters",
        says="write parameters at its members",
    ),
    Mistake(
        what="epochs of an ensemble",
        spec={"training": {"epochs": {"max": 5}, "ensemble": {"type": "Voting", "members": [TREE, BAYES]}}},
        at="spec.training.epochs",
        says="members of an ensemble learn at once: leave epochs out",
    ),
    Mistake(
        what="a member whose name is no word",
        spec={"training": {"ensemble": {"type": "Bagging", "members": [{**TREE, "name": "a__b"}]}}},
        at="spec.training.ensemble.members[0].name",
        says="should match",
    ),
    Mistake(
        what="a strategy twice",
        spec={"retraining.strategies": ["Refit", "Refit"]},
        at="spec.retraining.strategies[1]",
        says="Duplicate value",
    ),
    Mistake(
        what="no such strategy",
        spec={"retraining.strategies": ["Retry"]},
        at="spec.retraining.strategies[0]",
        says='supported values: "Refit", "Tune", "Ensemble"',
    ),
    Mistake(what="no target", spec={"data.target": ...}, at="spec.data.target", says="Required value"),
    Mistake(
        what="learning from the target",
        spec={"data.features": ["a", "target"]},
        at="spec.data.features",
        says="the target is what is predicted: take it out of the features",
    ),
    Mistake(
        what="a feature twice",
        spec={"data.features": ["a", "b", "a"]},
        at="spec.data.features[2]",
        says='Duplicate value: "a"',
    ),
    Mistake(
        what="rows named by the target",
        spec={"data.idColumn": "target"},
        at="spec.data.idColumn",
        says="the target cannot name the rows: choose another idColumn",
    ),
    Mistake(
        what="learning from the rows' names",
        spec={"data.idColumn": "id", "data.features": ["id", "a"]},
        at="spec.data.idColumn",
        says="the idColumn names rows and is not learnt from: take it out of the features",
    ),
    Mistake(
        what="nothing held out",
        spec={"data.holdout.fraction": 0},
        at="spec.data.holdout.fraction",
        says="must be at least 0.05 and at most 0.5",
    ),
    Mistake(
        what="no confidence, as a whole number",
        spec={"evaluation.improvement": {"confidence": 0}},
        at="spec.evaluation.improvement.confidence",
        says="must be at least 0.5 and below 1",
    ),
    Mistake(
        what="too tolerant",
        spec={"monitoring.tolerance": 0.5},
        at="spec.monitoring.tolerance",
        says="must be at least 0 and below 0.5",
    ),
    Mistake(
        what="a number for a duration",
        spec={"monitoring.interval": 30},
        at="spec.monitoring.interval",
        says="must be of type string",
    ),
    Mistake(what="no unit", spec={"monitoring.interval": "30"}, at="spec.monitoring.interval", says=NO_DURATION),
    Mistake(what="days", spec={"retraining.cooldown": "1d"}, at="spec.retraining.cooldown", says=NO_DURATION),
    Mistake(what="a negative time", spec={"training.deadline": "-5m"}, at="spec.training.deadline", says=NO_DURATION),
    Mistake(
        what="delay in words", spec={"monitoring.labelDelay": "soon"}, at="spec.monitoring.labelDelay", says=NO_DURATION
    ),
    Mistake(what="no time", spec={"training.deadline": "0s"}, at="spec.training.deadline", says=TOO_SHORT),
    Mistake(
        what="no time to start",
        spec={"training.pendingDeadline": "500ms"},
        at="spec.training.pendingDeadline",
        says=TOO_SHORT,
    ),
    Mistake(
        what="asking too often", spec={"monitoring.interval": "10ms"}, at="spec.monitoring.interval", says=TOO_SHORT
    ),
    Mistake(
        what="a tolerance above the threshold",
        spec={"objective.threshold": 0.3, "monitoring.tolerance": 0.4},
        at="spec.monitoring.tolerance",
        says="must be below objective.threshold",
    ),
    Mistake(
        what="a name of 41 characters",
        name="m" * 41,
        at="metadata.name",
        says="write 40 characters or fewer",
    ),
    Mistake(what="a name that begins with a digit", name="7digits", at="metadata.name", says="beginning with a letter"),
    Mistake(
        what="the hub's name",
        name="evermodel-hub",
        at="metadata.name",
        says="the namespace's hub has this name: choose another",
    ),
    Mistake(what="a name with a dot", name="fraud.v2", at="metadata.name", says="write a-z, 0-9 and -"),
    Mistake(
        what="a variable of the operator",
        spec={"training.template.env": [{"name": "EVERMODEL_TOKEN", "value": "x"}]},
        at="spec.training.template.env[0].name",
        says=OWN_VARIABLES,
    ),
    Mistake(
        what="gRPC at the port of HTTP",
        spec={"serving.grpc": {"port": 80}},
        at="spec.serving.grpc.port",
        says="should be greater than or equal to 1024",
    ),
    Mistake(
        what="a variable twice",
        spec={"serving.template.env": [{"name": "A"}, {"name": "A"}]},
        at="spec.serving.template.env[1]",
        says='Duplicate value: {"name":"A"}',
    ),
    Mistake(
        what="a label of the operator",
        spec={"serving.template.labels": {"evermodel.dev/model": "x"}},
        at="spec.serving.template.labels",
        says=OWN_LABELS,
    ),
    Mistake(
        what="a label of the application",
        spec={"training.template.labels": {"app.kubernetes.io/name": "x"}},
        at="spec.training.template.labels",
        says=OWN_LABELS,
    ),
    Mistake(
        what="an annotation of the operator",
        spec={"serving.template.annotations": {"evermodel.dev/applied": "x"}},
        at="spec.serving.template.annotations",
        says="annotations under evermodel.dev/ are the operator's: choose another prefix",
    ),
    Mistake(
        what="a label's value with a blank",
        spec={"serving.template.labels": {"team": "fraud scoring"}},
        at="spec.serving.template.labels.team",
        says="should match",
    ),
    Mistake(
        what="an unknown effect of a taint",
        spec={"training.template.tolerations": [{"key": "gpu", "effect": "Never"}]},
        at="spec.training.template.tolerations[0].effect",
        says='supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ),
    Mistake(
        what="memory in words",
        spec={"training.template.resources.requests": {"memory": "lots"}},
        at="spec.training.template.resources.requests.memory",
        says="should match",
    ),
    Mistake(
        what="version 0",
        spec={"version": 0},
        at="spec.version",
        says="should be greater than or equal to 1",
    ),
    Mistake(
        what="too many replicas",
        spec={"serving.replicas": 1001},
        at="spec.serving.replicas",
        says="should be less than or equal to 1000",
    ),
    Mistake(
        what="replicas and autoscaling together",
        spec={"serving.replicas": 1, "serving.autoscaling": {"maxReplicas": 3, "inFlight": 4}},
        at="spec.serving.replicas",
        says="is set by the autoscaler: leave it out, and take one that was set before away with replicas: null",
    ),
    Mistake(
        what="autoscaling by nothing",
        spec={"serving.autoscaling": {"maxReplicas": 3}},
        at="spec.serving.autoscaling",
        says="what is it to follow? Declare cpuUtilization, such as 70, or inFlight, or both",
    ),
    Mistake(
        what="autoscaling from more to fewer",
        spec={"serving.autoscaling": {"minReplicas": 4, "maxReplicas": 3, "inFlight": 4}},
        at="spec.serving.autoscaling.minReplicas",
        says="must not be above maxReplicas",
    ),
    Mistake(
        what="CPU utilisation of no request",
        spec={"serving.autoscaling": {"maxReplicas": 3, "cpuUtilization": 70}},
        at="spec.serving.autoscaling.cpuUtilization",
        says="is a share of what a pod requests: declare serving.template.resources.requests.cpu, such as 1",
    ),
    Mistake(
        what="CPU utilisation of a request of memory",
        spec={
            "serving.autoscaling": {"maxReplicas": 3, "cpuUtilization": 70},
            "serving.template.resources.requests": {"memory": "1Gi"},
        },
        at="spec.serving.autoscaling.cpuUtilization",
        says="is a share of what a pod requests: declare serving.template.resources.requests.cpu, such as 1",
    ),
    Mistake(
        what="an unknown retraining mode",
        spec={"retraining.mode": "Disabled"},
        at="spec.retraining.mode",
        says='supported values: "Automatic", "Observe", "Manual"',
    ),
    Mistake(
        what="an unknown retraining trigger",
        spec={"retraining.triggers": ["Weather"]},
        at="spec.retraining.triggers[0]",
        says='supported values: "Accuracy", "Data", "Schedule"',
    ),
    Mistake(
        what="a schedule of four fields",
        spec={"retraining": {"triggers": ["Schedule"], "schedule": "0 3 * *"}},
        at="spec.retraining.schedule",
        says="is no schedule: write minute, hour, day, month and day of the week as cron does",
    ),
    Mistake(
        what="the 25th hour",
        spec={"retraining": {"triggers": ["Schedule"], "schedule": "0 25 * * *"}},
        at="spec.retraining.schedule",
        says="is no schedule",
    ),
    Mistake(
        what="a schedule without a time",
        spec={"retraining.triggers": ["Accuracy", "Schedule"]},
        at="spec.retraining.schedule",
        says="triggers names Schedule: say when, such as 0 3 * * mon",
    ),
    Mistake(
        what="a schedule that starts nothing",
        spec={"retraining": {"triggers": ["Accuracy"], "schedule": "0 3 * * *"}},
        at="spec.retraining.schedule",
        says="write triggers: [Accuracy, Schedule]",
    ),
    Mistake(
        what="a source that nobody can watch",
        spec={"data.train.uri": "https://files.example/train.csv", "retraining.triggers": ["Data"]},
        at="spec.retraining.triggers",
        says="only hub:// and configmap:// without a sha256 are watched. Write triggers: [Schedule]",
    ),
    Mistake(
        what="a watched source that cannot change",
        spec={"data.train": {"uri": "hub://train.csv", "sha256": "ab" * 32}, "retraining.triggers": ["Data"]},
        at="spec.retraining.triggers",
        says="triggers names Data, and nothing tells when this source changes",
    ),
    Mistake(
        what="windows of drift that are shorter than what is counted together",
        spec={"monitoring.drift": {"window": "30s"}},
        at="spec.monitoring.drift.window",
        says="must be from 1m to 336h",
    ),
    Mistake(
        what="windows of drift that are longer than what is kept",
        spec={"monitoring.drift": {"window": "337h"}},
        at="spec.monitoring.drift.window",
        says="must be from 1m to 336h",
    ),
    Mistake(
        what="windows of drift in words",
        spec={"monitoring.drift": {"window": "a day"}},
        at="spec.monitoring.drift.window",
        says="is not a duration: write 30s, 15m or 1h30m",
    ),
    Mistake(
        what="an offline evaluation that is never due",
        spec={"monitoring.offline": {"samples": 1000}},
        at="spec.monitoring.offline.schedule",
        says="Required value",
    ),
    Mistake(
        what="an offline evaluation by four fields",
        spec={"monitoring.offline": {"schedule": "0 4 * *"}},
        at="spec.monitoring.offline.schedule",
        says="is no schedule: write minute, hour, day, month and day of the week as cron does",
    ),
    Mistake(
        what="an offline evaluation on nothing",
        spec={"monitoring.offline": {"schedule": "0 4 * * *", "samples": 99}},
        at="spec.monitoring.offline.samples",
        says="greater than or equal to 100",
    ),
    Mistake(
        what="captured for no time",
        spec={"monitoring.capture": {"maxAge": "0s"}},
        at="spec.monitoring.capture.maxAge",
        says=TOO_SHORT,
    ),
    Mistake(
        what="a sample in percent",
        spec={"monitoring.capture": {"sample": 30}},
        at="spec.monitoring.capture.sample",
        says="must be above 0 and at most 1",
    ),
    Mistake(
        what="more captured rows than the hub keeps",
        spec={"monitoring.capture": {"maxRecords": 300_000}},
        at="spec.monitoring.capture.maxRecords",
        says="less than or equal to 200000",
    ),
    Mistake(
        what="the target left out of what is captured",
        spec={"monitoring.capture": {"drop": ["target"]}},
        at="spec.monitoring.capture.drop",
        says="has the target, which no request has: take it out",
    ),
    Mistake(
        what="a misspelt column that is hashed",
        spec={"data.features": ["a", "b"], "monitoring.capture": {"hash": ["a", "bb"]}},
        at="spec.monitoring.capture.hash",
        says="has a column that is not in data.features",
    ),
    Mistake(
        what="a column dropped and hashed",
        spec={"monitoring.capture": {"drop": ["a"], "hash": ["a"]}},
        at="spec.monitoring.capture.hash",
        says="has a column that is in drop as well",
    ),
    Mistake(
        what="records to learn from without a column",
        spec={"monitoring.capture": {"drop": ["a"]}, "retraining.data": {"includeFeedback": True}},
        at="spec.monitoring.capture.drop",
        says="so that records can neither be learnt from nor scored",
    ),
    Mistake(
        what="records to score with a hash",
        spec={"monitoring": {"capture": {"hash": ["a"]}, "offline": {"schedule": "0 4 * * *"}}},
        at="spec.monitoring.capture.hash",
        says="so that records can neither be learnt from nor scored",
    ),
    Mistake(
        what="callers' own ids of a sample",
        spec={"monitoring.capture": {"callerIds": "Accept", "sample": 0.5}},
        at="spec.monitoring.capture.sample",
        says="must be 1 where callerIds is Accept: by a caller's own id only a captured row is found",
    ),
    Mistake(
        what="callers' own ids by another word",
        spec={"monitoring.capture": {"callerIds": "Allow"}},
        at="spec.monitoring.capture.callerIds",
        says='supported values: "Ignore", "Accept"',
    ),
    Mistake(
        what="an age in days",
        spec={"retraining.data": {"includeFeedback": True, "maxAge": "30d"}},
        at="spec.retraining.data.maxAge",
        says=NO_DURATION,
    ),
    Mistake(
        what="a half-life of nothing",
        spec={"retraining.data": {"includeFeedback": True, "halfLife": "0s"}},
        at="spec.retraining.data.halfLife",
        says=TOO_SHORT,
    ),
    Mistake(
        what="no share",
        spec={"retraining.data": {"includeFeedback": True, "maxShare": 0}},
        at="spec.retraining.data.maxShare",
        says="must be above 0 and at most 1",
    ),
    Mistake(
        what="a share in percent",
        spec={"retraining.data": {"includeFeedback": True, "maxShare": 30}},
        at="spec.retraining.data.maxShare",
        says="must be above 0 and at most 1",
    ),
    Mistake(
        what="an age of records that are not learnt from",
        spec={"retraining.data": {"maxAge": "720h"}},
        at="spec.retraining.data.maxAge",
        says="is about records of production: set includeFeedback to true, or leave it out",
    ),
    Mistake(
        what="weights for an estimator that takes none",
        spec={
            "training.estimator": "KNeighborsClassifier",
            "retraining.data": {"includeFeedback": True, "halfLife": "168h"},
        },
        at="spec.retraining.data.halfLife",
        says="the estimator counts all rows alike: leave it out, and bound them by maxAge",
    ),
    Mistake(
        what="weights for a member that takes none",
        spec={
            "training": {"ensemble": {"type": "Voting", "members": [TREE, NEAR]}},
            "retraining.data": {"includeFeedback": True, "halfLife": "168h"},
        },
        at="spec.retraining.data.halfLife",
        says="a part of training.ensemble counts all rows alike",
    ),
    Mistake(
        what="weights for a member that was trained before",
        spec={
            "training": {"ensemble": {"type": "Voting", "members": [TREE, OLD]}},
            "retraining.data": {"includeFeedback": True, "halfLife": "168h"},
        },
        at="spec.retraining.data.halfLife",
        says="a part of training.ensemble counts all rows alike",
    ),
    Mistake(
        what="weights for a member with steps of its own",
        spec={
            "training": {
                "ensemble": {
                    "type": "Stacking",
                    "members": [TREE, {**BAYES, "preprocessing": [{"transformer": "StandardScaler"}]}],
                }
            },
            "retraining.data": {"includeFeedback": True, "halfLife": "168h"},
        },
        at="spec.retraining.data.halfLife",
        says="a part of training.ensemble counts all rows alike",
    ),
    Mistake(
        what="weights for a final estimator that takes none",
        spec={
            "training": {
                "ensemble": {
                    "type": "Stacking",
                    "members": [TREE, BAYES],
                    "finalEstimator": {"estimator": "KNeighborsClassifier"},
                }
            },
            "retraining.data": {"includeFeedback": True, "halfLife": "168h"},
        },
        at="spec.retraining.data.halfLife",
        says="a part of training.ensemble counts all rows alike",
    ),
    Mistake(
        what="weights for a container",
        spec={
            "training": {"container": {"image": "own:1"}},
            "retraining.data": {"includeFeedback": True, "halfLife": "168h"},
        },
        at="spec.retraining.data.halfLife",
        says="a container gets rows without weights",
    ),
    Mistake(
        what="weights for a vote that cannot take them",
        spec={"retraining": {"strategies": ["Ensemble"], "data": {"includeFeedback": True, "halfLife": "168h"}}},
        at="spec.retraining.strategies",
        says="Ensemble adds members that cannot weigh rows: leave it out, or data.halfLife",
    ),
    Mistake(
        what="online updates without records",
        spec={"training": {"estimator": "SGDClassifier"}, "retraining.online": {}},
        at="spec.retraining.online",
        says="learns from records of production: set data.includeFeedback to true, or leave it out",
    ),
    Mistake(
        what="online updates of a forest",
        spec={
            "training": {"estimator": "RandomForestClassifier"},
            "retraining": {"data": {"includeFeedback": True}, "online": {}},
        },
        at="spec.retraining.online",
        says="can learn on from where they are: choose one of them in spec.training.estimator, or leave it out",
    ),
    Mistake(
        what="online updates of a container",
        spec={
            "training": {"container": {"image": "own:1"}},
            "retraining": {"data": {"includeFeedback": True}, "online": {}},
        },
        at="spec.retraining.online",
        says="can learn on from where they are",
    ),
    Mistake(
        what="online updates by the age of records",
        spec={
            "training": {"estimator": "SGDClassifier"},
            "retraining": {"data": {"includeFeedback": True, "maxAge": "720h"}, "online": {}},
        },
        at="spec.retraining.online",
        says="takes each new record once, as it is",
    ),
    Mistake(
        what="online updates of a vote",
        spec={
            "training": {"estimator": "SGDClassifier"},
            "retraining": {"strategies": ["Ensemble"], "data": {"includeFeedback": True}, "online": {}},
        },
        at="spec.retraining.strategies",
        says="Ensemble makes a vote, which cannot learn on: leave it out, or online",
    ),
    Mistake(
        what="online updates of no record",
        spec={
            "training": {"estimator": "SGDClassifier"},
            "retraining": {"data": {"includeFeedback": True}, "online": {"minRecords": 0}},
        },
        at="spec.retraining.online.minRecords",
        says="should be greater than or equal to 1",
    ),
    Mistake(
        what="online updates at each moment",
        spec={
            "training": {"estimator": "SGDClassifier"},
            "retraining": {"data": {"includeFeedback": True}, "online": {"minInterval": "0s"}},
        },
        at="spec.retraining.online.minInterval",
        says=TOO_SHORT,
    ),
    Mistake(
        what="a trigger twice",
        spec={"retraining.triggers": ["Accuracy", "Accuracy"]},
        at="spec.retraining.triggers[1]",
        says='Duplicate value: "Accuracy"',
    ),
    Mistake(
        what="a misspelt field",
        spec={"objective.treshold": 0.9},
        at="spec.objective.treshold",
        says='unknown field "spec.objective.treshold"',
    ),
)
