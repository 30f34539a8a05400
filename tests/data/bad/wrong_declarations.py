"""Declarations that do not go with a sound file."""

from __future__ import annotations

from typing import Any

from tests.data.bad.case import BadData, invalid, undeclarable
from tests.data.bad.good_table import CSV, column

from evermodel.contract import FailureReason, Measure, Metric, PreprocessingStep, Task

FOREST = {"estimator": "RandomForestClassifier"}


def step(transformer: str, *columns: str, **parameters: Any) -> PreprocessingStep:
    return PreprocessingStep(transformer=transformer, columns=columns, parameters=parameters)


def steps(*declared: PreprocessingStep, features: tuple[str, ...] = ("age", "income")) -> dict[str, Any]:
    return {"source": {"features": features}, "run": {"preprocessing": declared}}


def estimator(name: str, **parameters: Any) -> dict[str, Any]:
    return {"source": {"id_column": "id"}, "run": {"estimator": name, "parameters": parameters}}


def _fails(reason: FailureReason, name: str, *says: str, **source: Any) -> BadData:
    return BadData(name=name, ends=reason, says=says, source=source)


WRONG_DECLARATIONS: tuple[BadData, ...] = (
    _fails(
        FailureReason.DATA_NOT_FOUND,
        "a file that was not uploaded",
        "hub://other.csv",
        "uploaded",
        uri="hub://other.csv",
    ),
    _fails(
        FailureReason.DATA_NOT_FOUND,
        "a ConfigMap that is not there",
        "no ConfigMap gone",
        "kubectl create configmap gone --from-file=rows.csv",
        uri="configmap://gone/rows.csv",
    ),
    _fails(
        FailureReason.DATA_NOT_FOUND, "no bundled data of that name", "sklearn://irises", "iris", uri="sklearn://irises"
    ),
    _fails(
        FailureReason.DATA_NOT_FOUND,
        "an empty slice of bundled data",
        "rows=200:300",
        "150 rows",
        uri="sklearn://iris?rows=200:300",
    ),
    _fails(
        FailureReason.SPEC_INVALID,
        "a scheme that is not read",
        "ftp://example.org/rows.csv",
        "spec.data.train.uri",
        uri="ftp://example.org/rows.csv",
    ),
    _fails(
        FailureReason.DIGEST_MISMATCH,
        "another file than the declared one",
        "its sha256 is",
        "Correct the digest",
        sha256="0" * 64,
    ),
    invalid(
        "a feature that is not there",
        lambda: CSV,
        "no column 'wage', which spec.data.features names",
        "Did you mean 'age'?",
        source={"features": ("wage", "income")},
    ),
    invalid(
        "a step over a column that is not there",
        lambda: CSV,
        "'hight'",
        "spec.training.preprocessing[0].columns",
        **steps(step("StandardScaler", "hight")),
    ),
    undeclarable(
        "a step over a column that is not learnt from",
        "preprocessing[0].columns names 'colour'",
        "no feature",
        **steps(step("OneHotEncoder", "colour")),
    ),
    undeclarable(
        "a scaler over text",
        "StandardScaler cannot transform 'colour'",
        "OneHotEncoder",
        "row 1 (line 2)",
        **steps(step("StandardScaler", "colour"), features=("age", "colour")),
    ),
    undeclarable(
        "a OneHotEncoder over fractions",
        "preprocessing[0]",
        "'income'",
        "row 1 (line 2)",
        "whole numbers",
        **steps(step("OneHotEncoder", "income")),
    ),
    undeclarable(
        "no such transformer",
        "preprocessing[0].transformer: StandardScalar",
        "Did you mean 'StandardScaler'?",
        **steps(step("StandardScalar", "age")),
    ),
    undeclarable(
        "a transformer's unknown parameter",
        "preprocessing[0].parameters.mean",
        **steps(step("StandardScaler", "age", mean=1)),
    ),
    undeclarable(
        "a transformer's parameter out of range",
        "preprocessing[0].parameters.n_components",
        **steps(step("PCA", "*", n_components=-3)),
    ),
    undeclarable(
        "more components than columns", "n_components=40", "spec.training", **steps(step("PCA", "*", n_components=40))
    ),
    undeclarable(
        "polynomials of degree forty over many columns",
        "preprocessing[0]",
        "PolynomialFeatures",
        "degree",
        "columns",
        **steps(step("PolynomialFeatures", "*", degree=4000)),
    ),
    undeclarable("no such estimator", "Did you mean 'RandomForestClassifier'?", **estimator("RandomForest")),
    undeclarable("a class that is no estimator of the list", "os.system", **estimator("os.system")),
    undeclarable(
        "an unknown parameter",
        "spec.training.parameters.n_estimator:",
        "Did you mean 'n_estimators'?",
        **estimator("RandomForestClassifier", n_estimator=5),
    ),
    undeclarable(
        "a parameter out of range",
        "spec.training.parameters.n_estimators:",
        "0",
        **estimator("RandomForestClassifier", n_estimators=0),
    ),
    undeclarable(
        "a parameter of another type",
        "spec.training.parameters.n_estimators:",
        "'many'",
        **estimator("RandomForestClassifier", n_estimators="many"),
    ),
    undeclarable(
        "a fraction where a whole number belongs",
        "spec.training.parameters.n_estimators:",
        "2.5",
        **estimator("RandomForestClassifier", n_estimators=2.5),
    ),
    undeclarable(
        "a list where a number belongs",
        "spec.training.parameters.C:",
        "[1, 2]",
        **estimator("LogisticRegression", C=[1, 2]),
    ),
    undeclarable(
        "null where a number belongs", "spec.training.parameters.C:", **estimator("LogisticRegression", C=None)
    ),
    undeclarable(
        "parameters that exclude each other",
        "l1",
        "lbfgs",
        **estimator("LogisticRegression", l1_ratio=1.0, solver="lbfgs"),
    ),
    undeclarable(
        "more neighbours than rows", "n_neighbors", "5000", **estimator("KNeighborsClassifier", n_neighbors=5000)
    ),
    undeclarable(
        "weights of a class that is not there",
        "class_weight",
        "'hihg'",
        "high, low",
        **estimator("LogisticRegression", class_weight={"hihg": 2.0}),
    ),
    undeclarable(
        "a weight below nothing",
        "spec.training.parameters.class_weight gives class 'high' the weight -1",
        "0 or more",
        **estimator("LogisticRegression", class_weight={"high": -1, "low": 1}),
    ),
    undeclarable(
        "classes of which none counts",
        "spec.training.parameters.class_weight gives every class the weight 0",
        **estimator("LogisticRegression", class_weight={"high": 0, "low": 0}),
    ),
    undeclarable(
        "a solver that lacks what is declared beside it",
        "shrinkage not supported with 'svd' solver",
        **estimator("LinearDiscriminantAnalysis", shrinkage="auto"),
    ),
    undeclarable(
        "distances in place of rows",
        "spec.training.parameters.metric: precomputed",
        "Choose another",
        **estimator("KNeighborsClassifier", metric="precomputed"),
    ),
    undeclarable(
        "a parameter that is an object of Python",
        "spec.training.parameters.kernel:",
        "leave it out",
        **estimator("GaussianProcessClassifier", kernel="rbf"),
    ),
    undeclarable(
        "amounts of which one is nothing",
        "The lowest target is 0",
        make=column("class", lambda place: place % 7),
        source={"id_column": "id"},
        run={"estimator": "GammaRegressor", "task": Task.REGRESSION, "objective": Measure(metric=Metric.MAE)},
    ),
    undeclarable(
        "an estimator that takes no negative numbers",
        "Negative",
        "MultinomialNB",
        source={"features": ("age",)},
        run={"estimator": "MultinomialNB", "preprocessing": (step("StandardScaler", "age"),)},
    ),
    undeclarable(
        "an estimator that takes no negative numbers, and a column that has some",
        "Column 'income' holds -",
        "MinMaxScaler",
        "MultinomialNB",
        make=column("income", lambda p: p - 30.5),
        source={"features": ("age", "income")},
        run={"estimator": "MultinomialNB"},
    ),
)
