"""Read JSON lines: one object on each line, its values plain."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.json
import pyarrow.types

from evermodel.contract import Scalar
from evermodel_runtime.data.failure import data_error

SAMPLE = 1 << 20
LONGEST_LINE = 1 << 24


def read_json_lines(content: bytes, name: str) -> Any:
    """Return an Arrow table; text that looks like a time stays text.

    Raises
    ------
    JobError
        DataInvalid, with the line and, where one value is at fault, the column.
    """
    if not content.strip():
        raise data_error(f"{name} is empty. At least one row per class is needed.")
    try:
        sample = content[: content.rfind(b"\n", 0, SAMPLE) + 1] or content
        times = [f.name for f in _parsed(sample, []).schema if pyarrow.types.is_timestamp(f.type)]
        return _parsed(content, times)
    except pa.ArrowInvalid as error:
        raise _explained(content, name, str(error)) from error


def _parsed(content: bytes, texts: list[str]) -> Any:
    return pyarrow.json.read_json(
        pa.BufferReader(content),
        read_options=pyarrow.json.ReadOptions(block_size=LONGEST_LINE if len(content) > LONGEST_LINE else None),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=pa.schema([(name, pa.string()) for name in texts])),
    )


def _explained(content: bytes, name: str, otherwise: str) -> Exception:
    """Look for the first line that is no object of plain values, or whose value is of another type than before."""
    decoder = msgspec.json.Decoder(dict[str, Scalar | None])
    seen: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return data_error(
                f"{name}: line {number} is not one JSON object of plain values: {error}. JSON lines are one object on "
                "each line, without a list around them."
            )
        for column, value in row.items():
            if value is None:
                continue
            kind = _kind(value)
            before, line_before = seen.setdefault(column, (kind, number))
            if kind != before:
                return data_error(
                    f"{name}: column {column!r} is {before} in line {line_before}, but line {number} holds the {kind} "
                    f"{value!r}. Write it in one way in all lines."
                )
    return data_error(f"{name} cannot be read as JSON lines: {otherwise}.")


def _kind(value: Scalar) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "text" if isinstance(value, str) else "number"
