"""Read a stranger's file as a stream: with a header or without, in UTF-8 or not, with rows that have no label."""

from __future__ import annotations

import csv
import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from evermodel.contract import DataFormat, FileType
from evermodel_runtime.backtest.loop import Tell
from evermodel_runtime.backtest.stream import Stream, open_stream
from evermodel_runtime.data.columns import spelled
from evermodel_runtime.data.csvarrow import is_number
from evermodel_runtime.data.csvtext import CsvText, read_text
from evermodel_runtime.data.failure import data_error
from evermodel_runtime.data.formats import ENDINGS, found_type, read_table
from evermodel_runtime.data.labels import UNLABELLED
from evermodel_runtime.data.table import Table

WESTERN = "windows-1252"
"""What a text is taken for that is no UTF-8."""


def read_stream(path: Path, target: str | None, tell: Tell) -> Stream:
    """Read a file; the target is the last column unless another is named."""
    content = path.read_bytes()
    declared = DataFormat()
    if found_type(content, path.name) is FileType.CSV and path.suffix not in ENDINGS:
        declared = DataFormat(encoding=None if _is_utf8(content) else WESTERN)
        content, declared = _with_names(read_text(content, path.name, declared), tell)
    name = target if target is not None else read_table(content, path.name, declared).header[-1]
    return open_stream(_labelled(read_table(content, path.name, declared, texts=(name,)), name, tell), name)


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return content.startswith((b"\xff\xfe", b"\xfe\xff"))  # the mark of UTF-16, which is found
    return True


def _with_names(text: CsvText, tell: Tell) -> tuple[bytes, DataFormat]:
    """Give columns names where the first line has none, so that it is not taken for them."""
    format_ = DataFormat(type=FileType.CSV, delimiter=text.delimiter, quote=text.quote)
    try:
        reader = text.rows()
        first = next(row for row in reader if row)
    except csv.Error:
        return text.content, format_  # the reader of the table says where
    cells = [cell.strip() for cell in first]
    rest = text.content
    if _is_a_row(cells):
        cells = [f"column {place}" for place in range(1, len(cells) + 1)]
        tell(0, f"the first line holds numbers, so it is a row: the columns are called column 1 to {cells[-1]}")
    elif "" in cells:
        rest = b"".join(io.BytesIO(text.content).readlines()[reader.line_num :])
        cells = [cell or f"column {place}" for place, cell in enumerate(cells, 1)]
    else:
        return text.content, format_
    header = io.StringIO()
    csv.writer(header, delimiter=text.delimiter, quotechar=text.quote, lineterminator="\n").writerow(cells)
    return header.getvalue().encode() + rest, format_


def _is_a_row(cells: list[str]) -> bool:
    """Tell whether a first line is no header: at least half of it are numbers, and not those that count columns."""
    numbers = [float(cell) for cell in cells if is_number(cell)]
    counting = all(after - before == 1 for before, after in pairwise(numbers))
    return 2 * len(numbers) >= len(cells) and not counting


def _labelled(file: Table, target: str, tell: Tell) -> Table:
    """Leave out the rows without a label: a loop would never hear of them."""
    file.require((target,), "--target")
    codes, words = spelled(file, target)
    known = np.array([word.strip().lower() not in UNLABELLED for word in words], dtype=np.bool_)[codes]
    if known.all():
        return file
    if not known.any():
        raise data_error(f"{file.name}: the target {target!r} has no value in any row. Name another by --target.")
    tell(0, f"{int((~known).sum()):,} of {len(file):,} rows are left out: they have no {target!r}")
    columns = {name: column.filter(pa.array(known)) for name, column in file.columns.items()}
    lines = None if file.lines is None else np.asarray(file.lines)[known].tolist()
    return Table(file.name, file.header, columns, lines)
