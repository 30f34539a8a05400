"""Estimators that compare each row with each other one: what that takes grows with the square of the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sklearn.base import BaseEstimator
from sklearn.ensemble import BaggingClassifier, BaggingRegressor

from evermodel_runtime.data.memory import Memory

MATRICES: Final[Mapping[str, float]] = {
    "GaussianProcessClassifier": 7.5,
    "GaussianProcessRegressor": 10.0,
    "KernelRidge": 3.2,
    "LabelPropagation": 1.1,
    "LabelSpreading": 3.1,
}
"""Matrices of all rows by all rows, of float64, that a fit has at its peak: measured with 1,500 to 3,000 rows."""
OF_NEIGHBOURS: Final = "knn"
"""The kernel that compares a row with few others."""


def check_row_pairs(estimator: Any, rows: int, memory: Memory) -> None:
    """Refuse an estimator, or a member of one, whose pairs of rows do not fit.

    Raises
    ------
    JobError
        OutOfMemory, with the estimator, the rows, the size and the limit.
    """
    for part, learnt_from in _parts(estimator, rows):
        name = type(part).__name__
        if name in MATRICES and getattr(part, "kernel", None) != OF_NEIGHBOURS:
            memory.check_pairs(learnt_from, MATRICES[name], f"spec.training: {name}")


def _parts(estimator: Any, rows: int) -> Iterator[tuple[Any, int]]:
    """Yield an estimator and its members, each with how many rows it learns from."""
    yield estimator, rows
    if isinstance(estimator, BaggingClassifier | BaggingRegressor):
        drawn = estimator.max_samples  # a whole number of rows, or a share of them
        rows = min(rows, drawn) if isinstance(drawn, int) else int(rows * (1.0 if drawn is None else drawn))
    for member in estimator.get_params(deep=False).values():
        yield from _members(member, rows)


def _members(value: Any, rows: int) -> Iterator[tuple[Any, int]]:
    if isinstance(value, BaseEstimator):
        yield from _parts(value, rows)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _members(one, rows)
