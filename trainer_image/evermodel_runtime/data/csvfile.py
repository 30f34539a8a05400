"""Read CSV with pyarrow, and let Python's own reader say precisely where a file is broken."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from itertools import islice

import pyarrow as pa

from evermodel.contract import DataFormat
from evermodel_runtime.data.csvarrow import (
    Body,
    estimated,
    guessed_types,
    read_columns,
    trimmed,
)
from evermodel_runtime.data.csvtext import SOMETHING, CsvText, read_text, row_lines
from evermodel_runtime.data.extent import CODE_BYTES, SHORT_WORD, Extent
from evermodel_runtime.data.failure import NoRowsError, data_error, listed
from evermodel_runtime.data.memory import Memory
from evermodel_runtime.data.table import TEXT, Table, checked_header

ROWS_AT_ONCE = 20_000


def read_csv(
    content: bytes,
    name: str,
    declared: DataFormat | None = None,
    *,
    texts: Collection[str] = (),
    only: Collection[str] | None = None,
    memory: Memory | None = None,
) -> Table:
    """Parse CSV with a header row.

    Parameters
    ----------
    content : bytes
        The file.
    name : str
        What messages call it.
    declared : DataFormat, optional
        Delimiter, quote and encoding, where they are declared.
    texts : collection of str
        Columns that stay as they are spelled, numbers or not: the target, the idColumn.
    only : collection of str, optional
        Columns to read; all, when it is None.
    memory : Memory, optional
        Refuses what would not fit.
    """
    text = read_text(content, name, declared or DataFormat(), memory)
    header, header_line = _header(text, name)
    wanted = [column for column in header if only is None or column in only]
    if not wanted:
        return Table(name, header, {header[0]: pa.chunked_array([pa.array([], TEXT)])}, None)  # `require` tells
    held = len(content) + (0 if text.content is content else len(text.content))

    def carefully() -> Table:
        if memory is not None:
            memory.check(_of_texts(text, wanted), held=held, name=name)
        return _read_carefully(text, name, header, header_line, wanted)

    if text.needs_care:
        return carefully()
    start = _offset(text.content, header_line)
    if SOMETHING.search(text.content, start) is None:
        raise _no_rows(name, header)
    quoted = text.survey.quotes > 0 and text.content.find(text.quote.encode(), start) >= 0
    body = Body(text, start, header, quoted)
    try:
        types = guessed_types(body, texts)
        if memory is not None:
            memory.check(estimated(body, types, wanted), held=held, name=name)
        read = read_columns(body, types, wanted)
    except pa.ArrowInvalid:
        return carefully()
    columns = {column: trimmed(read.column(column)) for column in wanted}
    return Table(name, header, columns, row_lines(text, header_line, read.num_rows))


def _of_texts(text: CsvText, wanted: list[str]) -> Extent:
    """Estimate how much the columns are where all are text, of which as many are different as can be so short."""
    rows, letters = text.survey.line_feeds + 1, len(text.content)
    cells = rows * len(wanted)
    return Extent(rows=rows, cells=CODE_BYTES * cells, words=min(cells, letters // SHORT_WORD), letters=letters)


def _header(text: CsvText, name: str) -> tuple[tuple[str, ...], int]:
    reader = text.rows()
    try:
        raw = next(row for row in reader if row)
    except csv.Error as error:
        raise data_error(f"{name}: line {reader.line_num}: this is not valid CSV: {error}.") from error
    return checked_header(raw, name), reader.line_num


def _offset(content: bytes, lines: int) -> int:
    place = 0
    for _ in range(lines):
        place = content.find(b"\n", place) + 1
        if not place:
            return len(content)
    return place


def _read_carefully(text: CsvText, name: str, header: tuple[str, ...], header_line: int, wanted: list[str]) -> Table:
    """Read row by row; slower by a factor of ten, for files that pyarrow refuses or would misread."""
    lines: list[int] = []
    place_of = {column: place for place, column in enumerate(header)}
    places = [place_of[column] for column in wanted]
    batches = []
    rows = _checked_rows(text, name, header, header_line, lines)
    while batch := list(islice(rows, ROWS_AT_ONCE)):
        batches.append([pa.array([row[place] for row in batch], TEXT) for place in places])
    if not batches:
        raise _no_rows(name, header)
    columns = {
        column: pa.chunked_array(list(chunks), TEXT).unify_dictionaries()
        for column, chunks in zip(wanted, zip(*batches, strict=True), strict=True)
    }
    return Table(name, header, columns, lines)


def _checked_rows(
    text: CsvText, name: str, header: tuple[str, ...], header_line: int, lines: list[int]
) -> Iterator[list[str]]:
    reader = text.rows()
    try:
        for row in reader:
            if not row or reader.line_num <= header_line:
                continue  # a blank line, as many editors leave at the end
            if len(row) != len(header):
                raise data_error(
                    f"{name}: row {len(lines) + 1} (line {reader.line_num}) has {len(row)} fields, but the header has "
                    f"{len(header)}. Is a {_spelled(text.delimiter)} inside a value not quoted?"
                )
            lines.append(reader.line_num)
            yield row
    except csv.Error as error:
        began = (lines[-1] if lines else header_line) + 1
        place = f"line {began}" if began >= reader.line_num else f"lines {began} to {reader.line_num}"
        raise data_error(
            f"{name}: {place}: this is not valid CSV: {error}. Is a {text.quote} there that is not closed? Within a "
            "quoted value, write it twice."
        ) from error


def _spelled(delimiter: str) -> str:
    return {",": "comma", ";": "semicolon", "\t": "tab"}.get(delimiter, repr(delimiter))


def _no_rows(name: str, header: tuple[str, ...]) -> Exception:
    return NoRowsError(f"{name} has a header ({listed(header)}) but no rows.")
