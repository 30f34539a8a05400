"""The scikit-learn transformers that may be declared: what they take, and which of their parameters are settled."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import comb
from typing import Any

import numpy as np

from evermodel.contract import ColumnKind, Task
from evermodel_runtime.data.failure import did_you_mean, spec_error
from evermodel_runtime.data.selection import VECTORISERS
from evermodel_runtime.train.date_parts import PARTS, DateParts
from evermodel_runtime.train.estimators import make_checked
from evermodel_runtime.train.words import MODULE as WORDS
from evermodel_runtime.train.words import SETTLED as SETTLED_WORDS
from evermodel_runtime.train.words import settled_words

NUMBERS = frozenset({ColumnKind.NUMBER})
TEXTS = frozenset({ColumnKind.TEXT})
DATES = frozenset({ColumnKind.DATE})
BOTH = NUMBERS | TEXTS
SCORES = ("f_classif", "mutual_info_classif", "chi2", "f_regression", "mutual_info_regression")
"""Names of functions that JSON cannot hold."""


TARGET_ENCODER = "TargetEncoder"
MOST_POLYNOMIALS = 10_000
"""Columns that PolynomialFeatures may make: their number grows as the power of the degree."""
PAIRS = frozenset({"feature_range", "quantile_range", "degree"})
"""Parameters that scikit-learn wants as tuples, which JSON writes as lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """One class of the list.

    Attributes
    ----------
    takes : set of ColumnKind
        Kinds of columns that it can transform.
    keeps : bool
        Whether it makes one column of each, which later steps may still name.
    settled : dict
        Parameters that have one value here, whatever the class's default: others could not be served.
    """

    module: str
    takes: frozenset[ColumnKind] = NUMBERS
    keeps: bool = True
    settled: Mapping[str, Any] = field(default_factory=dict)


_OF_WORDS = Transformer(module=WORDS, takes=TEXTS, keeps=False, settled=SETTLED_WORDS)
TRANSFORMERS: Mapping[str, Transformer] = {
    "Binarizer": Transformer(module="sklearn.preprocessing"),
    "CountVectorizer": _OF_WORDS,
    "DateParts": Transformer(module="evermodel_runtime.train.date_parts", takes=DATES, keeps=False),
    "HashingVectorizer": _OF_WORDS,
    "KBinsDiscretizer": Transformer(module="sklearn.preprocessing", keeps=False),
    "KNNImputer": Transformer(module="sklearn.impute", settled={"add_indicator": False, "keep_empty_features": True}),
    "MaxAbsScaler": Transformer(module="sklearn.preprocessing"),
    "MinMaxScaler": Transformer(module="sklearn.preprocessing"),
    "Normalizer": Transformer(module="sklearn.preprocessing"),
    "OneHotEncoder": Transformer(
        module="sklearn.preprocessing",
        takes=BOTH,
        keeps=False,
        settled={"handle_unknown": "ignore", "sparse_output": False},
    ),
    "OrdinalEncoder": Transformer(
        module="sklearn.preprocessing",
        takes=TEXTS,
        settled={"handle_unknown": "use_encoded_value", "unknown_value": -1},
    ),
    "PCA": Transformer(module="sklearn.decomposition", keeps=False),
    "PolynomialFeatures": Transformer(module="sklearn.preprocessing", keeps=False),
    "PowerTransformer": Transformer(module="sklearn.preprocessing"),
    "QuantileTransformer": Transformer(module="sklearn.preprocessing"),
    "RobustScaler": Transformer(module="sklearn.preprocessing"),
    "SelectKBest": Transformer(module="sklearn.feature_selection", keeps=False),
    "SimpleImputer": Transformer(module="sklearn.impute", takes=BOTH | DATES, settled={"add_indicator": False}),
    "StandardScaler": Transformer(module="sklearn.preprocessing"),
    "TargetEncoder": Transformer(module="sklearn.preprocessing", takes=TEXTS, keeps=False),
    "TfidfVectorizer": _OF_WORDS,
    "TruncatedSVD": Transformer(module="sklearn.decomposition", keeps=False),
    "VarianceThreshold": Transformer(module="sklearn.feature_selection", keeps=False),
}
"""By class name; the module is imported only when the class is declared."""


def make_transformer(
    name: str, parameters: Mapping[str, Any], index: int, seed: int = 0, task: Task = Task.CLASSIFICATION
) -> Any:
    """Return a transformer that is not fitted; ``index`` is its place in ``spec.training.preprocessing``."""
    place = f"spec.training.preprocessing[{index}]"
    if name not in TRANSFORMERS:
        raise spec_error(
            f"{place}.transformer: {name} is none of {', '.join(TRANSFORMERS)}.{did_you_mean(name, TRANSFORMERS)}"
        )
    known = TRANSFORMERS[name]
    for parameter, value in known.settled.items():
        if parameters.get(parameter, value) != value:
            raise spec_error(f"{place}.parameters.{parameter}: {name} can only be served with {value!r}; leave it out.")
    given = _given(name, {**known.settled, **parameters}, place)
    if name == TARGET_ENCODER and task is Task.REGRESSION:
        given.setdefault("target_type", "continuous")  # whole numbers would be taken for classes
    made = make_checked(name, known.module, given, f"{place}.parameters")
    if isinstance(made, DateParts):
        _check_parts(made.parts, f"{place}.parameters.parts")
    takes_seed = "random_state" in made.get_params(deep=False) and parameters.get("random_state") is None
    return made.set_params(random_state=seed) if takes_seed else made


def _given(name: str, declared: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return parameters as the class takes them, which JSON does not have."""
    if name in VECTORISERS:
        return settled_words(name, declared, f"{place}.parameters")
    given = dict(declared)
    if "score_func" in given:
        given["score_func"] = _score(given["score_func"], place)
    if name == "PolynomialFeatures":
        given.setdefault("include_bias", False)  # estimators have an intercept of their own, and trees need none
    if name == "KBinsDiscretizer" and given.setdefault("encode", "onehot-dense") == "onehot":
        given["encode"] = "onehot-dense"
    if name == "Binarizer":
        # Values are of 32 bits: as a 64-bit number, 0.1 would be below them.
        given["threshold"] = _as_float32(given.get("threshold", 0.0))
    for parameter in PAIRS & set(given):
        if isinstance(given[parameter], list):
            given[parameter] = tuple(given[parameter])
    return given


def _as_float32(value: Any) -> Any:
    return float(np.float32(value)) if isinstance(value, int | float) else value


def check_width(made: Any, index: int, columns: int) -> None:
    """Refuse polynomials of more columns than memory holds."""
    if type(made).__name__ != "PolynomialFeatures":
        return
    highest = made.degree[1] if isinstance(made.degree, tuple) else made.degree
    width = (
        sum(comb(columns, degree) for degree in range(1, highest + 1))
        if made.interaction_only
        else comb(columns + highest, highest) - 1
    )
    if width > MOST_POLYNOMIALS:
        raise spec_error(
            f"spec.training.preprocessing[{index}]: PolynomialFeatures of degree {highest} makes {width:,} columns of "
            f"{columns}; at most {MOST_POLYNOMIALS:,} are made. Lower its degree, or name fewer columns."
        )


def _check_parts(parts: Sequence[object], field: str) -> None:
    wrong = next((part for part in parts if part not in PARTS), None)
    if wrong is not None or not parts:
        what = "names no part" if wrong is None else f"{wrong!r} is no part"
        raise spec_error(f"{field}: {what} of a date. Name some of {', '.join(PARTS)}.")


def _score(name: object, place: str) -> Any:
    if name not in SCORES:
        raise spec_error(f"{place}.parameters.score_func: {name} is none of {', '.join(SCORES)}.")
    return getattr(importlib.import_module("sklearn.feature_selection"), str(name))
