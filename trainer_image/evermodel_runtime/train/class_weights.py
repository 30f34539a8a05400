"""Weights of classes: JSON names every class by a text, whatever its type is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.pipeline import Pipeline

from evermodel.contract import Scalar, label_text
from evermodel_runtime.data.failure import did_you_mean, listed, spec_error
from evermodel_runtime.data.rows import Labels

PARAMETER = "class_weight"
COUNTING = "HistGradientBoostingClassifier"
"""Looks weights up by the numbers that it gives classes before, in their order."""


def with_weights_of(pipeline: Any, labels: Labels) -> Any:
    """Return the pipeline with ``class_weight`` by the labels themselves, where it is declared class by class.

    Raises
    ------
    JobError
        SpecInvalid when it names a class that is not there, leaves one out, or has a weight that is none.
    """
    classes = {label_text(label): label for label in np.unique(labels).tolist()}
    numbers = {name: number for number, name in enumerate(classes)}
    estimator = pipeline[-1]
    members = list(_members(estimator))
    for part, place in members or [(estimator, "spec.training")]:
        if isinstance(declared := part.get_params(deep=False).get(PARAMETER), dict):
            # Ensembles number the classes before members see them.
            known = numbers if members or type(part).__name__ == COUNTING else classes
            part.set_params(**{PARAMETER: _by_class(by_text(declared), known, f"{place}.parameters.{PARAMETER}")})
    return pipeline


def by_text(weights: Any) -> Any:
    """Return ``class_weight`` by the texts of the classes, as it is declared, where it is by the labels themselves."""
    return {label_text(label): weight for label, weight in weights.items()} if isinstance(weights, dict) else weights


def _members(estimator: Any) -> Iterator[tuple[Any, str]]:
    """Yield what an ensemble is made of, and where it is declared."""
    place = "spec.training.ensemble"
    if isinstance(estimator, BaggingClassifier) and estimator.estimator is not None:
        yield _last(estimator.estimator), f"{place}.members[0]"
    if isinstance(estimator, StackingClassifier | VotingClassifier):
        for index, (_, member) in enumerate(estimator.estimators):
            yield _last(member), f"{place}.members[{index}]"
    if isinstance(estimator, StackingClassifier) and estimator.final_estimator is not None:
        yield estimator.final_estimator, f"{place}.finalEstimator"


def _last(member: Any) -> Any:
    return member[-1] if isinstance(member, Pipeline) else member


def _by_class(declared: Mapping[str, Any], known: Mapping[str, Scalar], field: str) -> dict[Scalar, float]:
    unknown = [name for name in declared if name not in known]
    if unknown:
        raise spec_error(
            f"{field} names {unknown[0]!r}, which is no class.{did_you_mean(unknown[0], known)} The classes are "
            f"{listed(list(known))}."
        )
    left_out = [name for name in known if name not in declared]
    if left_out:
        raise spec_error(f"{field} leaves out the class {left_out[0]!r}: give each class a weight.")
    for name, weight in declared.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
            raise spec_error(f"{field} gives class {name!r} the weight {weight!r}: a weight is a number of 0 or more.")
    if not any(declared.values()):
        raise spec_error(f"{field} gives every class the weight 0, so no row would count: raise one above 0.")
    return {known[name]: weight for name, weight in declared.items()}
