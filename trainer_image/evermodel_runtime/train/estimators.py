"""The scikit-learn classes that may be declared, and their parameters: checked before anything is fitted."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from evermodel.contract import Task
from evermodel_runtime.data.failure import JobError, did_you_mean, spec_error

CLASSIFIERS = {
    "AdaBoostClassifier": "sklearn.ensemble",
    "BaggingClassifier": "sklearn.ensemble",
    "BernoulliNB": "sklearn.naive_bayes",
    "CalibratedClassifierCV": "sklearn.calibration",
    "CategoricalNB": "sklearn.naive_bayes",
    "ComplementNB": "sklearn.naive_bayes",
    "DecisionTreeClassifier": "sklearn.tree",
    "DummyClassifier": "sklearn.dummy",
    "ExtraTreeClassifier": "sklearn.tree",
    "ExtraTreesClassifier": "sklearn.ensemble",
    "GaussianNB": "sklearn.naive_bayes",
    "GaussianProcessClassifier": "sklearn.gaussian_process",
    "GradientBoostingClassifier": "sklearn.ensemble",
    "HistGradientBoostingClassifier": "sklearn.ensemble",
    "KNeighborsClassifier": "sklearn.neighbors",
    "LabelPropagation": "sklearn.semi_supervised",
    "LabelSpreading": "sklearn.semi_supervised",
    "LinearDiscriminantAnalysis": "sklearn.discriminant_analysis",
    "LinearSVC": "sklearn.svm",
    "LogisticRegression": "sklearn.linear_model",
    "LogisticRegressionCV": "sklearn.linear_model",
    "MLPClassifier": "sklearn.neural_network",
    "MultinomialNB": "sklearn.naive_bayes",
    "NearestCentroid": "sklearn.neighbors",
    "NuSVC": "sklearn.svm",
    "PassiveAggressiveClassifier": "sklearn.linear_model",
    "Perceptron": "sklearn.linear_model",
    "QuadraticDiscriminantAnalysis": "sklearn.discriminant_analysis",
    "RadiusNeighborsClassifier": "sklearn.neighbors",
    "RandomForestClassifier": "sklearn.ensemble",
    "RidgeClassifier": "sklearn.linear_model",
    "RidgeClassifierCV": "sklearn.linear_model",
    "SGDClassifier": "sklearn.linear_model",
    "SVC": "sklearn.svm",
}
REGRESSORS = {
    "ARDRegression": "sklearn.linear_model",
    "AdaBoostRegressor": "sklearn.ensemble",
    "BaggingRegressor": "sklearn.ensemble",
    "BayesianRidge": "sklearn.linear_model",
    "CCA": "sklearn.cross_decomposition",
    "DecisionTreeRegressor": "sklearn.tree",
    "DummyRegressor": "sklearn.dummy",
    "ElasticNet": "sklearn.linear_model",
    "ElasticNetCV": "sklearn.linear_model",
    "ExtraTreeRegressor": "sklearn.tree",
    "ExtraTreesRegressor": "sklearn.ensemble",
    "GammaRegressor": "sklearn.linear_model",
    "GaussianProcessRegressor": "sklearn.gaussian_process",
    "GradientBoostingRegressor": "sklearn.ensemble",
    "HistGradientBoostingRegressor": "sklearn.ensemble",
    "HuberRegressor": "sklearn.linear_model",
    "IsotonicRegression": "sklearn.isotonic",
    "KNeighborsRegressor": "sklearn.neighbors",
    "KernelRidge": "sklearn.kernel_ridge",
    "Lars": "sklearn.linear_model",
    "LarsCV": "sklearn.linear_model",
    "Lasso": "sklearn.linear_model",
    "LassoCV": "sklearn.linear_model",
    "LassoLars": "sklearn.linear_model",
    "LassoLarsCV": "sklearn.linear_model",
    "LassoLarsIC": "sklearn.linear_model",
    "LinearRegression": "sklearn.linear_model",
    "LinearSVR": "sklearn.svm",
    "MLPRegressor": "sklearn.neural_network",
    "NuSVR": "sklearn.svm",
    "OrthogonalMatchingPursuit": "sklearn.linear_model",
    "OrthogonalMatchingPursuitCV": "sklearn.linear_model",
    "PLSCanonical": "sklearn.cross_decomposition",
    "PLSRegression": "sklearn.cross_decomposition",
    "PassiveAggressiveRegressor": "sklearn.linear_model",
    "PoissonRegressor": "sklearn.linear_model",
    "QuantileRegressor": "sklearn.linear_model",
    "RANSACRegressor": "sklearn.linear_model",
    "RadiusNeighborsRegressor": "sklearn.neighbors",
    "RandomForestRegressor": "sklearn.ensemble",
    "Ridge": "sklearn.linear_model",
    "RidgeCV": "sklearn.linear_model",
    "SGDRegressor": "sklearn.linear_model",
    "SVR": "sklearn.svm",
    "TheilSenRegressor": "sklearn.linear_model",
    "TransformedTargetRegressor": "sklearn.compose",
    "TweedieRegressor": "sklearn.linear_model",
}
ESTIMATORS = CLASSIFIERS | REGRESSORS
"""Class name and the module that it is imported from, which is imported only when it is declared.

All of scikit-learn's ``all_estimators()`` but those that are made of other estimators or need several targets.
"""
TREES = frozenset(
    {
        "AdaBoostClassifier",
        "AdaBoostRegressor",
        "BaggingClassifier",
        "BaggingRegressor",
        "DecisionTreeClassifier",
        "DecisionTreeRegressor",
        "ExtraTreeClassifier",
        "ExtraTreeRegressor",
        "ExtraTreesClassifier",
        "ExtraTreesRegressor",
        "GradientBoostingClassifier",
        "GradientBoostingRegressor",
        "HistGradientBoostingClassifier",
        "HistGradientBoostingRegressor",
        "RandomForestClassifier",
        "RandomForestRegressor",
    }
)
"""Those that compare values with thresholds: the last bit of a value can decide."""


PRECOMPUTED = "precomputed"
"""A metric or kernel of estimators that look at pairs of rows."""
CLASS_WEIGHT = "class_weight"


def make_estimator(
    name: str,
    parameters: Mapping[str, Any],
    seed: int,
    *,
    place: str = "spec.training",
    task: Task = Task.CLASSIFICATION,
) -> Any:
    """Return an estimator that is not fitted; chance in it comes from ``seed`` unless the parameters say otherwise.

    ``place`` is where the ModelDeployment declares it.
    """
    of_task = REGRESSORS if task is Task.REGRESSION else CLASSIFIERS
    if name not in of_task:
        what = f"no estimator of the task {task}" if name in ESTIMATORS else f"none of {', '.join(of_task)}"
        raise spec_error(f"{place}.estimator: {name} is {what}.{did_you_mean(name, of_task)}")
    made = make_checked(name, ESTIMATORS[name], parameters, f"{place}.parameters")
    if name == "RadiusNeighborsClassifier" and parameters.get("outlier_label") is None:
        raise spec_error(
            f"{place}.parameters.outlier_label: RadiusNeighborsClassifier needs one, a class or most_frequent: "
            "without it, it does not answer rows that have no neighbour in its radius."
        )
    return made.set_params(random_state=seed) if _takes_seed(made, parameters) else made


def _takes_seed(made: Any, parameters: Mapping[str, Any]) -> bool:
    return "random_state" in made.get_params(deep=False) and parameters.get("random_state") is None


def make_checked(name: str, module: str, parameters: Mapping[str, Any], field: str) -> Any:
    """Return an object of a class with these parameters, each of which the class itself has looked at."""
    made = getattr(importlib.import_module(module), name)()
    return check_parameters(made, parameters, field, made.get_params(deep=False))


def check_parameters(made: Any, parameters: Mapping[str, Any], field: str, names: Iterable[str]) -> Any:
    """Set parameters of which ``names`` may be declared, and let the class look at each."""
    allowed = sorted(names)
    unknown = [parameter for parameter in parameters if parameter not in allowed]
    if unknown:
        raise spec_error(
            f"{field}.{unknown[0]}: {type(made).__name__} has no such parameter.{did_you_mean(unknown[0], allowed)} "
            f"It has {', '.join(allowed) or 'none'}."
        )
    # One by one, since scikit-learn stops at the first and its message is about one.
    for parameter, value in parameters.items():
        made.set_params(**{parameter: value})
        try:
            made._validate_params()  # noqa: SLF001 - the checks of fit, before the data is read
        except ValueError as error:
            if parameter == CLASS_WEIGHT:
                raise _no_class_weights(made, value, field) from error
            advice = " JSON has no such values: leave it out." if _of_python(str(error)) else ""
            raise spec_error(f"{field}.{parameter}: {error}{advice}") from error
        if parameter == CLASS_WEIGHT and value is not None and type(made).__name__ == "NuSVC":
            raise spec_error(
                f"{field}.{parameter}: NuSVC takes it, and answers as without: libsvm weighs classes in SVC alone. "
                "Leave it out, or choose SVC."
            )
        if parameter == CLASS_WEIGHT and isinstance(value, list):  # of several targets, which trees can have
            raise _no_class_weights(made, value, field)
        if value == PRECOMPUTED:
            raise spec_error(
                f"{field}.{parameter}: {PRECOMPUTED} wants distances between rows in place of the rows. Choose another."
            )
    return made


def _no_class_weights(made: Any, value: Any, field: str) -> JobError:
    return spec_error(
        f"{field}.{CLASS_WEIGHT}: {value!r} gives {type(made).__name__} no weights of classes. Write balanced, or a "
        "weight for each class by its name, such as {rose: 1, tulip: 2.5}."
    )


def _of_python(said: str) -> bool:
    """Whether scikit-learn asks for an object of Python, and nothing else would do."""
    return any(f"must be {kind}" in said for kind in ("an instance of 'sklearn", "an object implementing"))


def has_trees(estimator: Any) -> bool:
    """Whether an estimator, or one in it, compares values with thresholds: the last bit of a value can decide then."""
    if type(estimator).__name__ in TREES:
        return True
    return any(has_trees(part) for part in estimator.get_params().values() if hasattr(part, "fit"))
