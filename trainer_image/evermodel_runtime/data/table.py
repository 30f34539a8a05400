"""A file in memory: named columns of Arrow, and where each row stands in the file."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from evermodel_runtime.data.failure import data_error, did_you_mean, listed

LONGEST_NAME = 253
"""Characters of a column's name: as many as spec.data.features and the requests of clients can hold."""
SHOWN_NAME = 60
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
TEXT = pa.dictionary(pa.int32(), pa.string())
"""How text is kept: each different value once."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a folder: its first row in the table, its path, and the lines of its rows."""

    start: int
    path: str
    lines: Sequence[int] | None


@dataclass(frozen=True, slots=True)
class Table:
    """What a file holds, whatever its format.

    Attributes
    ----------
    name : str
        The source's URI, for messages.
    header : tuple of str
        Names of all columns of the file.
    columns : dict of str to pyarrow.ChunkedArray
        Those that were read. Text is ``TEXT``; CSV has only text and float64.
    lines : sequence of int or None
        Line of the file on which each row ends; None in a format that has no lines.
    parts : tuple of Part
        Files of the folder that was read; none when it was one file.
    """

    name: str
    header: tuple[str, ...]
    columns: dict[str, Any]
    lines: Sequence[int] | None
    parts: tuple[Part, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def place(self, row: int) -> str:
        """Name a row as people count: ``row 12 (line 13)``, in a folder with its file."""
        if not self.parts:
            return _place(row, self.lines)
        part = self.parts[bisect_right(self.parts, row, key=lambda part: part.start) - 1]
        return f"{_place(row - part.start, part.lines)} of {part.path}"

    def cell(self, name: str, row: int) -> object:
        """Return one value, to be shown."""
        value = self.columns[name][row].as_py()
        return "" if value is None else value

    def require(self, names: tuple[str, ...], field: str) -> None:
        """Refuse columns that the file does not have; ``field`` says who asked for them."""
        missing = [name for name in names if name not in self.header]
        if missing:
            raise data_error(
                f"{self.name} has no column {listed([repr(name) for name in missing])}, which {field} names."
                f"{did_you_mean(missing[0], self.header)} Its columns are {listed(self.header)}."
            )


def _place(row: int, lines: Sequence[int] | None) -> str:
    return f"row {row + 1}" if lines is None else f"row {row + 1} (line {lines[row]})"


def checked_header(names: Sequence[str], file: str) -> tuple[str, ...]:
    """Return the names of a file's columns, trimmed; refuse what no one could refer to."""
    header = tuple(column.strip() for column in names)
    if len(header) == 1:
        raise data_error(
            f"{file} has a single column, {_short(header[0])}: a target and at least one feature are needed. In a CSV "
            "file, name what stands between the values in spec.data.format.delimiter."
        )
    twice = [column for column, count in Counter(header).items() if count > 1]
    if twice:
        places = [place for place, column in enumerate(header, start=1) if column == twice[0]]
        raise data_error(
            f"{file}: column name {listed([_short(column) for column in twice])} occurs more than once, {twice[0]!r} "
            f"as columns {' and '.join(map(str, places[:2]))}. Rename one of them."
        )
    if "" in header:
        place = header.index("") + 1
        raise data_error(f"{file}: column {place} has no name in the header. {_naming(place, len(header))}")
    for place, column in enumerate(header, start=1):
        if len(column) > LONGEST_NAME:
            raise data_error(
                f"{file}: the name of column {place} has {len(column):,} characters, {_short(column)}; at most "
                f"{LONGEST_NAME} are taken. Is the first line a header?"
            )
        if _CONTROL.search(column):
            raise data_error(
                f"{file}: the name of column {place}, {column!r}, has control characters or line ends in it, which "
                "nobody can write in a request. Rename it."
            )
    return header


def _naming(place: int, width: int) -> str:
    """Say what to do about a column without a name, which often is no column that anyone meant to write."""
    if place == 1:
        return "Give it one, or write the file without it, if it only counts the rows (to_csv(..., index=False))."
    if place == width:
        return "Give it one, or take away the delimiter at the end of each line."
    return "Give it one."


def _short(name: str) -> str:
    """Return a name in quotes, cut where it is too long to be read."""
    return repr(name if len(name) <= SHOWN_NAME else f"{name[:SHOWN_NAME]}…")
