"""A labelled stream: its first rows are the declared training data, the others come in batches, labels after rows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from evermodel.contract import Column, ColumnKind, LabelledRecord, Scalar
from evermodel_runtime.data.columns import spelled, survey, texts_of
from evermodel_runtime.data.dataset import read_features
from evermodel_runtime.data.failure import data_error
from evermodel_runtime.data.labels import MIN_CLASSES, UNLABELLED, as_texts, read_target
from evermodel_runtime.data.rows import ColumnValues, FeatureRows, Labels
from evermodel_runtime.data.table import Table
from evermodel_runtime.evaluate.answers import Texts
from evermodel_runtime.quality.outcomes import as_number
from evermodel_runtime.train.defaults import most_categories

FIRST_SHARE = 0.1
MOST_FIRST = 2_000
FEWEST_ROWS = 100
FEWEST_FIRST = 40
"""Rows of a short stream to begin with: a tenth would be nothing to train on."""
FEWEST_OF_CLASS = 5
"""Rows of each of two classes among the first: fewer might all be held out."""
MOST_FIRST_SHARE = 0.8
"""Of the stream: the others are to be replayed."""

MOST_NUMBERS = 100
"""Different numbers up to which a target may hold classes."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A file in the order in which its rows came, with the part to begin with."""

    file: Table
    target: str
    first: int

    def __len__(self) -> int:
        return len(self.file)

    @property
    def name(self) -> str:
        """What the file is called."""
        return self.file.name

    def first_rows(self) -> bytes:
        """Write the first rows as the file that is declared as training data."""
        content = io.BytesIO()
        columns = {name: column.slice(0, self.first) for name, column in self.file.columns.items()}
        pyarrow.parquet.write_table(pa.table(columns), content)
        return content.getvalue()

    def batches(self, size: int) -> Iterator[slice]:
        """Yield the rows after the first ones, in order."""
        for start in range(self.first, len(self), size):
            yield slice(start, min(start + size, len(self)))


@dataclass(frozen=True, slots=True)
class StreamRows:
    """All rows of a stream as models take them.

    Attributes
    ----------
    labels : array of shape (rows,)
        As models learn them.
    truth : array of str
        As ``label_text`` spells them.
    """

    features: FeatureRows
    labels: Labels
    truth: Texts

    def records(self, rows: slice, *, first: int, version: int, predicted_at: float) -> list[LabelledRecord]:
        """Return rows of one batch as the ledger holds them; the row with number ``first`` has ledger number 1."""
        cells = zip(*(_values(column[rows]) for column in self.features.values), strict=True)
        numbers = range(rows.start - first + 1, rows.stop - first + 1)
        return [
            LabelledRecord(seq=seq, version=version, predicted_at=predicted_at, row=row, label=label)
            for seq, row, label in zip(numbers, cells, self.truth[rows], strict=True)
        ]


def _values(column: ColumnValues) -> list[Scalar | None]:
    """Return what a client sends: null where there is no number."""
    return [None if value != value else value for value in column.tolist()]  # noqa: PLR0124 - only NaN differs from itself


def open_stream(file: Table, target: str | None = None) -> Stream:
    """Take a file as a stream; the target is the last column unless another is named."""
    target = target if target is not None else file.header[-1]
    file.require((target,), "--target")
    if len(file) < FEWEST_ROWS:
        raise data_error(f"{file.name} has {len(file):,} rows; a stream of at least {FEWEST_ROWS} is needed to replay.")
    _refuse_quantity(file, target)
    return Stream(file, target, _first_rows(file, target))


def _first_rows(file: Table, target: str) -> int:
    """Count the rows to begin with: a tenth, and more where these are few or hold hardly more than one class."""
    codes, _ = spelled(file, target)
    share = min(max(int(len(file) * FIRST_SHARE), FEWEST_FIRST), MOST_FIRST)
    reached = sorted(
        int(rows[FEWEST_OF_CLASS - 1])
        for code in np.unique(codes)
        if len(rows := np.flatnonzero(codes == code)) >= FEWEST_OF_CLASS
    )
    most = int(len(file) * MOST_FIRST_SHARE)
    if len(reached) >= MIN_CLASSES and reached[1] < most:
        return max(share, reached[1] + 1)
    if len(np.unique(codes[:share])) >= MIN_CLASSES:
        return share
    raise data_error(
        f"{file.name}: the first {most:,} of {len(file):,} rows do not hold two classes of {target!r} with "
        f"{FEWEST_OF_CLASS} rows each, so no model can be trained through which the others are replayed. Bring a "
        "longer stream, or name another target by --target."
    )


def _refuse_quantity(file: Table, target: str) -> None:
    """Refuse a target of so many different numbers that it measures something."""
    _, words = spelled(file, target)
    labels = {word.strip() for word in words if word.strip().lower() not in UNLABELLED}
    numbers = {as_number(label) for label in labels}
    if len(numbers) > MOST_NUMBERS and None not in numbers:
        raise data_error(
            f"{file.name}: the target {target!r} has {len(numbers):,} different numbers, so it is a quantity, and the "
            "backtest replays classes only. Name the column that holds the classes by --target, or write the quantity "
            "in classes, such as low and high."
        )


def usable_features(stream: Stream) -> tuple[str, ...]:
    """Return the columns to learn from: not those of free text, dates or ids, nor those that are empty at first."""
    return tuple(name for name in stream.file.header if name != stream.target and _is_usable(stream, name))


def _is_usable(stream: Stream, name: str) -> bool:
    found = survey(stream.file, name)
    if len(found.missing) == len(stream):
        return False
    if found.kind is ColumnKind.TEXT:
        return len(set(texts_of(stream.file, name).tolist())) <= most_categories(stream.first)
    return int((found.missing < stream.first).sum()) < stream.first


def read_rows(stream: Stream, columns: tuple[Column, ...]) -> StreamRows:
    """Read all rows, with the columns that the first version was trained on."""
    labels = read_target(stream.file, stream.target).labels
    return StreamRows(read_features(stream.file, columns), labels, as_texts(labels.tolist()))


def accuracy(right: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    """Return the share of right answers."""
    return float(np.mean(right))
