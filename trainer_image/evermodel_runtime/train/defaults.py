"""What is done with the columns when no preprocessing is declared."""

from __future__ import annotations

import numpy as np

from evermodel.contract import ColumnKind, PreprocessingStep
from evermodel_runtime.data.failure import listed, spec_error
from evermodel_runtime.data.rows import FeatureRows
from evermodel_runtime.train.estimators import TREES

COUNTS = frozenset({"CategoricalNB", "ComplementNB", "MultinomialNB"})
"""Estimators that take counts or codes, which are no longer any once they are scaled."""
MOST_CATEGORIES = 255
"""Different texts of a column that are one-hot encoded without being asked."""
FILLED_WITH = "missing"


def default_steps(rows: FeatureRows, estimator: str) -> tuple[PreprocessingStep, ...]:
    """Fill missing values, one-hot encode text, and scale numbers for estimators that compare them with each other.

    Trees see only the order of a column's values, which scaling does not change: their numbers stay as they are.
    """
    numbers = tuple(c.name for c in rows.columns if c.kind is ColumnKind.NUMBER)
    texts = tuple(c.name for c in rows.columns if c.kind is ColumnKind.TEXT)
    nullable = {column.name for column in rows.columns if column.nullable}
    _refuse_free_text(rows)
    steps = [
        _step("SimpleImputer", [name for name in numbers if name in nullable], strategy="median"),
        _step(
            "SimpleImputer",
            [name for name in texts if name in nullable],
            strategy="constant",
            fill_value=FILLED_WITH,
        ),
        _step("OneHotEncoder", texts),
        _step("StandardScaler", () if estimator in TREES | COUNTS else numbers),
    ]
    return tuple(step for step in steps if step.columns)


def described(steps: tuple[PreprocessingStep, ...]) -> str:
    """Say in a sentence what the defaults do."""
    words = {
        "SimpleImputer": "missing values of {} are filled",
        "OneHotEncoder": "{} are one-hot encoded",
        "StandardScaler": "{} are scaled",
    }
    parts = [
        f"{words[step.transformer].format(listed(step.columns))}"
        f"{' with the ' + step.parameters['strategy'] if step.parameters.get('strategy') == 'median' else ''}"
        f"{' with ' + repr(FILLED_WITH) if step.parameters.get('strategy') == 'constant' else ''}"
        for step in steps
    ]
    return "No preprocessing is declared: " + ("; ".join(parts) if parts else "numbers are taken as they are") + "."


def _step(transformer: str, columns: list[str] | tuple[str, ...], **parameters: str) -> PreprocessingStep:
    return PreprocessingStep(transformer=transformer, columns=tuple(columns), parameters=dict(parameters))


def _refuse_free_text(rows: FeatureRows) -> None:
    for column, values in zip(rows.columns, rows.values, strict=True):
        if column.kind is not ColumnKind.TEXT:
            continue
        different = len(set(values.tolist()))
        if different > MOST_CATEGORIES:
            raise spec_error(
                f"Column {column.name!r} holds {different:,} different texts in {len(values):,} rows, such as "
                f"{str(values[int(np.argmax([len(str(value)) for value in values[:50]]))])[:60]!r}: too many to "
                f"one-hot encode without being asked (at most {MOST_CATEGORIES}). Name the other columns in "
                "spec.data.features, or declare what to do in spec.training.preprocessing, such as "
                f"{{transformer: TfidfVectorizer, columns: [{column.name}]}} for the words of free text, or "
                "OneHotEncoder or OrdinalEncoder for categories."
            )
