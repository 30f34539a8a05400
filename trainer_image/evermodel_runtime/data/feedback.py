"""Labelled production records as rows like those of the source."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from evermodel.contract import Column, ColumnKind, LabelledRecord, LabelledRecords, Scalar, label_text
from evermodel_runtime.data.columns import LARGEST
from evermodel_runtime.data.dates import canonical
from evermodel_runtime.data.failure import listed, shortened
from evermodel_runtime.data.rows import ColumnValues, FeatureRows, Mask

SHOWN = 3
"""Versions in a sentence about records."""
LONGEST_NAME = 40
"""Characters of a column in a sentence about records: notes are short."""
READ_ANEW = frozenset({(ColumnKind.TEXT, ColumnKind.DATE)})
"""Kinds of a column, once and now, between which its values keep their meaning: dates that were taken as text are the
client's own text. A number is not the text that a file spells it by, and so on."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """Records of one version that took other columns than are wanted, or answered another."""

    version: int
    records: int
    why: str

    def __str__(self) -> str:
        return f"{self.records:,} of version {self.version}, {self.why}"


@dataclass(frozen=True, slots=True)
class Feedback:
    """Usable records, oldest prediction first.

    Attributes
    ----------
    rows : FeatureRows
        What was asked.
    labels : tuple of str
        What was true, as ``label_text`` spells it.
    seqs : array of int
        Their ledger numbers.
    times : array of float
        When they were predicted, seconds since the epoch.
    unfit : tuple of Unfit
        Records left out for the columns that they were taken with, or for what their labels are of.
    unusable : int
        Records left out for their values: missing, or beyond what a model takes.
    """

    rows: FeatureRows
    labels: tuple[str, ...]
    seqs: NDArray[np.int64]
    times: NDArray[np.float64]
    unfit: tuple[Unfit, ...]
    unusable: int

    def __len__(self) -> int:
        return len(self.labels)

    def only(self, chosen: Mask) -> Feedback:
        """Return some of the records."""
        labels = tuple(compress(self.labels, chosen.tolist()))
        return replace(self, rows=self.rows[chosen], labels=labels, seqs=self.seqs[chosen], times=self.times[chosen])

    @property
    def told(self) -> str:
        """Which records were left out for their columns, in a sentence; nothing where none was."""
        if not self.unfit:
            return ""
        shown = [str(one) for one in self.unfit[:SHOWN]]
        if others := sum(one.records for one in self.unfit[SHOWN:]):
            shown.append(f"{others:,} of other versions")
        return f"Production records not used: {'; '.join(shown)}."


def read_feedback(records: LabelledRecords, columns: tuple[Column, ...], target: str | None) -> Feedback:
    """Turn records into rows of ``columns``: each value goes by the name of the column that its version took it for.

    A record that lacks a column is left out: what was not asked for is no missing value, which would say that the
    client had none. Columns that are not wanted are passed over. So is a record left out whose label is of another
    column than ``target``, as far as both are known.
    """
    ordered = sorted(records.records, key=lambda record: (record.predicted_at, record.seq))
    places: dict[int, _Places] = {}
    unfit: list[Unfit] = []
    for version, count in sorted(Counter(record.version for record in ordered).items()):
        labelled = records.targets.get(version)
        if labelled is not None and target is not None and labelled != target:
            unfit.append(Unfit(version, count, f"whose labels are of {_shown(labelled)}, not of {_shown(target)}"))
            continue
        found = _places(records.columns.get(version), columns)
        if isinstance(found, _Places):
            places[version] = found
        else:
            unfit.append(Unfit(version, count, found))
    fitting = [record for record in ordered if record.version in places]
    usable = [(record, row) for record in fitting if (row := _row(record, places[record.version], columns)) is not None]
    by_column = zip(*(row for _, row in usable), strict=True) if usable else ((),) * len(columns)
    rows = FeatureRows(columns, tuple(_array(c, values) for c, values in zip(columns, by_column, strict=True)))
    seqs = np.array([record.seq for record, _ in usable], dtype=np.int64)
    times = np.array([record.predicted_at for record, _ in usable], dtype=np.float64)
    labels = tuple(record.label for record, _ in usable)
    return Feedback(rows, labels, seqs, times, tuple(unfit), len(fitting) - len(usable))


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the values of wanted columns are in the rows of one version, of so many values."""

    of_columns: tuple[int, ...]
    width: int


def _places(taken: tuple[Column, ...] | None, wanted: tuple[Column, ...]) -> _Places | str:
    """Find each wanted column among those that a version took, or say why its records cannot be read."""
    if taken is None:
        return "whose columns are not known"
    known = {column.name: (place, column.kind) for place, column in enumerate(taken)}
    if missing := [_shown(column.name) for column in wanted if column.name not in known]:
        return f"which did not take {listed(missing)}"
    for column in wanted:
        kind = known[column.name][1]
        if kind is not column.kind and (kind, column.kind) not in READ_ANEW:
            return f"which took {_shown(column.name)} as a {kind}, not as a {column.kind}"
    return _Places(tuple(known[column.name][0] for column in wanted), len(taken))


def _shown(name: str) -> str:
    return repr(shortened(name, LONGEST_NAME))


def _row(record: LabelledRecord, places: _Places, columns: tuple[Column, ...]) -> list[Scalar] | None:
    if len(record.row) != places.width:
        return None
    row: list[Scalar] = []
    for place, column in zip(places.of_columns, columns, strict=True):
        value = record.row[place]
        cell = _cell(value, column.kind)
        if value is None and column.nullable:
            cell = math.nan if column.kind is ColumnKind.NUMBER else ""
        if cell is None:
            return None
        row.append(cell)
    return row


def _cell(value: Scalar | None, kind: ColumnKind) -> Scalar | None:
    match kind:
        case ColumnKind.NUMBER:
            return _number(value)
        case ColumnKind.TEXT:
            return _text(value)
        case ColumnKind.DATE:
            return None if value is None else canonical(label_text(value)) or (None if value else "")
        case _:
            assert_never(kind)


def _number(value: Scalar | None) -> float | None:
    if value is None or isinstance(value, str):
        return None
    return float(value) if abs(value) <= LARGEST else None


def _text(value: Scalar | None) -> str | None:
    return None if value is None else label_text(value)


def _array(column: Column, values: Sequence[Scalar]) -> ColumnValues:
    if column.kind is ColumnKind.NUMBER:
        return np.array(values, dtype=np.float32)
    texts = np.empty(len(values), dtype=np.object_)
    texts[:] = values
    return texts
