"""From the tensors of a request to rows in the order of the manifest's columns, with every element checked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isfinite
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from evermodel.contract import Column, ColumnKind, Scalar
from evermodel_runtime.data.dates import EXAMPLES, canonical
from evermodel_runtime.data.rows import Inputs
from evermodel_runtime.serve.protocol import (
    INTEGER_BOUNDS,
    MAX_ROWS,
    Datatype,
    RequestError,
    Tensor,
)

MATRIX_DIMENSIONS = 2
_NUMBER_TYPES = frozenset({int, float})
_BOOL_TYPES = frozenset({bool})
_TEXT_TYPES = frozenset({str})


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns that a model takes, split by kind."""

    names: tuple[str, ...]
    kinds: tuple[ColumnKind, ...]
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    dates: frozenset[str]
    """Those of the texts that are dates."""
    nullable: frozenset[str]
    """Those that a row may lack: null is filled as it was in training."""

    @classmethod
    def of(cls, columns: Sequence[Column]) -> "Schema":
        """Build the schema of a manifest's columns."""
        return cls(
            names=tuple(column.name for column in columns),
            kinds=tuple(column.kind for column in columns),
            numbers=tuple(column.name for column in columns if column.kind is ColumnKind.NUMBER),
            texts=tuple(column.name for column in columns if column.kind is not ColumnKind.NUMBER),
            dates=frozenset(column.name for column in columns if column.kind is ColumnKind.DATE),
            nullable=frozenset(column.name for column in columns if column.nullable),
        )


Numbers = NDArray[np.float32] | NDArray[np.float64]


class Rows(msgspec.Struct, frozen=True, gc=False):
    """Checked features of the rows of one request."""

    schema: Schema
    count: int
    received: list[float] | Numbers
    """The numbers as they came, NaN where null was, of shape (rows, number columns) or flat; no list with text."""
    numbers32: NDArray[np.float32]
    """As the model takes them, of shape (rows, number columns)."""
    texts: list[list[str]]
    """One list of rows for each text column, dates in one spelling; empty where null was."""

    def inputs(self) -> Inputs:
        """Return the rows as the model takes them."""
        return inputs_of(self.schema, self.numbers32, self.texts)

    def as_received(self, places: Sequence[int]) -> list[tuple[Scalar, ...]]:
        """Return the raw rows at these places, in the order of the manifest's columns."""
        if isinstance(self.received, list):  # and so there is no text
            width = len(self.schema.names)
            return [tuple(self.received[place * width : (place + 1) * width]) for place in places]
        table = self.received.reshape(self.count, -1)[list(places)]
        if not self.texts:
            return [tuple(row) for row in table.tolist()]
        numbers = iter(table.T.tolist())
        texts = ([column[place] for place in places] for column in self.texts)
        columns = [next(numbers) if kind is ColumnKind.NUMBER else next(texts) for kind in self.schema.kinds]
        return list(zip(*columns, strict=True))


def inputs_of(schema: Schema, numbers: NDArray[np.float32], texts: Sequence[list[str]]) -> Inputs:
    """Return rows as a model takes them: one matrix, or an array for each column where there is text."""
    if not texts:
        return numbers
    each_number, each_text = iter(numbers.T), iter(texts)
    return [
        next(each_number) if kind is ColumnKind.NUMBER else np.array(next(each_text), dtype=object)
        for kind in schema.kinds
    ]


def joined(several: Sequence[Rows]) -> Inputs:
    """Put the rows of several requests to one model one after the other."""
    schema = several[0].schema
    texts = [list(chain.from_iterable(rows.texts[place] for rows in several)) for place in range(len(schema.texts))]
    return inputs_of(schema, np.concatenate([rows.numbers32 for rows in several]), texts)


def read_rows(schema: Schema, inputs: Sequence[Tensor]) -> Rows:
    """Check the tensors of a request and put them in the order of the model's columns.

    Either one numeric tensor of shape [rows, columns] under any name, when all columns are numbers, or one tensor of
    shape [rows] or [rows, 1] for each column, by name and in any order.
    """
    if not inputs:
        raise RequestError(f"the request has no inputs; {_wanted(schema)}")
    for tensor in inputs:
        _check_tensor(tensor)
    if len(inputs) == 1 and not schema.texts:
        return _from_matrix(schema, inputs[0])
    return _from_columns(schema, inputs)


def _wanted(schema: Schema) -> str:
    names = ", ".join(repr(name) for name in schema.names[:8]) + (", …" if len(schema.names) > 8 else "")  # noqa: PLR2004
    each = f"one tensor of shape [rows] for each column ({names})"
    return each if schema.texts else f"send one numeric tensor of shape [rows, {len(schema.names)}] or {each}"


def _check_tensor(tensor: Tensor) -> None:
    if tensor.data is None:
        raise RequestError(
            f"input {tensor.name!r} has no data: send the elements as JSON in 'data', or as bytes after the JSON, with "
            "their number in binary_data_size and that of the JSON's in the header Inference-Header-Content-Length"
        )
    if not tensor.shape or any(size < 0 for size in tensor.shape):
        raise RequestError(f"input {tensor.name!r} has shape {list(tensor.shape)}; sizes must be positive")
    if tensor.shape[0] == 0:
        raise RequestError(f"input {tensor.name!r} has no rows: send at least one")
    if tensor.shape[0] > MAX_ROWS:
        raise RequestError(
            f"input {tensor.name!r} has {tensor.shape[0]:,} rows; a request may have {MAX_ROWS:,}: send several", 413
        )


def _from_matrix(schema: Schema, tensor: Tensor) -> Rows:
    width = len(schema.names)
    one_column = width == 1 and len(tensor.shape) == 1
    if not one_column and (len(tensor.shape) != MATRIX_DIMENSIONS or tensor.shape[1] != width):
        raise RequestError(f"input {tensor.name!r} has shape {list(tensor.shape)}; {_wanted(schema)}")
    values = _numbers(tensor, schema.numbers, schema.nullable)
    return finite_rows(schema, values.reshape(tensor.shape[0], width), [])


def _from_columns(schema: Schema, inputs: Sequence[Tensor]) -> Rows:
    by_name = _by_name(schema, inputs)
    count = inputs[0].shape[0]
    for tensor in inputs:
        if tensor.shape not in ((count,), (count, 1)):
            raise RequestError(
                f"input {tensor.name!r} has shape {list(tensor.shape)}; expected [{count}] or [{count}, 1], "
                f"as many rows as input {inputs[0].name!r}"
            )
    numbers = np.empty((count, len(schema.numbers)))
    for position, name in enumerate(schema.numbers):
        numbers[:, position] = _numbers(by_name[name], (name,), schema.nullable)
    texts = [
        _dates(by_name[name], schema.nullable) if name in schema.dates else _strings(by_name[name], schema.nullable)
        for name in schema.texts
    ]
    return finite_rows(schema, numbers, texts)


def _by_name(schema: Schema, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
    by_name: dict[str, Tensor] = {}
    for tensor in inputs:
        if tensor.name in by_name:
            raise RequestError(f"input {tensor.name!r} is there twice: send each column once")
        by_name[tensor.name] = tensor
    if missing := [name for name in schema.names if name not in by_name]:
        raise RequestError(f"input {missing[0]!r} is missing ({len(missing)} in all); {_wanted(schema)}")
    if len(by_name) > len(schema.names):
        unknown = next(name for name in by_name if name not in schema.names)
        raise RequestError(f"input {unknown!r} is no column of the model: leave it out")
    return by_name


def finite_rows(schema: Schema, numbers: Numbers, texts: list[list[str]]) -> Rows:
    """Return the rows as the model takes them, if it can take each number."""
    with np.errstate(over="ignore"):
        numbers32 = numbers.astype(np.float32, copy=False)
    if isfinite(np.vdot(numbers32, numbers32)):  # in a hundredth of the time of looking at each
        return Rows(schema, len(numbers), numbers, numbers32, texts)
    infinite = ~np.isfinite(numbers32)
    if infinite.any() and (infinite := infinite & ~np.isnan(numbers)).any():
        row, position = np.argwhere(infinite)[0].tolist()
        raise RequestError(
            f"row {row} of column {schema.numbers[position]!r} is {numbers[row, position]}; "
            "numbers must be finite and fit into 32-bit floats"
        )
    return Rows(schema, len(numbers), numbers, numbers32, texts)


def _numbers(tensor: Tensor, columns: tuple[str, ...], nullable: frozenset[str]) -> Numbers:
    if tensor.datatype is Datatype.BYTES:
        what = f"column {columns[0]!r} is a number" if len(columns) == 1 else "the columns are numbers"
        raise RequestError(f"input {tensor.name!r} has datatype BYTES, but {what}: send FP64, INT64 or BOOL")
    values = _flat(tensor, len(columns))
    if isinstance(values, np.ndarray):
        numbers = values if values.dtype == np.float32 else values.astype(np.float64)
        return _checked(tensor, numbers, columns, nullable)
    allowed = _BOOL_TYPES if tensor.datatype is Datatype.BOOL else _NUMBER_TYPES
    _check_types(tensor, values, allowed, columns, nullable)
    try:
        array = np.array(values, dtype=np.float64)  # null becomes NaN
    except OverflowError as error:
        raise RequestError(f"input {tensor.name!r} has a number that is too large for 64-bit floats") from error
    if tensor.datatype in INTEGER_BOUNDS:
        _check_integers(tensor, array, columns)
    return array


def _checked(tensor: Tensor, array: Numbers, columns: tuple[str, ...], nullable: frozenset[str]) -> Numbers:
    """Take NaN for a missing value, where there may be one: bytes have no null."""
    if isfinite(np.vdot(array, array)):
        return array
    lacking = np.isnan(array).reshape(-1, len(columns))
    lacking[:, [column in nullable for column in columns]] = False
    if lacking.any():
        raise RequestError(f"{_place(tensor, int(np.argmax(lacking)), columns)} is NaN, and the column may lack none")
    return array


def _strings(tensor: Tensor, nullable: frozenset[str]) -> list[str]:
    if tensor.datatype is not Datatype.BYTES:
        raise RequestError(
            f"input {tensor.name!r} has datatype {tensor.datatype.value}, but the column is text: "
            "send strings as datatype BYTES"
        )
    values = list(_flat(tensor, 1))
    _check_types(tensor, values, _TEXT_TYPES, (tensor.name,), nullable)
    return ["" if value is None else value for value in values] if None in values else values


def _dates(tensor: Tensor, nullable: frozenset[str]) -> list[str]:
    return in_one_spelling(
        _strings(tensor, nullable),
        nullable=tensor.name in nullable,
        place=lambda row: _place(tensor, row, (tensor.name,)),
    )


def in_one_spelling(texts: Sequence[str], *, nullable: bool, place: Callable[[int], str]) -> list[str]:
    """Return dates in one spelling; empty where an empty text was, if a row may lack it. ``place`` names a row."""
    dates = [text if text == "" and nullable else canonical(text) for text in texts]
    if None in dates:
        row = dates.index(None)
        raise RequestError(
            f"{place(row)} is the text {texts[row][:40]!r}, not a date: send ISO 8601, such as {EXAMPLES}"
        )
    return [date for date in dates if date is not None]


def _flat(tensor: Tensor, width: int) -> list[Any] | NDArray[Any]:
    values = [] if tensor.data is None else tensor.data
    if len(values) and type(values[0]) is list:
        for row, elements in enumerate(values):
            if type(elements) is not list or len(elements) != width:
                size = f"{len(elements)} elements" if type(elements) is list else "no list"
                raise RequestError(f"row {row} of input {tensor.name!r} has {size}; expected a list of {width}")
        values = list(chain.from_iterable(values))
    if len(values) != tensor.shape[0] * width:
        raise RequestError(
            f"input {tensor.name!r} has {len(values):,} elements; its shape {list(tensor.shape)} "
            f"needs {tensor.shape[0] * width:,}"
        )
    return values


def _check_types(
    tensor: Tensor,
    values: list[Any],
    allowed: frozenset[type],
    columns: tuple[str, ...],
    nullable: frozenset[str],
) -> None:
    if allowed.issuperset(map(type, values)):
        return
    for index, value in enumerate(values):
        if type(value) in allowed or (value is None and columns[index % len(columns)] in nullable):
            continue
        raise RequestError(f"{_place(tensor, index, columns)} is {shown(value)}, not {tensor.datatype.value}")


def _check_integers(tensor: Tensor, array: NDArray[np.float64], columns: tuple[str, ...]) -> None:
    low, high = INTEGER_BOUNDS[tensor.datatype]
    wrong = ~np.isnan(array) & ((array != np.floor(array)) | (array < low) | (array > high))
    if wrong.any():
        index = int(np.argmax(wrong))
        raise RequestError(f"{_place(tensor, index, columns)} is {array[index]:g}, not {tensor.datatype.value}")


def _place(tensor: Tensor, index: int, columns: tuple[str, ...]) -> str:
    row, position = divmod(index, len(columns))
    return f"row {row} of column {columns[position]!r} (input {tensor.name!r})"


def shown(value: object) -> str:
    """Describe a value that a caller sent, briefly."""
    if value is None:
        return "null (missing values are not accepted)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if isinstance(value, int | float):
        return f"the number {value!r:.40}"
    return "a list" if isinstance(value, list) else "an object"
