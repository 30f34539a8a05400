"""From the tables that people have to rows of JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Protocol, runtime_checkable

import msgspec

MISSING = frozenset({"NAType", "NaTType"})
"""Types of what marks a missing value in pandas, by name: pandas is not imported here."""
Row = Mapping[str, Any] | Sequence[Any]


@runtime_checkable
class PandasFrame(Protocol):
    """A DataFrame of pandas, or one that acts like it."""

    def to_dict(self, orient: Any) -> Any:
        """Return the rows, for the orient "records"."""


@runtime_checkable
class PolarsFrame(Protocol):
    """A DataFrame of polars."""

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the rows."""


@runtime_checkable
class ArrowTable(Protocol):
    """A table or record batch of pyarrow."""

    def to_pylist(self) -> list[dict[str, Any]]:
        """Return the rows."""


@runtime_checkable
class Array(Protocol):
    """An array of numpy."""

    def tolist(self) -> Any:
        """Return the elements as Python's own."""


Table = Iterable[Row] | PandasFrame | PolarsFrame | ArrowTable | Array
"""Rows as lists in column order or as dicts by column name, or a table of numpy, pandas, polars or pyarrow."""


def rows_of(table: Table) -> list[Row]:
    """Return the rows of a table.

    Raises
    ------
    TypeError
        When it is one row, or no table.
    """
    rows = list(_rows(table))
    for place, row in enumerate(rows):
        if isinstance(row, str | bytes) or not isinstance(row, Mapping | Sequence | Array):
            raise TypeError(
                f"row {place} is {row!r:.40}, not a list of values or a dict by column name: send a list of rows"
            )
    return rows


def _rows(table: Table) -> Iterable[Any]:
    if isinstance(table, PolarsFrame):
        return table.to_dicts()
    if isinstance(table, ArrowTable):
        return table.to_pylist()
    if isinstance(table, PandasFrame):
        rows: list[Any] = table.to_dict(orient="records")
        return rows
    if isinstance(table, Mapping):
        raise TypeError("this is one row by column name, or columns by name: send a list of rows")
    if isinstance(table, Array):
        elements = table.tolist()
        return elements if isinstance(elements, list) else [elements]
    return table


def plain(value: object) -> Any:
    """Return a value that JSON does not know as one that it knows.

    NaN becomes null by itself.
    """
    if isinstance(value, Array):
        return value.tolist()
    if type(value).__name__ in MISSING:
        return None
    if isinstance(value, date):  # a Timestamp of pandas; msgspec writes Python's own
        return value.isoformat()
    raise TypeError(f"{value!r:.40} of type {type(value).__name__} is no value that a model takes")


encode = msgspec.json.Encoder(enc_hook=plain, decimal_format="number").encode
