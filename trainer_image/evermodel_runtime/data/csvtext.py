"""The text of a CSV file: its encoding, its delimiter, and on which line each of its rows ends."""

from __future__ import annotations

import codecs
import csv
import io
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evermodel.contract import DataFormat
from evermodel_runtime.data.failure import NoRowsError, data_error, spec_error
from evermodel_runtime.data.memory import Memory
from evermodel_runtime.data.processors import in_threads

DELIMITERS = (",", ";", "\t", "|")
"""Those that are found; any other is declared."""
FIELD_LIMIT = 1 << 20
BLOCK = 1 << 22
"""Bytes that one thread looks at, or that are decoded at once."""
COUNTED = 1 << 19
"""Bytes that are compared at once: what they give stays in the processor's cache."""
SOMETHING = re.compile(rb"\S")
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before those of UTF-16, with which it begins
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NUL = b"\0"
FEED = ord("\n")
LAST_OF_ASCII = 0x7F
HALF = 0.4
"""Share of NUL bytes in the beginning from which it is text of two bytes for each character."""
LOOKED_AT = 1 << 16
"""Characters of the beginning in which the delimiter is looked for."""
Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True)
class Survey:
    """What one look at all bytes of a text tells: each look takes as long as memory takes to hand them over."""

    lowest: int
    highest: int
    line_feeds: int
    quotes: int

    @classmethod
    def of(cls, content: bytes, quote: str) -> Survey:
        """Look at all bytes, with all processors."""

        def look(piece: Bytes) -> Survey:
            return cls._together([cls._of_block(block, ord(quote)) for block in _blocks(piece, COUNTED)])

        return cls._together(in_threads(look, list(_blocks(_as_array(content), BLOCK))))

    @classmethod
    def _of_block(cls, block: Bytes, quote: int) -> Survey:
        # bytes.count takes ten times as long where what it counts is frequent
        feeds, quotes = np.count_nonzero(block == FEED), np.count_nonzero(block == quote)
        return cls(int(block.min()), int(block.max()), int(feeds), int(quotes))

    @classmethod
    def _together(cls, surveys: Sequence[Survey]) -> Survey:
        return cls(
            lowest=min((each.lowest for each in surveys), default=1),
            highest=max((each.highest for each in surveys), default=1),
            line_feeds=sum(each.line_feeds for each in surveys),
            quotes=sum(each.quotes for each in surveys),
        )


@dataclass(frozen=True, slots=True)
class CsvText:
    """UTF-8 text with line feeds, and how its values are told apart."""

    content: bytes
    delimiter: str
    quote: str
    survey: Survey

    @property
    def needs_care(self) -> bool:
        """Whether it has what pyarrow would read otherwise than people mean: odd quotes, or spaces before quotes."""
        return self.survey.quotes % 2 == 1 or (self.survey.quotes > 0 and self._has_spaced_quotes())

    def _has_spaced_quotes(self) -> bool:
        spaced = (self.delimiter + " " + self.quote).encode()
        return _has_pair(self.content, " ", self.quote) and spaced in self.content

    def rows(self) -> Any:
        """Return Python's own reader: slow, and it knows its line."""
        csv.field_size_limit(FIELD_LIMIT)
        text = io.TextIOWrapper(io.BytesIO(self.content), encoding="utf-8", newline="")
        return csv.reader(text, delimiter=self.delimiter, quotechar=self.quote, skipinitialspace=True, strict=True)


def _has_pair(content: bytes, first: str, second: str) -> bool:
    """Whether one ASCII character follows another, which ``in`` tells slowly where they are frequent."""
    blocks = _blocks(_as_array(content), COUNTED, overlap=1)
    return any(bool(((block[:-1] == ord(first)) & (block[1:] == ord(second))).any()) for block in blocks)


def _as_array(content: bytes) -> Bytes:
    return np.frombuffer(content, np.uint8)


def _blocks(content: Bytes, size: int, overlap: int = 0) -> Iterator[Bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size + overlap]


def read_text(content: bytes, name: str, declared: DataFormat, memory: Memory | None = None) -> CsvText:
    """Find or take over encoding, line ends, quote and delimiter."""
    quote = declared.quote or '"'
    text, survey = _as_utf8(content, name, declared.encoding, quote, memory)
    if SOMETHING.search(text) is None:
        raise NoRowsError(f"{name} is empty. A header row and at least one row per class are needed.")
    if not survey.line_feeds and b"\r" in text:
        text = text.replace(b"\r", b"\n")
        survey = Survey.of(text, quote)
    return CsvText(text, declared.delimiter or _delimiter(text, quote), quote, survey)


def _as_utf8(
    content: bytes, name: str, declared: str | None, quote: str, memory: Memory | None
) -> tuple[bytes, Survey]:
    encoding = declared or next((known for mark, known in MARKS if content.startswith(mark)), None)
    text = content.removeprefix(codecs.BOM_UTF8) if encoding is None else _recoded(content, name, encoding, memory)
    survey = Survey.of(text, quote)
    if encoding is None and survey.highest > LAST_OF_ASCII:
        _check_utf8(text, name)
    if survey.lowest == 0:
        raise _with_nul(text, name)
    return text, survey


def _with_nul(text: bytes, name: str) -> Exception:
    """Refuse NUL bytes, which no text has: pyarrow would keep them within values."""
    place = text.find(NUL)
    beginning = text[:LOOKED_AT]
    if beginning.strip(NUL) and beginning.count(NUL) > HALF * len(beginning):
        likely = "utf-16-be" if beginning.startswith(NUL) else "utf-16-le"
        return data_error(f"{name} looks like UTF-16 without its mark: declare spec.data.format.encoding: {likely}.")
    line = text.count(b"\n", 0, place) + 1
    return data_error(
        f"{name}: line {line} holds a NUL byte, which text does not have ({text.count(NUL):,} in the file). Was the "
        "file written or sent whole? Write it again."
    )


def _recoded(content: bytes, name: str, encoding: str, memory: Memory | None) -> bytes:
    try:
        if memory is not None:
            beginning = content[:LOOKED_AT].decode(encoding, errors="ignore")
            each = (sys.getsizeof(beginning) + len(beginning.encode(errors="ignore"))) / min(len(content), LOOKED_AT)
            memory.check_stored(int(len(content) * (1 + each)), f"{name}, as it is read from {encoding},")
        return content.decode(encoding).removeprefix("\ufeff").encode()
    except LookupError as error:
        raise spec_error(
            f"spec.data.format.encoding: {encoding} is no encoding of text that Python knows; utf-8, utf-16 and "
            "windows-1252 are some that it knows."
        ) from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise data_error(
            f"{name} is not {encoding}: {error.reason} in line {line}. Correct spec.data.format.encoding."
        ) from error
    except UnicodeError as error:
        raise data_error(f"{name} is not {encoding}: {error}. Correct spec.data.format.encoding.") from error


def _check_utf8(text: bytes, name: str) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(text), BLOCK):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(text[start : start + BLOCK], final=start + BLOCK >= len(text))
        except UnicodeDecodeError as error:
            place = start - pending + error.start
            line = text.count(b"\n", 0, place) + 1
            raise data_error(
                f"{name}: line {line} is not UTF-8 (byte 0x{text[place]:02x}). Save the file as UTF-8, or declare "
                "spec.data.format.encoding, such as windows-1252."
            ) from error


def _delimiter(text: bytes, quote: str) -> str:
    """Return what parts the header and the first rows into the same number of fields; a comma when nothing does."""
    beginning = text[:LOOKED_AT].decode(errors="ignore")
    if len(text) > LOOKED_AT:
        beginning = beginning[: beginning.rfind("\n") + 1] or beginning
    best, most = ",", 1
    for delimiter in DELIMITERS:
        reader = csv.reader(io.StringIO(beginning), delimiter=delimiter, quotechar=quote, skipinitialspace=True)
        try:
            widths = [len(row) for row, _ in zip((row for row in reader if row), range(20), strict=False)]
        except csv.Error:
            continue
        if widths and widths[0] > most and (delimiter == "," or len(set(widths)) == 1):
            best, most = delimiter, widths[0]
    return best


def row_lines(text: CsvText, header_line: int, rows: int) -> Sequence[int] | None:
    """Return the line on which each row ends, or None where that cannot be told cheaply."""
    open_end = not text.content.endswith(b"\n")
    if text.survey.line_feeds + open_end == header_line + rows:
        return range(header_line + 1, header_line + rows + 1)
    ended = text.content + b"\n" if open_end else text.content
    ends = _record_ends(ended, ord(text.quote))
    data = ends[ends > header_line]
    return data.tolist() if len(data) == rows else None


def _record_ends(content: bytes, quote: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the lines, from 1, that end outside quotes and are not blank."""
    found, inside, line, carried = [], 0, 0, 0
    for start in range(0, len(content), BLOCK):
        block = np.frombuffer(content, np.uint8, min(BLOCK, len(content) - start), start)
        quoted = (np.cumsum(block == quote) + inside) % 2
        feeds = np.flatnonzero(block == FEED)
        printed = np.concatenate(([0], np.cumsum((block != FEED) & (block != ord("\r")))))
        on_line = np.diff(printed[feeds], prepend=-carried)
        found.append(line + 1 + np.flatnonzero((quoted[feeds] == 0) & (on_line != 0)))
        line += len(feeds)
        inside = int(quoted[-1])
        carried = int(printed[-1] - printed[feeds[-1]]) if len(feeds) else carried + int(printed[-1])
    return np.concatenate(found)
