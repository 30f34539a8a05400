"""Read JSON lines: one object on each line, its values plain."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.json
import pyarrow.types

from evermodel.contract import Scalar
from evermodel_runtime.data.failure import NoRowsError, data_error

SAMPLE = 1 << 20
NULL_LINE = re.compile(rb"(?:^|\n)\s*null\s*(?:\n|$)")
TWICE = "was specified twice"
LONGEST_LINE = 1 << 24


def read_json_lines(content: bytes, name: str) -> Any:
    """Return an Arrow table; text that looks like a time stays text.

    Raises
    ------
    JobError
        DataInvalid, with the line and, where one value is at fault, the column.
    """
    if not content.strip():
        raise NoRowsError(f"{name} is empty. At least one row per class is needed.")
    if NULL_LINE.search(content) is not None:
        raise _explained(content, name, "a line is null")  # of which pyarrow would make a row, or crash
    try:
        sample = content[: content.rfind(b"\n", 0, SAMPLE) + 1] or content
        looked_at = _parsed(sample, []).schema
        read = _parsed(content, [field.name for field in looked_at if pyarrow.types.is_timestamp(field.type)])
    except pa.ArrowInvalid as error:
        raise _explained(content, name, str(error)) from error
    if not read.num_columns:
        raise data_error(f"{name} has no columns: every line is an empty object. Write the values of a row into it.")
    later = [name for name in read.column_names if name not in looked_at.names]
    return read.select([*looked_at.names, *later])  # pyarrow puts columns first whose type it is told


def _parsed(content: bytes, texts: list[str]) -> Any:
    return pyarrow.json.read_json(
        pa.BufferReader(content),
        read_options=pyarrow.json.ReadOptions(block_size=LONGEST_LINE if len(content) > LONGEST_LINE else None),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=pa.schema([(name, pa.string()) for name in texts])),
    )


def _explained(content: bytes, name: str, otherwise: str) -> Exception:
    """Look for the first line that is no object of plain values, or whose value is of another type than before."""
    decoder = msgspec.json.Decoder(dict[str, Scalar | None])
    twice = TWICE in otherwise
    seen: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return data_error(
                f"{name}: line {number} is not one JSON object of plain values: {_nested(line) or error}. JSON lines "
                "are one object on each line, without a list around them."
            )
        if twice and (repeated := _repeated(line)):
            return data_error(f"{name}: line {number} holds {repeated!r} twice. Write each column once.")
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


def _nested(line: bytes) -> str:
    """Say which column of a line is a list or an object; nothing, when it is wrong in another way."""
    try:
        row = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    if not isinstance(row, dict):
        return ""
    for column, value in row.items():
        if isinstance(value, dict | list):
            return f"column {column!r} holds {'an object' if isinstance(value, dict) else 'a list'}"
    return ""


def _repeated(line: bytes) -> str | None:
    pairs: list[tuple[str, object]] = json.loads(line, object_pairs_hook=list)
    counts = Counter(column for column, _ in pairs)
    return next((column for column, count in counts.items() if count > 1), None)


def _kind(value: Scalar) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "text" if isinstance(value, str) else "number"
