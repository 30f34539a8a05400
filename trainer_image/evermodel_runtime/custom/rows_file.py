"""Rows as files: CSV for the user's container, Arrow for our own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, ipc

from evermodel.contract import Column, ColumnKind
from evermodel_runtime.data.rows import ColumnValues, FeatureRows, Labels


def write_csv(rows: FeatureRows, labels: Labels, target: str, path: Path) -> None:
    """Write rows with their labels last, as UTF-8 with a header; what is missing is empty.

    A number has as many digits as make the same float32 again, which is what the model will be asked with.
    """
    columns = [_as_written(values) for values in rows.values]
    names = [column.name for column in rows.columns]
    csv.write_csv(pa.table([*columns, pa.array(labels)], names=[*names, target]), path)


def write_sample(rows: FeatureRows, path: Path) -> None:
    """Write rows so that they are read back as they are."""
    table = pa.table([pa.array(values) for values in rows.values], names=[column.name for column in rows.columns])
    with ipc.new_file(path, table.schema) as file:
        file.write_table(table)


def read_sample(columns: tuple[Column, ...], path: Path) -> FeatureRows:
    """Read what ``write_sample`` wrote."""
    table = ipc.open_file(path).read_all()
    return FeatureRows(columns, tuple(_values(column, table.column(place)) for place, column in enumerate(columns)))


def _as_written(values: ColumnValues) -> Any:
    if values.dtype == np.object_:
        return pa.array(values, pa.string(), mask=values == "")
    return pa.array(values, pa.float32(), mask=np.isnan(values.astype(np.float32)))


def _values(column: Column, read: Any) -> ColumnValues:
    if column.kind is ColumnKind.NUMBER:
        return np.asarray(read.to_numpy(), dtype=np.float32)
    texts = np.empty(len(read), dtype=np.object_)
    texts[:] = read.to_pylist()
    return texts
