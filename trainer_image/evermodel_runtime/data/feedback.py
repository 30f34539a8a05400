"""Labelled production records as rows like those of the source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from evermodel.contract import Column, ColumnKind, LabelledRecord, Scalar, label_text
from evermodel_runtime.data.columns import LARGEST
from evermodel_runtime.data.dates import canonical
from evermodel_runtime.data.rows import ColumnValues, FeatureRows


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
    unusable : int
        Records left out: other columns than these, or values missing.
    """

    rows: FeatureRows
    labels: tuple[str, ...]
    seqs: NDArray[np.int64]
    times: NDArray[np.float64]
    unusable: int

    def __len__(self) -> int:
        return len(self.labels)


def read_feedback(records: Sequence[LabelledRecord], columns: tuple[Column, ...]) -> Feedback:
    """Turn records, whose values are in the order of ``columns``, into rows."""
    ordered = sorted(records, key=lambda record: (record.predicted_at, record.seq))
    usable = [(record, row) for record in ordered if (row := _row(record, columns)) is not None]
    by_column = zip(*(row for _, row in usable), strict=True) if usable else ((),) * len(columns)
    rows = FeatureRows(columns, tuple(_array(c, values) for c, values in zip(columns, by_column, strict=True)))
    seqs = np.array([record.seq for record, _ in usable], dtype=np.int64)
    times = np.array([record.predicted_at for record, _ in usable], dtype=np.float64)
    labels = tuple(record.label for record, _ in usable)
    return Feedback(rows, labels, seqs, times, len(records) - len(usable))


def _row(record: LabelledRecord, columns: tuple[Column, ...]) -> list[Scalar] | None:
    if len(record.row) != len(columns):
        return None
    row: list[Scalar] = []
    for value, column in zip(record.row, columns, strict=True):
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
