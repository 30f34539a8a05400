"""Columns of CSV by pyarrow: types are guessed from the beginning, and pieces read by all processors at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.types

from evermodel_runtime.data.csvtext import CsvText
from evermodel_runtime.data.extent import CODE_BYTES, NUMBER_BYTES, Extent
from evermodel_runtime.data.processors import in_threads
from evermodel_runtime.data.table import TEXT

MISSING = frozenset({"", "na", "n/a", "nan", "-nan", "null", "none", "?", "#n/a", "#na", "<na>"})
"""How a missing number is spelled, in lower case: with a # by spreadsheets, in angle brackets by data frames."""
_SPELLED = [
    spelling
    for word in sorted(MISSING - {"-nan"})  # a number to pyarrow, and looked for it would make each minus sign dear
    for spelling in {word, word.upper(), word.capitalize()}
] + ["NaN"]
SAMPLE = 1 << 16
"""Bytes from which the columns' types are guessed; a wrong guess costs a second reading, nothing else."""
PIECE = 1 << 21
"""Bytes that one thread reads at a time: the same on every machine, as chunks of columns follow from it."""
BLOCK = 1 << 19
"""Bytes that are parsed at once: these and what is made of them stay in the processor's cache."""
LONG_BLOCK = 1 << 20
"""The same, where a row is longer than ``BLOCK``; those that are longer still are read, or refused, with care."""
MOSTLY_DIFFERENT = 0.5
"""Different texts for each of the first rows, from which there are more of them the more rows there are."""
SPACE = ord(" ")
_WRONG_COLUMN = re.compile(r"In CSV column #(\d+)")
_LONG_ROW = "straddles two block boundaries"


@dataclass(frozen=True, slots=True)
class Body:
    """The rows of a CSV file, below its header.

    Attributes
    ----------
    text : CsvText
        The file.
    start : int
        Where the rows begin in it.
    header : tuple of str
        The columns.
    quoted : bool
        Whether a value may hold line ends and delimiters.
    """

    text: CsvText
    start: int
    header: tuple[str, ...]
    quoted: bool

    @property
    def size(self) -> int:
        """How many bytes the rows take."""
        return len(self.text.content) - self.start

    def slice(self, start: int, stop: int) -> Any:
        """Return bytes of the file without a copy."""
        return pa.py_buffer(self.text.content).slice(start, stop - start)

    def beginning(self, most: int) -> Any:
        """Return the first bytes of the rows."""
        return self.slice(self.start, min(self.start + most, len(self.text.content)))

    def pieces(self) -> Iterator[Any]:
        """Cut the rows into pieces where no value can span lines."""
        start, end = self.start, len(self.text.content)
        while start < end:
            stop = end if self.quoted else self.text.content.find(b"\n", start + PIECE) + 1 or end
            yield self.slice(start, stop)
            start = stop

    def parsing(self) -> Any:
        """Return how pyarrow tells values apart."""
        return pyarrow.csv.ParseOptions(
            delimiter=self.text.delimiter,
            quote_char=self.text.quote if self.quoted else False,
            newlines_in_values=self.quoted,
        )


def guessed_types(body: Body, texts: Collection[str]) -> dict[str, Any]:
    """Guess from the beginning which columns are numbers: what Arrow takes for text, as Python reads it."""
    plain = _sample(body, pyarrow.csv.ConvertOptions(null_values=_SPELLED))
    numbers = {column for column in body.header if column not in texts and _is_numeric(plain.column(column).type)}
    doubted = [column for column in body.header if column not in texts and column not in numbers]
    if doubted:
        as_text = pyarrow.csv.ConvertOptions(include_columns=doubted, column_types=dict.fromkeys(doubted, TEXT))
        spelled = _sample(body, as_text)
        numbers |= {column for column in doubted if _are_numbers(spelled.column(column))}
    return {column: pa.float64() if column in numbers else TEXT for column in body.header}


def _sample(body: Body, convert_options: Any) -> Any:
    with pyarrow.csv.open_csv(
        pa.BufferReader(body.beginning(2 * SAMPLE)),  # or it would read ahead
        read_options=pyarrow.csv.ReadOptions(column_names=list(body.header), block_size=SAMPLE, use_threads=False),
        parse_options=body.parsing(),
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


def estimated(body: Body, types: dict[str, Any], wanted: list[str]) -> Extent:
    """Estimate how much the columns are, from the first rows."""
    texts = [column for column in wanted if types[column] == TEXT]
    rows = estimated_rows(body.beginning(SAMPLE).to_pybytes(), body.size)
    words = letters = 0
    if texts:
        as_text = pyarrow.csv.ConvertOptions(include_columns=texts, column_types=dict.fromkeys(texts, TEXT))
        sample = _sample(body, as_text)
        for dictionary in (sample.column(column).dictionary for column in texts):
            if len(dictionary) > MOSTLY_DIFFERENT * sample.num_rows:
                words += len(dictionary) * rows // sample.num_rows
                letters += dictionary.nbytes * rows // sample.num_rows
    cells = rows * (NUMBER_BYTES * (len(wanted) - len(texts)) + CODE_BYTES * len(texts))
    return Extent(rows=rows, cells=cells, words=words, letters=letters)


def estimated_rows(beginning: bytes, size: int) -> int:
    """Estimate how many rows so many bytes are, from the length of the first."""
    return size * max(beginning.count(b"\n"), 1) // max(len(beginning), 1)


def read_columns(body: Body, types: dict[str, Any], wanted: list[str]) -> Any:
    """Read columns as the types that they were guessed to be, or else as text.

    Raises
    ------
    pyarrow.ArrowInvalid
        The file has what pyarrow does not read.
    """
    types = dict(types)
    pieces = list(body.pieces())
    for _ in body.header:  # each round either reads the file or finds one more column to be text
        options = pyarrow.csv.ConvertOptions(
            column_types=types, include_columns=wanted, null_values=_SPELLED, strings_can_be_null=False
        )
        try:
            return pa.concat_tables(in_threads(partial(_piece, body, options), pieces))
        except pa.ArrowInvalid as error:
            place = _WRONG_COLUMN.search(str(error))
            if place is None or types[body.header[int(place[1])]] == TEXT:
                raise
            types[body.header[int(place[1])]] = TEXT
    raise pa.ArrowInvalid("no column is a number")


def _piece(body: Body, convert_options: Any, piece: Any) -> Any:
    try:
        return _in_blocks(body, convert_options, piece, BLOCK)
    except pa.ArrowInvalid as error:
        if _LONG_ROW not in str(error):
            raise
        return _in_blocks(body, convert_options, piece, LONG_BLOCK)


def _in_blocks(body: Body, convert_options: Any, piece: Any, size: int) -> Any:
    return pyarrow.csv.read_csv(
        pa.BufferReader(piece),
        # Threads of pyarrow's own read ahead, and take nearly the file's size more memory.
        read_options=pyarrow.csv.ReadOptions(column_names=list(body.header), block_size=size, use_threads=False),
        parse_options=body.parsing(),
        convert_options=convert_options,
    )


def trimmed(column: Any) -> Any:
    """Take the spaces after a delimiter away from text, as numbers have them taken away by themselves."""
    if column.type != TEXT:
        return column
    column = column.unify_dictionaries()
    if not column.num_chunks or not _has_spaced(column.chunk(0).dictionary):
        return column
    unique = pa.array([word.lstrip(" ") for word in column.chunk(0).dictionary.to_pylist()]).dictionary_encode()
    chunks = [
        pa.DictionaryArray.from_arrays(unique.indices.take(chunk.indices), unique.dictionary) for chunk in column.chunks
    ]
    return pa.chunked_array(chunks, TEXT)


def _has_spaced(words: Any) -> bool:
    """Whether one of the words begins with a space, told from their bytes: there may be as many as there are rows."""
    _, offsets, data = words.buffers()
    if not data:
        return False
    bounds = np.frombuffer(offsets, np.int32)[words.offset : words.offset + len(words) + 1]
    first = bounds[:-1][np.diff(bounds) > 0]
    return bool((np.frombuffer(data, np.uint8)[first] == SPACE).any())
