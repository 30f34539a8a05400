"""What is done with the columns when no preprocessing is declared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from evermodel.contract import ColumnKind, PreprocessingStep
from evermodel_runtime.data.failure import listed, spec_error
from evermodel_runtime.data.rows import FeatureRows
from evermodel_runtime.data.selection import NUMBERS
from evermodel_runtime.train.estimators import TREES

COUNTS = frozenset({"CategoricalNB", "ComplementNB", "MultinomialNB"})
"""Estimators that take counts or codes, which are no longer any once they are scaled."""
MOST_CATEGORIES = 255
"""Different texts of a column that are one-hot encoded without being asked, in however many rows."""
FEW_TEXTS = 30
"""Different texts that are categories, even if each is in one or two rows."""
FILLED_WITH = "missing"
MIDNIGHT = "T00:00:00"


def default_steps(rows: FeatureRows, estimator: str) -> tuple[PreprocessingStep, ...]:
    """Fill missing values, one-hot encode text, and scale numbers for estimators that compare them with each other.

    Trees see only the order of a column's values, which scaling does not change: their numbers stay as they are.
    """
    numbers = tuple(c.name for c in rows.columns if c.kind is ColumnKind.NUMBER)
    texts = tuple(c.name for c in rows.columns if c.kind is ColumnKind.TEXT)
    dates = tuple(c.name for c in rows.columns if c.kind is ColumnKind.DATE)
    nullable = {column.name for column in rows.columns if column.nullable}
    _refuse_free_text(rows)
    # Where there are dates, their parts are scaled too: a year is a thousand times a month.
    scaled: tuple[str, ...] = (NUMBERS,) if dates else numbers
    steps = [
        _step("SimpleImputer", [name for name in numbers if name in nullable], strategy="median"),
        _step(
            "SimpleImputer",
            [name for name in texts if name in nullable],
            strategy="constant",
            fill_value=FILLED_WITH,
        ),
        _step("SimpleImputer", [name for name in dates if name in nullable], strategy="most_frequent"),
        _step("DateParts", dates, parts=_parts(rows)),
        _step("OneHotEncoder", texts),
        _step("StandardScaler", () if estimator in TREES | COUNTS else scaled),
    ]
    return tuple(step for step in steps if step.columns)


def described(steps: tuple[PreprocessingStep, ...]) -> str:
    """Say in a sentence what the defaults do."""
    parts = [_described(step) for step in steps]
    return "No preprocessing is declared: " + ("; ".join(parts) if parts else "numbers are taken as they are") + "."


def _described(step: PreprocessingStep) -> str:
    columns = listed(step.columns)
    match step.transformer, step.parameters.get("strategy"):
        case "SimpleImputer", "median":
            return f"missing values of {columns} are filled with the median"
        case "SimpleImputer", "most_frequent":
            return f"missing dates of {columns} are filled with the most frequent"
        case "SimpleImputer", _:
            return f"missing values of {columns} are filled with {FILLED_WITH!r}"
        case "DateParts", _:
            return f"dates of {columns} are taken apart into {listed(step.parameters['parts'])}"
        case "OneHotEncoder", _:
            return f"{columns} are one-hot encoded"
        case _:
            return "all columns made so are scaled" if NUMBERS in step.columns else f"{columns} are scaled"


def _step(transformer: str, columns: Sequence[str], **parameters: Any) -> PreprocessingStep:
    return PreprocessingStep(transformer=transformer, columns=tuple(columns), parameters=dict(parameters))


def _parts(rows: FeatureRows) -> list[str]:
    """Return what to make of dates: the hour too, where there are times."""
    days = ["year", "month", "day", "dayofweek"]
    dates = [values for column, values in zip(rows.columns, rows.values, strict=True) if column.kind is ColumnKind.DATE]
    timed = any(str(date) and not str(date).endswith(MIDNIGHT) for values in dates for date in set(values.tolist()))
    return [*days, "hour"] if timed else days


def most_categories(rows: int) -> int:
    """Return how many different texts of a column are one-hot encoded unasked."""
    return min(MOST_CATEGORIES, max(FEW_TEXTS, rows // 2))


def _refuse_free_text(rows: FeatureRows) -> None:
    for column, values in zip(rows.columns, rows.values, strict=True):
        if column.kind is not ColumnKind.TEXT:
            continue
        different = len({value for value in values.tolist() if value})
        categories = most_categories(len(values))
        if different > categories:
            raise spec_error(
                f"Column {column.name!r} holds {different:,} different texts in {len(values):,} rows, such as "
                f"{str(values[int(np.argmax([len(str(value)) for value in values[:50]]))])[:60]!r}: too many to "
                f"one-hot encode without being asked (at most {categories}). Name the other columns in "
                "spec.data.features, or declare what to do in spec.training.preprocessing, such as "
                f"{{transformer: TfidfVectorizer, columns: [{column.name}]}} for the words of free text, or "
                "OneHotEncoder, OrdinalEncoder or TargetEncoder for categories."
            )
