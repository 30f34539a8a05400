"""Fit a pipeline as scikit-learn does, with its matrices made by blocks of rows: one of them at a time is whole.

``Pipeline.fit`` holds the rows, what every part makes of them and the matrix of all parts at once. Up to
``ROWS_AT_ONCE`` rows the result is the same to the last bit; above, means and variances are, to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from evermodel_runtime.data.memory import Memory
from evermodel_runtime.data.merging import Weights
from evermodel_runtime.data.rows import Labels
from evermodel_runtime.train.age_weights import weighing

ROWS_AT_ONCE = 1 << 14
ROW_BY_ROW = frozenset(
    {
        "CastTransformer",
        "MaxAbsScaler",
        "MinMaxScaler",
        "OneHotEncoder",
        "OrdinalEncoder",
        "RobustScaler",
        "SimpleImputer",
        "StandardScaler",
    }
)
"""Transformers whose ``fit_transform`` is ``fit`` and then ``transform``, which takes each row by itself."""


def fit_by_blocks(pipeline: Any, rows: Any, labels: Labels, weights: Weights | None = None) -> Any:
    """Fit in place and return the pipeline.

    Parameters
    ----------
    pipeline : Pipeline
        Not fitted.
    rows : array of float64 or pyarrow.Table
        Made for this fit alone: the array is written over.
    labels : array of shape (rows,)
        The target.
    weights : array of float or None
        How much each row counts for the estimator; None where all count alike.
    """
    matrix = rows
    for place, (name, step) in enumerate(pipeline.steps[:-1]):
        if not _is_row_by_row(step, matrix):
            matrix = step.fit_transform(matrix, labels)
            continue
        fitted = _fit(step, matrix, labels)
        pipeline.steps[place] = (name, fitted)
        matrix = _transformed(fitted, matrix)
    pipeline.steps[-1][1].fit(matrix, labels, **weighing(weights))
    return pipeline


def _is_row_by_row(step: Any, rows: Any) -> bool:
    if not isinstance(rows, np.ndarray | pa.Table):
        return False  # words of free text may have made it sparse
    if isinstance(step, Pipeline):
        return all(_is_row_by_row(inner, rows) for _, inner in step.steps)
    if isinstance(step, ColumnTransformer):  # of a table: over a matrix, parts are slices that are copied
        return isinstance(rows, pa.Table) and all(_is_row_by_row(part, rows) for _, part, _ in step.transformers)
    return type(step).__name__ in ROW_BY_ROW


def _fit(step: Any, rows: Any, labels: Labels) -> Any:
    """Fit a step: scalers block by block where they can, since their sums take five times the memory of the rows."""
    if isinstance(step, ColumnTransformer):
        return _fit_parts(step, rows, labels)
    if not hasattr(step, "partial_fit"):
        return step.fit(rows, labels)
    for block in _blocks(len(rows)):
        step.partial_fit(rows[block], labels[block])
    return step


def _fit_parts(step: Any, rows: Any, labels: Labels) -> Any:
    """Fit each part on its columns, one after the other; the step itself sees a row, to learn how wide they are."""
    declared = step.transformers
    step.transformers = [
        (name, FrozenEstimator(_fit(clone(part), rows.select(columns), labels)), columns)
        for name, part, columns in declared
    ]
    step.fit(rows.slice(0, 1), labels[:1])
    step.transformers = declared
    step.transformers_ = [(name, frozen.estimator, columns) for name, frozen, columns in step.transformers_]
    return step


def _transformed(step: Any, rows: Any) -> Any:
    """Transform block by block, into the same array where the result fits into it.

    Raises
    ------
    JobError
        OutOfMemory, when the matrix of all rows does not fit into memory.
    """
    first = step.transform(rows[:1])
    made = rows
    if not (isinstance(rows, np.ndarray) and rows.dtype == first.dtype and rows.shape[1] == first.shape[1]):
        _check_memory(len(rows), first.shape[1])
        made = np.empty((len(rows), first.shape[1]), first.dtype)
    for block in _blocks(len(rows)):
        made[block] = step.transform(rows[block])
    return made


def _check_memory(rows: int, columns: int) -> None:
    # Beside the matrix, first a block of it by parts and side by side, then a copy that the estimator may make.
    copies = 1 + max(1.0, 2 * min(ROWS_AT_ONCE, rows) / rows)
    Memory.of_this_process().check_dense(rows, columns, "spec.training.preprocessing", copies=copies)


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(start, min(start + ROWS_AT_ONCE, rows)) for start in range(0, rows, ROWS_AT_ONCE))
