"""Read CSV with pyarrow, and let Python's own reader say precisely where a file is broken."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.types

from evermodel.contract import DataFormat
from evermodel_runtime.data.csvtext import SOMETHING, CsvText, read_text, row_lines
from evermodel_runtime.data.failure import data_error, listed
from evermodel_runtime.data.memory import Memory
from evermodel_runtime.data.table import TEXT, Table, checked_header

MISSING = frozenset({"", "na", "n/a", "nan", "-nan", "null", "none", "?", "#n/a", "#na", "<na>"})
"""How a missing number is spelled, in lower case: with a # by spreadsheets, in angle brackets by data frames."""
_SPELLED = [spelling for word in sorted(MISSING) for spelling in {word, word.upper(), word.capitalize()}] + ["NaN"]
SAMPLE = 1 << 16
"""Bytes from which the columns' types are guessed; a wrong guess costs a second reading, nothing else."""
ROWS_AT_ONCE = 20_000
NUMBER_BYTES = 8
TEXT_BYTES = 4
_WRONG_COLUMN = re.compile(r"In CSV column #(\d+)")
Wanted = Callable[[str], bool]


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
    text = read_text(content, name, declared or DataFormat())
    header, header_line = _header(text, name)
    wanted = [column for column in header if only is None or column in only]
    if not wanted:
        return Table(name, header, {header[0]: pa.chunked_array([pa.array([], TEXT)])}, None)  # `require` tells
    if text.needs_care:
        return _read_carefully(text, name, header, header_line, wanted)
    start = _offset(text.content, header_line)
    if SOMETHING.search(text.content, start) is None:
        raise _no_rows(name, header)
    body = pa.py_buffer(text.content).slice(start)
    try:
        types = _guessed_types(text, body, header, texts)
        if memory is not None:
            memory.check(_arrow_bytes(body, types, wanted), held=len(content), name=name)
        read = _read_fast(text, body, header, types, wanted)
    except pa.ArrowInvalid:
        return _read_carefully(text, name, header, header_line, wanted)
    columns = {column: _trimmed(read.column(column)) for column in wanted}
    return Table(name, header, columns, row_lines(text, header_line, read.num_rows))


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


def _guessed_types(text: CsvText, body: Any, header: tuple[str, ...], texts: Collection[str]) -> dict[str, Any]:
    """Guess from the beginning which columns are numbers: what Arrow takes for text, as Python reads it."""
    plain = _sample(text, body, header, pyarrow.csv.ConvertOptions(null_values=_SPELLED))
    numbers = {column for column in header if column not in texts and _is_numeric(plain.column(column).type)}
    doubted = [column for column in header if column not in texts and column not in numbers]
    if doubted:
        as_text = pyarrow.csv.ConvertOptions(include_columns=doubted, column_types=dict.fromkeys(doubted, TEXT))
        spelled = _sample(text, body, header, as_text)
        numbers |= {column for column in doubted if _are_numbers(spelled.column(column))}
    return {column: pa.float64() if column in numbers else TEXT for column in header}


def _sample(text: CsvText, body: Any, header: tuple[str, ...], convert_options: Any) -> Any:
    with pyarrow.csv.open_csv(
        pa.BufferReader(body.slice(0, min(2 * SAMPLE, body.size))),  # or it would read ahead
        read_options=pyarrow.csv.ReadOptions(column_names=list(header), block_size=SAMPLE, use_threads=False),
        parse_options=_parsing(text),
        convert_options=convert_options,
    ) as reader:
        return reader.read_next_batch()


def _is_numeric(kind: Any) -> bool:
    return bool(pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_null(kind))


def _are_numbers(cells: Any) -> bool:
    return all(cell.strip().lower() in MISSING or is_number(cell) for cell in cells.dictionary.to_pylist())


def is_number(cell: str) -> bool:
    """Whether Python reads a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _arrow_bytes(body: Any, types: dict[str, Any], wanted: list[str]) -> int:
    sample = body.slice(0, min(SAMPLE, body.size)).to_pybytes()
    rows: int = body.size * max(sample.count(b"\n"), 1) // len(sample)
    return rows * sum(TEXT_BYTES if types[column] == TEXT else NUMBER_BYTES for column in wanted)


def _read_fast(text: CsvText, body: Any, header: tuple[str, ...], types: dict[str, Any], wanted: list[str]) -> Any:
    for _ in header:  # each round either reads the file or finds one more column to be text
        try:
            return pyarrow.csv.read_csv(
                pa.BufferReader(body),
                # A second thread takes a third more processor time and nearly the file's size more memory.
                read_options=pyarrow.csv.ReadOptions(column_names=list(header), use_threads=False),
                parse_options=_parsing(text),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=types, include_columns=wanted, null_values=_SPELLED, strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid as error:
            place = _WRONG_COLUMN.search(str(error))
            if place is None or types[header[int(place[1])]] == TEXT:
                raise
            types[header[int(place[1])]] = TEXT
    raise pa.ArrowInvalid("no column is a number")


def _parsing(text: CsvText) -> Any:
    return pyarrow.csv.ParseOptions(delimiter=text.delimiter, quote_char=text.quote, newlines_in_values=text.has_quotes)


def _trimmed(column: Any) -> Any:
    """Take the spaces after a delimiter away from text, as numbers have them taken away by themselves."""
    if column.type != TEXT:
        return column
    return pa.chunked_array([_trimmed_chunk(chunk) for chunk in column.chunks], TEXT).unify_dictionaries()


def _trimmed_chunk(chunk: Any) -> Any:
    words = chunk.dictionary.to_pylist()
    if not any(word.startswith(" ") for word in words):
        return chunk
    unique = pa.array([word.lstrip(" ") for word in words]).dictionary_encode()
    return pa.DictionaryArray.from_arrays(unique.indices.take(chunk.indices), unique.dictionary)


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
    return data_error(f"{name} has a header ({listed(header)}) but no rows.")
