"""Compressed and columnar files: truncated, hostile, or of types that are neither numbers nor text."""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
from tests.data.bad.case import BadData, invalid
from tests.data.bad.good_table import CSV, SIZE, rows

from evermodel.contract import DataFormat, FailureReason, FileType

NOON = dt.time(12)
BOMB = 300 << 20
"""Bytes of the bomb once it is open; the tests give the Job a limit below it."""


def table(**columns: Any) -> Any:
    """Return the good rows with further or other columns."""
    made = pa.Table.from_pylist(rows())
    for name, values in columns.items():
        place = made.column_names.index(name) if name in made.column_names else 1
        made = made.set_column(place, name, values) if name in made.column_names else made.add_column(1, name, values)
    return made


def parquet(**columns: Any) -> bytes:
    """Return Parquet."""
    file = io.BytesIO()
    pyarrow.parquet.write_table(table(**columns), file)
    return file.getvalue()


def arrow(**columns: Any) -> bytes:
    """Return an Arrow file."""
    made, sink = table(**columns), io.BytesIO()
    with pyarrow.ipc.new_file(sink, made.schema) as writer:
        writer.write_table(made)
    return sink.getvalue()


def zstd(content: bytes) -> bytes:
    """Compress."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


def half(make: Callable[[], bytes]) -> Callable[[], bytes]:
    """Return a recipe for a file that was not sent whole."""
    return lambda: make()[: len(make()) // 2]


def of_each(value: Any, kind: Any = None) -> Any:
    """Return a column that holds one value."""
    return pa.array([value] * SIZE, kind)


def bomb() -> bytes:
    """Return zeros, which compress to a thousandth."""
    return gzip.compress(bytes(BOMB), 9)


def _union() -> Any:
    kinds, offsets = pa.array([0] * SIZE, pa.int8()), pa.array(range(SIZE), pa.int32())
    return pa.UnionArray.from_dense(kinds, offsets, [pa.array(range(SIZE))])


def _empty_parquet() -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(table().slice(0, 0), file)
    return file.getvalue()


def _twice() -> bytes:
    file, made = io.BytesIO(), table()
    pyarrow.parquet.write_table(made.append_column("age", made.column("age")), file)
    return file.getvalue()


BROKEN_BINARY: tuple[BadData, ...] = (
    invalid("truncated gzip", half(lambda: gzip.compress(CSV)), "broken gzip", "uploaded whole", file="rows.csv.gz"),
    invalid("truncated zstd", half(lambda: zstd(CSV)), "broken zstd", "uploaded whole", file="rows.csv.zst"),
    invalid("gzip whose last bytes are missing", lambda: gzip.compress(CSV)[:-8], "broken gzip", file="rows.csv.gz"),
    invalid("gzip with a wrong checksum", lambda: gzip.compress(CSV)[:-8] + b"\1" * 8, "broken gzip"),
    invalid("gzip in gzip", lambda: gzip.compress(gzip.compress(CSV)), "twice", file="rows.csv.gz"),
    invalid("gzip of nothing", lambda: gzip.compress(b""), "is empty", file="rows.csv.gz"),
    BadData(
        name="a zip bomb",
        ends=FailureReason.OUT_OF_MEMORY,
        make=bomb,
        file="rows.csv.gz",
        says=("decompressed", "spec.training.template.resources.limits.memory"),
    ),
    invalid("truncated Parquet", half(parquet), "broken Parquet", "uploaded whole", file="rows.parquet"),
    invalid("Parquet of four bytes", lambda: b"PAR1", "broken Parquet", file="rows.parquet"),
    invalid(
        "Parquet with a broken page",
        lambda: parquet().replace(b"r3", b"\xff\xff").replace(b"red", b"\xff\0\xff"),
        "column 'colour' is broken",
        "Write the file again",
        file="rows.parquet",
    ),
    invalid("CSV called Parquet", lambda: CSV, "broken Parquet", "spec.data.format.type", file="rows.parquet"),
    invalid(
        "Parquet declared as CSV",
        parquet,
        "Parquet",
        "spec.data.format.type",
        source={"format": DataFormat(type=FileType.CSV)},
    ),
    invalid("truncated Arrow", half(arrow), "broken Arrow", "uploaded whole", file="rows.arrow"),
    invalid("an Arrow stream without a schema", lambda: b"\xff\xff\xff\xff\0\0\0\0", "Arrow", file="rows.arrow"),
    invalid(
        "Parquet with a list in a column",
        lambda: parquet(tags=of_each(["a", "b"])),
        "'tags'",
        "list",
        "spec.data.features",
        file="rows.parquet",
    ),
    invalid(
        "Parquet with a struct in a column",
        lambda: parquet(place=of_each({"x": 1.0})),
        "'place'",
        "struct",
        file="rows.parquet",
    ),
    invalid(
        "Parquet with times of day",
        lambda: parquet(at=of_each(NOON)),
        "'at'",
        "time64",
        "spec.data.features",
        file="rows.parquet",
    ),
    invalid(
        "Parquet with durations",
        lambda: parquet(took=of_each(dt.timedelta(1))),
        "'took'",
        "duration",
        file="rows.parquet",
    ),
    invalid(
        "Parquet with bytes", lambda: parquet(photo=of_each(b"\xff\xd8")), "'photo'", "binary", file="rows.parquet"
    ),
    invalid(
        "Parquet with a column of null",
        lambda: parquet(age=pa.nulls(SIZE)),
        "'age' has no values",
        "spec.data.features",
        file="rows.parquet",
    ),
    invalid(
        "Parquet with decimals beyond float32",
        lambda: parquet(age=of_each(decimal.Decimal(10) ** 50, pa.decimal256(60, 2))),
        "'age'",
        "row 1",
        "32-bit",
        file="rows.parquet",
    ),
    invalid(
        "Parquet with a dictionary of numbers, one infinite",
        lambda: parquet(age=pa.array([*range(59), float("inf")]).dictionary_encode()),
        "'age'",
        "row 60",
        file="rows.parquet",
    ),
    invalid(
        "Parquet with null labels",
        lambda: parquet(**{"class": pa.array(["a", "b", None] * 20)}),
        "the target 'class' has no value in 20 of 60 rows",
        "row 3",
        file="rows.parquet",
    ),
    invalid(
        "Parquet with a list as the target",
        lambda: parquet(**{"class": of_each(["a"])}),
        "'class'",
        "list",
        file="rows.parquet",
    ),
    invalid(
        "Parquet with times of day as the target",
        lambda: parquet(**{"class": of_each(NOON)}),
        "'class'",
        "time64",
        "spec.data.target",
        file="rows.parquet",
    ),
    invalid("Parquet without rows", _empty_parquet, "no rows", file="rows.parquet"),
    invalid("Parquet with a column twice", _twice, "'age'", "more than once", file="rows.parquet"),
    invalid(
        "Parquet with text in a column of numbers' name",
        lambda: parquet(age=pa.array([*map(str, range(59)), "old"])),
        "'age' is a number in 59 of 60 rows",
        "row 60 holds 'old'",
        file="rows.parquet",
    ),
    invalid("Arrow with unions", lambda: arrow(age=_union()), "'age'", "union", file="rows.arrow"),
)
