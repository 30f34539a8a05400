"""Which columns a preprocessing step is about, and whether a column's missing values are filled."""

from __future__ import annotations

from collections.abc import Sequence

from evermodel.contract import Column, ColumnKind, PreprocessingStep

ALL = "*"
NUMBERS = "dtype:number"
TEXTS = "dtype:text"
DATES = "dtype:date"
SELECTORS = {
    ALL: frozenset(ColumnKind),
    NUMBERS: {ColumnKind.NUMBER},
    TEXTS: {ColumnKind.TEXT},
    DATES: {ColumnKind.DATE},
}
"""What may stand for names in a step's columns."""
VECTORISERS = frozenset({"CountVectorizer", "HashingVectorizer", "TfidfVectorizer"})
"""Transformers that make a column of each word: a missing text has none of them."""
ENCODERS = frozenset({"OneHotEncoder", "OrdinalEncoder", "TargetEncoder"}) | VECTORISERS
"""Transformers that make numbers of text: a column that one of them names is text when any of its cells is."""
DATE_PARTS = "DateParts"
IMPUTERS = frozenset({"KNNImputer", "SimpleImputer"})
LET_MISSING_THROUGH = frozenset(
    {"MaxAbsScaler", "MinMaxScaler", "PowerTransformer", "QuantileTransformer", "RobustScaler", "StandardScaler"}
)
"""Transformers that leave a missing value missing, for a later imputer to fill."""


def is_about(step: PreprocessingStep, column: Column) -> bool:
    """Whether a step names a column of the source, or all of its kind."""
    return column.name in step.columns or any(
        column.kind in kinds for selector, kinds in SELECTORS.items() if selector in step.columns
    )


def is_imputed(column: Column, steps: Sequence[PreprocessingStep]) -> bool:
    """Whether missing values of a column are filled before a step that cannot take them."""
    for place, step in enumerate(steps):
        if not is_about(step, column):
            continue
        if step.transformer == DATE_PARTS:  # its columns are reached as all numbers
            return any(
                later.transformer in IMPUTERS and {ALL, NUMBERS} & set(later.columns) for later in steps[place + 1 :]
            )
        if step.transformer in IMPUTERS or (step.transformer in VECTORISERS and column.kind is ColumnKind.TEXT):
            return True
        if step.transformer not in LET_MISSING_THROUGH:
            return False
    return False
