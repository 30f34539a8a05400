"""The scikit-learn transformers that may be declared: what they take, and which of their parameters are settled."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import comb
from typing import Any

from evermodel.contract import ColumnKind
from evermodel_runtime.data.failure import did_you_mean, spec_error
from evermodel_runtime.data.selection import VECTORISERS
from evermodel_runtime.train.estimators import make_checked
from evermodel_runtime.train.words import MODULE as WORDS
from evermodel_runtime.train.words import SETTLED as SETTLED_WORDS
from evermodel_runtime.train.words import settled_words

NUMBERS = frozenset({ColumnKind.NUMBER})
TEXTS = frozenset({ColumnKind.TEXT})
BOTH = NUMBERS | TEXTS
SCORES = ("f_classif", "mutual_info_classif", "chi2", "f_regression", "mutual_info_regression")
"""Names of functions that JSON cannot hold."""


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
    "CountVectorizer": _OF_WORDS,
    "HashingVectorizer": _OF_WORDS,
    "KBinsDiscretizer": Transformer(module="sklearn.preprocessing", keeps=False),
    "MaxAbsScaler": Transformer(module="sklearn.preprocessing"),
    "MinMaxScaler": Transformer(module="sklearn.preprocessing"),
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
    "SimpleImputer": Transformer(module="sklearn.impute", takes=BOTH, settled={"add_indicator": False}),
    "StandardScaler": Transformer(module="sklearn.preprocessing"),
    "TfidfVectorizer": _OF_WORDS,
}
"""By class name; the module is imported only when the class is declared."""


def make_transformer(name: str, parameters: Mapping[str, Any], index: int, seed: int = 0) -> Any:
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
    given = {**known.settled, **parameters}
    if name in VECTORISERS:
        given = settled_words(name, given, f"{place}.parameters")
    if "score_func" in given:
        given["score_func"] = _score(given["score_func"], place)
    if name == "PolynomialFeatures":
        given.setdefault("include_bias", False)  # estimators have an intercept of their own, and trees need none
    if name == "KBinsDiscretizer" and given.setdefault("encode", "onehot-dense") == "onehot":
        given["encode"] = "onehot-dense"
    for parameter in PAIRS & set(given):
        if isinstance(given[parameter], list):
            given[parameter] = tuple(given[parameter])
    made = make_checked(name, known.module, given, f"{place}.parameters")
    takes_seed = "random_state" in made.get_params(deep=False) and parameters.get("random_state") is None
    return made.set_params(random_state=seed) if takes_seed else made


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


def _score(name: object, place: str) -> Any:
    if name not in SCORES:
        raise spec_error(f"{place}.parameters.score_func: {name} is none of {', '.join(SCORES)}.")
    return getattr(importlib.import_module("sklearn.feature_selection"), str(name))
