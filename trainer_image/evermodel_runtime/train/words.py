"""Texts into columns of numbers, one for each word: what may be declared, and what is told before the fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from evermodel_runtime.data.failure import spec_error
from evermodel_runtime.data.memory import Memory
from evermodel_runtime.data.rows import FeatureRows
from evermodel_runtime.data.selection import VECTORISERS

MODULE = "sklearn.feature_extraction.text"
SETTLED: Mapping[str, Any] = {
    "input": "content",  # its other values open files by the names that texts hold
    "encoding": "utf-8",
    "decode_error": "strict",
    "preprocessor": None,
    "tokenizer": None,
    "dtype": np.float64,
}
MOST_WORDS = 1_000
"""Columns that one column of text becomes where nothing is declared: all rows are dense."""
MOST_LOOKED_AT = 500
"""Texts from which the number of words in all is estimated."""
LONGEST_NGRAM = 10
LONGEST_PATTERN = 100
SIZES = {"TfidfVectorizer": "max_features", "CountVectorizer": "max_features", "HashingVectorizer": "n_features"}
"""The parameter that bounds how many columns are made."""
_CLASS = r"(?:\\[wWdDsS]|\\[^\w\s]|\[\^?\]?(?:\\.|[^\]\\])+\]|[^\\\[\](){}*+?.|^$])"
_FIXED = rf"(?:{_CLASS}(?:\{{\d{{1,2}}\}})?)*"
_REPEATED = rf"{_CLASS}(?:\+|\{{\d{{1,2}},\}})"
SIMPLE_PATTERN = re.compile(rf"(?:\(\?[aiu]+\))?(?:{_FIXED}{_REPEATED}|\\b{_FIXED}{_REPEATED}(?:\\b)?)")
"""Single characters or sets of them, of which only the last repeats without end.

A word is found or not found in one pass then. Anything more can take the square of a text's length, or for ever, and
whoever sends a request chooses the text.
"""


def settled_words(name: str, declared: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the parameters of a vectoriser as scikit-learn takes them, after what it would only say in the fit.

    Raises
    ------
    JobError
        SpecInvalid, with the parameter.
    """
    given = {SIZES[name]: MOST_WORDS, **declared}
    if given.get("vocabulary") is not None:
        raise spec_error(f"{place}.vocabulary: {name} learns its words from the texts; leave it out.")
    for parameter, everything in (("max_df", 1.0), ("min_df", 1)):
        # Kubernetes writes 1.0 as 1: of documents, all at most and one at least.
        if given.get(parameter) == 1 and not isinstance(given[parameter], bool):
            given[parameter] = everything
    if "ngram_range" in given:
        given["ngram_range"] = _ngram_range(given["ngram_range"], place)
    low, high = given.get("min_df", 1), given.get("max_df", 1.0)
    if type(low) is type(high) and isinstance(low, int | float) and high < low:
        raise spec_error(f"{place}.max_df: {high} is below min_df, which is {low}: no word would be left.")
    if isinstance(pattern := given.get("token_pattern"), str):
        _check_pattern(pattern, f"{place}.token_pattern")
    if isinstance(stopped := given.get("stop_words"), list) and not all(isinstance(word, str) for word in stopped):
        raise spec_error(f"{place}.stop_words: must be english, or a list of words.")
    return given


def _ngram_range(value: Any, place: str) -> tuple[int, int]:
    whole = isinstance(value, list | tuple) and len(value) == 2 and all(type(one) is int for one in value)  # noqa: PLR2004 - from, to
    if not whole or not 1 <= value[0] <= value[1] <= LONGEST_NGRAM:
        raise spec_error(
            f"{place}.ngram_range: {value!r} must be [least, most], whole numbers of words from 1 to {LONGEST_NGRAM}, "
            "such as [1, 2] for single words and pairs."
        )
    return value[0], value[1]


def _check_pattern(pattern: str, field: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise spec_error(f"{field}: {pattern!r} is no regular expression: {error}.") from error
    if len(pattern) > LONGEST_PATTERN or SIMPLE_PATTERN.fullmatch(pattern) is None:
        raise spec_error(
            f"{field}: {pattern!r} may take for ever on some texts. Write characters or sets of them, of which only "
            r"the last repeats without end, such as \b\w\w+\b, [a-z]{3,} or #\w+; \b after it wants \b before it."
        )


def check_vocabularies(pipeline: Any, rows: FeatureRows, memory: Memory) -> list[str]:
    """Find the words of each column of text before all is fitted; returns a sentence for each.

    Raises
    ------
    JobError
        SpecInvalid, with the step and the column, when there are no words; OutOfMemory when the rows by the words do
        not fit.
    """
    told, width = [], 0
    for chain, column in _columns_of_words(pipeline):
        made = chain.steps[-1][1]
        name, step = type(made).__name__, chain.steps[-1][0].removeprefix("step_")
        place = f"spec.training.preprocessing[{step}]"
        texts = FeatureRows(rows.columns[column : column + 1], rows.values[column : column + 1])
        try:
            memory.check_words(_words_in(made, rows.values[column]), f"{place}: {name}")
            fitted = clone(chain).fit(texts.arrow())
        except ValueError as error:
            raise spec_error(
                f"{place}: {name} finds no words in column {rows.columns[column].name!r} of {len(rows):,} rows: "
                f"{error}. Look at its token_pattern, stop_words, min_df and max_df."
            ) from error
        size = SIZES[name]
        bound = getattr(made, size)
        words = bound if name == "HashingVectorizer" else len(fitted.steps[-1][1].vocabulary_)
        width += words
        told.append(
            f"{name} makes {words:,} columns of {rows.columns[column].name!r} ({size}: "
            f"{'none' if bound is None else format(bound, ',')})."
        )
        memory.check_dense(len(rows), width, f"{place}.parameters.{size}: {name}")
    return told


def _words_in(vectoriser: Any, texts: Any) -> int:
    """Estimate how many words there are to count, from texts spread over all."""
    words = vectoriser.build_analyzer()
    looked_at = texts[:: -(-len(texts) // MOST_LOOKED_AT)]
    return sum(len(words(str(text))) for text in looked_at) * len(texts) // len(looked_at)


def _columns_of_words(pipeline: Any) -> list[tuple[Any, int]]:
    """Return each chain that ends in a vectoriser, and the place of its column."""
    spread = dict(pipeline.steps).get("columns")
    if spread is None:
        return []
    return [
        (chain, places[0])
        for _, chain, places in spread.transformers
        if isinstance(chain, Pipeline) and type(chain.steps[-1][1]).__name__ in VECTORISERS
    ]
