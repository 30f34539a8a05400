"""Plain JSON in place of tensors: rows as lists or by column name, and answers row by row."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from evermodel.contract import PredictRequest
from evermodel_runtime.serve.protocol import MAX_ROWS, RequestError, malformed
from evermodel_runtime.serve.rows import Rows, Schema, finite_rows, in_one_spelling, shown

_NUMBERS = frozenset({int, float, bool})
_TEXTS = frozenset({str})
_EXAMPLE = '{"instances": [[…], …]} or {"instances": [{"column": …}, …]}'


_decoder = msgspec.json.Decoder(PredictRequest)


def read_instances(schema: Schema, body: bytes) -> tuple[Rows, list[str] | None]:
    """Read the body of a plain request and check every value; the second is what the caller calls the rows."""
    try:
        request = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise RequestError(f"the body has no instances like {_EXAMPLE}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(malformed(body, error)) from error
    instances = request.instances
    if not instances:
        raise RequestError("the request has no instances: send at least one")
    if len(instances) > MAX_ROWS:
        raise RequestError(
            f"the request has {len(instances):,} instances; it may have {MAX_ROWS:,}: send several requests", 413
        )
    return _rows(schema, [_in_order(schema, place, row) for place, row in enumerate(instances)]), request.ids


def _in_order(schema: Schema, place: int, row: list[Any] | dict[str, Any]) -> Sequence[Any]:
    if isinstance(row, list):
        if len(row) != len(schema.names):
            raise RequestError(
                f"row {place} has {len(row):,} values; expected {len(schema.names)}, in this order: {_names(schema)}"
            )
        return row
    if missing := [name for name in schema.names if name not in row]:
        nulls = "; a missing value is sent as null" if missing[0] in schema.nullable else ""
        raise RequestError(
            f"row {place} lacks column {missing[0]!r} ({len(missing)} in all); the model takes {_names(schema)}{nulls}"
        )
    if len(row) > len(schema.names):
        unknown = next(name for name in row if name not in schema.names)
        raise RequestError(f"row {place} has {unknown[:80]!r}, which is no column of the model: leave it out")
    return [row[name] for name in schema.names]


def _names(schema: Schema) -> str:
    more = len(schema.names) - 8
    return ", ".join(map(repr, schema.names[:8])) + (f" and {more} more" if more > 0 else "")


def _rows(schema: Schema, table: list[Sequence[Any]]) -> Rows:
    if not schema.texts:
        return finite_rows(schema, _numbers(schema, table), [])
    columns = dict(zip(schema.names, zip(*table, strict=True), strict=True))
    numbers = list(zip(*(columns[name] for name in schema.numbers), strict=True)) or [()] * len(table)
    return finite_rows(
        schema, _numbers(schema, numbers), [_texts(schema, name, columns[name]) for name in schema.texts]
    )


def _numbers(schema: Schema, table: Sequence[Sequence[Any]]) -> NDArray[np.float64]:
    """Return number columns as a matrix: true and false are 1 and 0, null is NaN."""
    if not _NUMBERS.issuperset(map(type, chain.from_iterable(table))):
        _check(schema, _cells(schema.numbers, table), _NUMBERS, "a number")
    try:
        return np.array(table, np.float64)
    except OverflowError as error:
        row, column = _too_large(_cells(schema.numbers, table))
        raise RequestError(f"row {row} of column {column!r} is too large for 64-bit floats") from error


def _texts(schema: Schema, name: str, values: Sequence[Any]) -> list[str]:
    if not _TEXTS.issuperset(map(type, values)):
        what = "a date as text" if name in schema.dates else "a text"
        _check(schema, ((row, name, value) for row, value in enumerate(values)), _TEXTS, what)
    texts = ["" if value is None else value for value in values]
    if name not in schema.dates:
        return texts
    return in_one_spelling(texts, nullable=name in schema.nullable, place=lambda row: f"row {row} of column {name!r}")


def _cells(names: Sequence[str], table: Sequence[Sequence[Any]]) -> Iterator[tuple[int, str, Any]]:
    return ((row, name, value) for row, values in enumerate(table) for name, value in zip(names, values, strict=True))


def _check(schema: Schema, cells: Iterable[tuple[int, str, Any]], allowed: frozenset[type], what: str) -> None:
    for row, name, value in cells:
        if type(value) not in allowed and not (value is None and name in schema.nullable):
            raise RequestError(f"row {row} of column {name!r} is {shown(value)}, not {what}")


def _too_large(cells: Iterable[tuple[int, str, Any]]) -> tuple[int, str]:
    largest = np.finfo(np.float64).max
    return next((row, name) for row, name, value in cells if isinstance(value, int) and abs(value) > largest)
