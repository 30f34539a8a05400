"""Read a CSV file into columns of text, and say precisely where it is broken."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass

from evermodel_runtime.data.failure import data_error, did_you_mean, listed

DELIMITERS = {";": "';'", "\t": "tabs", "|": "'|'"}
FIELD_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A rectangular file as text.

    Attributes
    ----------
    name : str
        The source's URI, for messages.
    header : tuple of str
        Column names.
    cells : dict of str to tuple of str
        The values of each column, in the order of the file.
    lines : tuple of int
        Line of the file on which each row ends; differs from row + 1 where a quoted field spans lines.
    """

    name: str
    header: tuple[str, ...]
    cells: dict[str, tuple[str, ...]]
    lines: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, row: int) -> str:
        """Name a row as people count: ``row 12 (line 13)``."""
        return f"row {row + 1} (line {self.lines[row]})"

    def require(self, names: tuple[str, ...], field: str) -> None:
        """Refuse columns that the file does not have; ``field`` says who asked for them."""
        missing = [name for name in names if name not in self.cells]
        if missing:
            raise data_error(
                f"{self.name} has no column {listed([repr(name) for name in missing])}, which {field} names."
                f"{did_you_mean(missing[0], self.header)} Its columns are {listed(self.header)}."
            )


def read_csv(content: bytes, name: str) -> CsvFile:
    """Parse UTF-8 CSV with a header row; ``name`` is what messages call the file."""
    if not content.strip():
        raise data_error(f"{name} is empty. A header row and at least one row per class are needed.")
    reader = csv.reader(io.StringIO(_decoded(content, name), newline=""), skipinitialspace=True, strict=True)
    csv.field_size_limit(FIELD_LIMIT)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        header = _checked_header(next(reader), name)
        for row in reader:
            if not row:
                continue  # a blank line, as many editors leave at the end
            if len(row) != len(header):
                raise data_error(
                    f"{name}: row {len(rows) + 1} (line {reader.line_num}) has {len(row)} fields, but the header has "
                    f"{len(header)}. Is a comma inside a value not quoted?"
                )
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise data_error(f"{name}: line {reader.line_num} is not valid CSV: {error}.") from error
    if not rows:
        raise data_error(f"{name} has a header ({listed(header)}) but no rows.")
    cells = {column: tuple(values) for column, values in zip(header, zip(*rows, strict=True), strict=True)}
    return CsvFile(name, header, cells, tuple(lines))


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise data_error(
            f"{name}: line {line} is not UTF-8 (byte 0x{content[error.start]:02x}). Save the file as UTF-8."
        ) from error


def _checked_header(raw: list[str], name: str) -> tuple[str, ...]:
    header = tuple(column.strip() for column in raw)
    if len(header) == 1:
        for delimiter, spelled in DELIMITERS.items():
            if delimiter in header[0]:
                raise data_error(f"{name} looks delimited by {spelled}; write it with commas. Header: {header[0]!r}.")
        raise data_error(f"{name} has a single column, {header[0]!r}: a target and at least one feature are needed.")
    twice = [column for column, count in Counter(header).items() if count > 1]
    if twice:
        raise data_error(f"{name}: column name {listed([repr(column) for column in twice])} occurs more than once.")
    if "" in header:
        raise data_error(f"{name}: column {header.index('') + 1} has no name in the header.")
    return header
