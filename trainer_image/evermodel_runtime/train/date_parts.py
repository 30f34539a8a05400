"""Dates as numbers: a transformer that takes them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from evermodel_runtime.data.dates import canonical

PERIODS: Mapping[str, float] = {
    "month": 12,
    "day": 31,
    "dayofweek": 7,
    "dayofyear": 366,
    "hour": 24,
    "minute": 60,
    "second": 60,
}
"""After how many units a part begins anew."""
PARTS = ("year", "quarter", *PERIODS)
DEFAULT_PARTS = ("year", "month", "day", "dayofweek", "hour")
DAY, YEAR = 86_400, 1970
Floats = NDArray[np.float64]


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Answers the parts of each date, column by column; NaN where it is missing.

    Parameters
    ----------
    parts : list of str
        Of ``PARTS``: months, quarters and days count from 1; dayofweek is 0 on Mondays.
    cyclic : bool
        Answer the sine and the cosine of each part that has a period instead of the part: December is near January.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"parts": [list, tuple], "cyclic": ["boolean"]}

    def __init__(self, parts: Sequence[str] = DEFAULT_PARTS, cyclic: bool = False) -> None:  # noqa: FBT001, FBT002 - scikit-learn sets parameters by name
        self.parts = parts
        self.cyclic = cyclic

    def fit(self, _rows: Any, _labels: Any = None) -> Self:
        """Do nothing: there is nothing to learn."""
        return self

    def transform(self, rows: Any) -> Floats:
        """Return the parts of texts of shape (rows, columns), as an array of shape (rows, columns times parts)."""
        columns = np.asarray(rows, dtype=np.object_).T
        return np.column_stack([part for column in columns for part in self._parts_of(_moments(column))])

    def _parts_of(self, moments: NDArray[np.datetime64]) -> list[Floats]:
        answered: list[Floats] = []
        for name in self.parts:
            values = np.where(np.isnat(moments), np.nan, _part(name, moments))
            if self.cyclic and name in PERIODS:
                angle = 2 * np.pi * values / PERIODS[name]
                answered += [np.sin(angle), np.cos(angle)]
            else:
                answered.append(values)
        return answered

    def __sklearn_is_fitted__(self) -> bool:
        return True


def _moments(texts: NDArray[np.object_]) -> NDArray[np.datetime64]:
    words, codes = np.unique(["" if text is None else str(text) for text in texts.tolist()], return_inverse=True)
    return np.array([_moment(word) for word in words.tolist()], dtype="datetime64[s]")[codes]


def _moment(word: str) -> str:
    if not word:
        return "NaT"
    found = canonical(word)
    if found is None:
        raise ValueError(f"{word!r} is no date")
    return found


def _part(name: str, moments: NDArray[np.datetime64]) -> Floats:
    """Return one part of each; what stands for a missing moment is anything."""
    days, months = moments.astype("datetime64[D]"), moments.astype("datetime64[M]")
    years = moments.astype("datetime64[Y]")
    month = (months - years).astype(np.int64)
    second = (moments - days).astype(np.int64)
    match name:
        case "year":
            found = years.astype(np.int64) + YEAR
        case "quarter":
            found = month // 3 + 1
        case "month":
            found = month + 1
        case "day":
            found = (days - months).astype(np.int64) + 1
        case "dayofweek":
            found = (days.astype(np.int64) + 3) % 7  # the first day of 1970 was a Thursday
        case "dayofyear":
            found = (days - years).astype(np.int64) + 1
        case "hour":
            found = second // 3600
        case "minute":
            found = second // 60 % 60
        case "second":
            found = second % 60
        case _:
            raise ValueError(f"{name} is none of {', '.join(PARTS)}")
    return np.asarray(found, dtype=np.float64)
