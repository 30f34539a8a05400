"""The scikit-learn classes that may be declared, and their parameters: checked before anything is fitted."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from evermodel_runtime.data.failure import did_you_mean, spec_error

ESTIMATORS = {
    "AdaBoostClassifier": "sklearn.ensemble",
    "DecisionTreeClassifier": "sklearn.tree",
    "ExtraTreesClassifier": "sklearn.ensemble",
    "GaussianNB": "sklearn.naive_bayes",
    "GradientBoostingClassifier": "sklearn.ensemble",
    "KNeighborsClassifier": "sklearn.neighbors",
    "LinearDiscriminantAnalysis": "sklearn.discriminant_analysis",
    "LogisticRegression": "sklearn.linear_model",
    "MLPClassifier": "sklearn.neural_network",
    "RandomForestClassifier": "sklearn.ensemble",
    "SVC": "sklearn.svm",
}
"""Class name and the module that it is imported from, which is imported only when it is declared."""
TREES = frozenset(
    {
        "AdaBoostClassifier",
        "DecisionTreeClassifier",
        "ExtraTreesClassifier",
        "GradientBoostingClassifier",
        "RandomForestClassifier",
    }
)
"""Those that compare float32 values with thresholds: the last bit of a value can decide."""
TRANSFORMERS = {"OneHotEncoder": "sklearn.preprocessing", "StandardScaler": "sklearn.preprocessing"}


def make_estimator(name: str, parameters: Mapping[str, Any], seed: int) -> Any:
    """Return an estimator that is not fitted; chance in it comes from ``seed`` unless the parameters say otherwise."""
    if name not in ESTIMATORS:
        raise spec_error(
            f"spec.training.estimator: {name} is none of {', '.join(ESTIMATORS)}.{did_you_mean(name, ESTIMATORS)}"
        )
    made = _make(name, ESTIMATORS[name], parameters, "spec.training.parameters")
    return made.set_params(random_state=seed) if _takes_seed(made, parameters) else made


def make_transformer(name: str, parameters: Mapping[str, Any], index: int) -> Any:
    """Return a transformer that is not fitted; ``index`` is its place in ``spec.training.preprocessing``."""
    field = f"spec.training.preprocessing[{index}]"
    if name not in TRANSFORMERS:
        raise spec_error(f"{field}.transformer: {name} is none of {', '.join(TRANSFORMERS)}.")
    if name == "OneHotEncoder":
        if parameters.get("handle_unknown", "ignore") != "ignore" or parameters.get("sparse_output", False):
            raise spec_error(f"{field}.parameters: only handle_unknown: ignore and sparse_output: false can be served.")
        parameters = {"handle_unknown": "ignore", "sparse_output": False, **parameters}
    return _make(name, TRANSFORMERS[name], parameters, f"{field}.parameters")


def _takes_seed(made: Any, parameters: Mapping[str, Any]) -> bool:
    return "random_state" in made.get_params(deep=False) and parameters.get("random_state") is None


def _make(name: str, module: str, parameters: Mapping[str, Any], field: str) -> Any:
    made = getattr(importlib.import_module(module), name)()
    allowed = sorted(made.get_params(deep=False))
    unknown = [parameter for parameter in parameters if parameter not in allowed]
    if unknown:
        raise spec_error(
            f"{field}.{unknown[0]}: {name} has no such parameter.{did_you_mean(unknown[0], allowed)} "
            f"It has {', '.join(allowed)}."
        )
    # One by one, since scikit-learn stops at the first and its message is about one.
    for parameter, value in parameters.items():
        made.set_params(**{parameter: value})
        try:
            made._validate_params()  # noqa: SLF001 - the checks of fit, before the data is read
        except ValueError as error:
            raise spec_error(f"{field}.{parameter}: {error}") from error
    return made
