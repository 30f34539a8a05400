"""From a table's columns to numbers and texts, with the first wrong cell named."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.types
from numpy.typing import NDArray

from evermodel.contract import ColumnKind
from evermodel_runtime.data.csvarrow import MISSING
from evermodel_runtime.data.dates import EXAMPLES, canonical
from evermodel_runtime.data.failure import JobError, data_error, listed
from evermodel_runtime.data.table import TEXT, Table

MOST_DATES = 0.9
"""Share of the different texts of a column that have to be dates, for it to be one of dates unasked."""
TRUTHS = {"true": 1.0, "false": 0.0}
LARGEST = float(np.finfo(np.float32).max)
Places = NDArray[np.intp]
Values = NDArray[np.float32]
Words = NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class ColumnSurvey:
    """What the cells of a column look like; the arrays hold row indices.

    Attributes
    ----------
    values : array of float32
        The cells as numbers; NaN where one is missing or is none.
    """

    values: Values
    missing: Places
    infinite: Places
    texts: Places

    @property
    def numbers(self) -> int:
        """How many cells are finite numbers."""
        return len(self.values) - len(self.missing) - len(self.infinite) - len(self.texts)

    @property
    def kind(self) -> ColumnKind:
        """A column is a number when most of its cells are: a few that are not are mistakes, and are reported."""
        return ColumnKind.NUMBER if self.numbers + len(self.infinite) > len(self.texts) else ColumnKind.TEXT


def survey(table: Table, name: str) -> ColumnSurvey:
    """Sort the cells of a column by what they are.

    Raises
    ------
    JobError
        DataInvalid when they are neither numbers nor text: times, lists, bytes.
    """
    column = table.columns[name]
    if column.type == TEXT:
        return _survey_texts(*words_of(table, name))
    if not (pyarrow.types.is_integer(column.type) or pyarrow.types.is_floating(column.type)):
        raise data_error(
            f"{table.name}: column {name!r} holds values of type {column.type}, which are neither numbers nor text. "
            "Write them as numbers or text, or leave the column out of spec.data.features."
        )
    values = np.empty(len(column), dtype=np.float32)
    infinite = []
    start = 0
    for chunk in column.chunks:
        wide = chunk.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
        infinite.append(start + np.flatnonzero(np.abs(wide) > LARGEST))
        with np.errstate(over="ignore"):
            values[start : start + len(wide)] = wide
        start += len(wide)
    return _survey(values, np.concatenate(infinite) if infinite else _no_places(), _no_places())


def words_of(table: Table, name: str) -> tuple[Places, list[str]]:
    """Return the different texts of a column and, for each row, which of them it holds; null is the empty text."""
    column = table.columns[name]
    words: list[str] = [] if not column.num_chunks else column.chunk(0).dictionary.to_pylist()
    codes = np.concatenate([chunk.indices.to_numpy(zero_copy_only=False) for chunk in column.chunks] or [_no_places()])
    if codes.dtype.kind == "f":  # some are null
        codes = np.where(np.isnan(codes), len(words), codes)
        words = [*words, ""]
    return codes.astype(np.intp, copy=False), ["" if word is None else word for word in words]


def spelled(table: Table, name: str) -> tuple[Places, list[str]]:
    """Return what ``words_of`` does for a column of any plain type: numbers as Python writes them."""
    column = table.columns[name]
    if column.type == TEXT:
        return words_of(table, name)
    if not (pyarrow.types.is_integer(column.type) or pyarrow.types.is_floating(column.type)):
        raise data_error(
            f"{table.name}: column {name!r} holds values of type {column.type}, which are neither numbers nor text. "
            "Write them as such, or name another column in spec.data.target or idColumn."
        )
    unique = pa.chunked_array([column.combine_chunks()]).dictionary_encode()
    codes, values = unique.chunk(0).indices, unique.chunk(0).dictionary.to_pylist()
    return codes.fill_null(len(values)).to_numpy().astype(np.intp), [*map(str, values), ""]


def as_numbers(table: Table, name: str, found: ColumnSurvey) -> Values:
    """Return a column of numbers as float32, NaN where one is missing.

    Raises
    ------
    JobError
        DataInvalid, with the row and the value of the first cell that is no finite number.
    """
    if len(found.texts):
        row = int(found.texts[0])
        raise data_error(
            f"{table.name}: column {name!r} is a number in {found.numbers:,} of {len(table):,} rows, but "
            f"{table.place(row)} holds {table.cell(name, row)!r}{_others(found.texts)}. Correct these cells, and leave "
            "those empty whose value is missing; if the column is text, name it in a OneHotEncoder step of "
            "spec.training.preprocessing."
        )
    if len(found.infinite):
        row = int(found.infinite[0])
        raise data_error(
            f"{table.name}: column {name!r} holds {_shown(table.cell(name, row))} in {table.place(row)}"
            f"{_others(found.infinite)}: numbers must be finite and fit into 32-bit floats. Correct these cells, or "
            "leave them empty to have them count as missing."
        )
    return found.values


def refuse_missing(table: Table, name: str, found: ColumnSurvey) -> None:
    """Refuse cells without a value, where nothing fills them."""
    if len(found.missing):
        raise _no_value(table, name, found.missing)


def _no_value(table: Table, name: str, missing: Places) -> JobError:
    return data_error(
        f"{table.name}: column {name!r} has no value in {len(missing):,} of {len(table):,} rows: "
        f"{listed([table.place(int(row)) for row in missing])}. Fill or remove these rows, add a "
        "SimpleImputer step for the column to spec.training.preprocessing, or leave it out of spec.data.features."
    )


def texts_of(table: Table, name: str) -> Words:
    """Return a column of text as it stands in the file; an empty cell is a category of its own."""
    codes, words = spelled(table, name)
    return np.array([*words, ""], dtype=np.object_)[codes]


def dates_of(table: Table, name: str) -> Words:
    """Return a column of dates, each in the one spelling of ``canonical``; empty where one is missing.

    Raises
    ------
    JobError
        DataInvalid, with the row and the value of the first cell that is no date.
    """
    codes, words = spelled(table, name)
    dates = ["" if word.strip().lower() in MISSING else canonical(word) for word in words]
    wrong = np.flatnonzero(np.array([date is None for date in dates], dtype=np.bool_)[codes])
    if len(wrong):
        row = int(wrong[0])
        raise data_error(
            f"{table.name}: column {name!r} holds dates, but {table.place(row)} holds {str(table.cell(name, row))!r}"
            f"{_others(wrong)}, which is none. Write dates in ISO 8601, such as {EXAMPLES}, and leave a missing one "
            "empty; if the column is text, name it in a step for text of spec.training.preprocessing."
        )
    return np.array([*dates, ""], dtype=np.object_)[codes]


def are_dates(table: Table, name: str) -> bool:
    """Whether nearly all different texts of a column are dates: the others are mistakes, and are reported."""
    if table.columns[name].type != TEXT:
        return False
    filled = [word for word in words_of(table, name)[1] if word.strip().lower() not in MISSING]
    return bool(filled) and sum(canonical(word) is not None for word in filled) >= MOST_DATES * len(filled)


def refuse_missing_dates(table: Table, name: str, dates: Values | Words) -> None:
    """Refuse cells without a date, where nothing fills them."""
    empty = np.flatnonzero(dates == "")
    if len(empty):
        raise _no_value(table, name, empty)


def _survey_texts(codes: Places, words: list[str]) -> ColumnSurvey:
    read = _truth if _are_truths(words) else _number
    values = np.array([read(word) for word in words], dtype=np.float64)
    kinds = np.array([_sort(word, value) for word, value in zip(words, values.tolist(), strict=True)], dtype="U1")
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float32)[codes]
    of_row = kinds[codes]
    return _survey(numbers, np.flatnonzero(of_row == "i"), np.flatnonzero(of_row == "t"))


def _survey(values: Values, infinite: Places, texts: Places) -> ColumnSurvey:
    empty = np.isnan(values)
    empty[texts] = False
    empty[infinite] = False
    return ColumnSurvey(values, np.flatnonzero(empty), infinite, texts)


def _are_truths(words: Sequence[str]) -> bool:
    """Tell whether a column holds nothing but true and false: numbers, whichever way a format spells them."""
    filled = {folded for word in words if (folded := word.strip().lower()) not in MISSING}
    return bool(filled) and filled <= TRUTHS.keys()


def _truth(word: str) -> float:
    return TRUTHS.get(word.strip().lower(), math.nan)


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan


def _sort(word: str, value: float) -> str:
    if not math.isnan(value):
        return "i" if abs(value) > LARGEST else "n"
    return "m" if word.strip().lower() in MISSING else "t"


def _no_places() -> Places:
    return np.empty(0, dtype=np.intp)


def _others(rows: Sequence[int] | Places) -> str:
    return f" (and {len(rows) - 1:,} more rows likewise)" if len(rows) > 1 else ""


def _shown(value: object) -> str:
    return repr(str(value))
