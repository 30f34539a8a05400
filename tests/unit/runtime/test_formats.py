"""The same rows are the same rows in every format, and a file that is none of them is told."""

import gzip
import io
import json
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet
import pytest
from tests.unit.runtime.made_runs import ENCODE_COLOUR, as_csv, make_numbers, make_source, make_table

from evermodel.contract import Column, ColumnKind, DataFormat, FailureReason, FileType
from evermodel_runtime.data.csvfile import read_csv
from evermodel_runtime.data.dataset import Dataset, read_dataset
from evermodel_runtime.data.extent import Extent
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.formats import read_table
from evermodel_runtime.data.memory import LIBRARIES, Memory

ROWS = [row | {"count": number} for number, row in enumerate(make_table(200))]
ARROW = pa.Table.from_pylist(ROWS)
CSV = as_csv(ROWS)


def parquet(table: pa.Table, **options: object) -> bytes:
    written = io.BytesIO()
    pyarrow.parquet.write_table(table, written, **options)
    return written.getvalue()


def arrow(table: pa.Table, opened: Callable[..., pa.ipc.RecordBatchFileWriter]) -> bytes:
    written = io.BytesIO()
    with opened(written, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)
    return written.getvalue()


def json_lines(rows: list[dict[str, object]]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def zstd(content: bytes) -> bytes:
    written = pa.BufferOutputStream()
    with pa.CompressedOutputStream(written, "zstd") as stream:
        stream.write(content)
    return bytes(written.getvalue())


def dataset_of(content: bytes, name: str = "hub://flowers", declared: DataFormat | None = None) -> Dataset:
    source = make_source(id_column="id")
    file = read_table(content, name, declared, texts={"kind", "id"})
    return read_dataset(file, source, (ENCODE_COLOUR,))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        pytest.param(CSV.replace(b",", b";"), "flowers", id="semicolons"),
        pytest.param(gzip.compress(CSV), "flowers.csv.gz", id="gzipped CSV"),
        pytest.param(gzip.compress(CSV[:999]) + gzip.compress(CSV[999:]), "flowers.csv.gz", id="gzip of two parts"),
        pytest.param(zstd(CSV), "flowers.csv.zst", id="CSV by zstd"),
        pytest.param(zstd(CSV), "flowers", id="zstd that its name does not tell"),
        pytest.param(parquet(ARROW), "flowers.parquet", id="Parquet"),
        pytest.param(parquet(ARROW), "flowers", id="Parquet that its name does not tell"),
        pytest.param(parquet(ARROW, row_group_size=9, compression="zstd"), "flowers", id="Parquet of many groups"),
        pytest.param(
            parquet(ARROW.set_column(3, "colour", ARROW["colour"].dictionary_encode())), "f", id="Parquet of categories"
        ),
        pytest.param(
            parquet(ARROW.set_column(3, "colour", ARROW["colour"].cast(pa.large_string()))), "f", id="large strings"
        ),
        pytest.param(
            parquet(ARROW.set_column(1, "height", ARROW["height"].cast(pa.float32()))), "f", id="Parquet of float32"
        ),
        pytest.param(
            parquet(ARROW.set_column(1, "height", ARROW["height"].cast(pa.decimal128(9, 3)))), "f", id="decimals"
        ),
        pytest.param(json_lines(ROWS), "flowers.jsonl", id="JSON lines"),
        pytest.param(json_lines(ROWS), "flowers", id="JSON lines that their name does not tell"),
        pytest.param(gzip.compress(json_lines(ROWS)), "flowers.jsonl.gz", id="gzipped JSON lines"),
        pytest.param(arrow(ARROW, pa.ipc.new_file), "flowers.arrow", id="Arrow file"),
        pytest.param(arrow(ARROW, pa.ipc.new_stream), "flowers.arrow", id="Arrow stream"),
    ],
)
def test_rows_are_the_same_in_every_format(content: bytes, name: str) -> None:
    expected, found = dataset_of(CSV, "flowers.csv"), dataset_of(content, name)

    assert found.hashes.tolist() == expected.hashes.tolist()
    assert found.reference.tolist() == expected.reference.tolist()
    assert found.target.labels.tolist() == expected.target.labels.tolist()
    assert found.features.columns == expected.features.columns


def test_columns_of_json_lines_stand_in_the_order_in_which_they_come() -> None:
    """It is part of what a row is known by, and of what callers send rows as lists in."""
    rows = [{"height": n, "sold": f"2026-01-{1 + n:02d}", "kind": "rose"} for n in range(28)]

    table = read_table(json_lines([*rows, {"height": 1, "sold": "2026-02-01", "kind": "rose", "late": 3}]), "f.jsonl")

    assert table.header == ("height", "sold", "kind", "late")
    assert table.cell("sold", 1) == "2026-01-02"


def test_the_hash_of_a_row_is_what_it_has_always_been() -> None:
    """Champions know what they were trained on by these numbers, and they decide what is held out."""
    dataset = dataset_of(CSV)

    assert dataset.hashes[:2].tolist() == HASHES
    assert int(dataset.reference.sum()) == HELD_OUT


HASHES = [18016748583763099191, 6738671649604620577]
HELD_OUT = 41


@pytest.mark.parametrize(
    ("content", "declared", "words"),
    [
        pytest.param(b"PAR1" + bytes(50), None, "is broken Parquet", id="broken Parquet"),
        pytest.param(CSV, FileType.PARQUET, "is broken Parquet", id="CSV called Parquet"),
        pytest.param(CSV, FileType.ARROW, "is broken Arrow", id="CSV called Arrow"),
        pytest.param(arrow(ARROW, pa.ipc.new_file)[:300], None, "is broken Arrow", id="half an Arrow file"),
        pytest.param(gzip.compress(CSV)[:200], None, "is broken gzip", id="half a gzip"),
        pytest.param(zstd(CSV)[:200], None, "is broken zstd", id="half a zstd"),
        pytest.param(b"", FileType.JSON_LINES, "is empty", id="no lines"),
        pytest.param(json.dumps(ROWS).encode(), None, "line 1 is not one JSON object of plain values", id="a list"),
        pytest.param(
            json_lines(ROWS) + b'\n{"id": "f9", "height": "tall"}',
            None,
            "column 'height' is number in line 1, but line 201 holds the text 'tall'",
            id="another type",
        ),
        pytest.param(
            json_lines(ROWS) + b'\n\n{"id": "f9", "height": {"cm": 3}}', None, "line 202 is not one", id="nested"
        ),
        pytest.param(json_lines(ROWS) + b'\n{"id": "f9"', None, "line 201 is not one JSON object", id="half a line"),
        pytest.param(parquet(ARROW.select(["kind"])), None, "single column, 'kind'", id="one column"),
        pytest.param(parquet(ARROW.slice(0, 0)), None, "but no rows", id="no rows"),
    ],
)
def test_a_broken_file_is_told(content: bytes, declared: FileType | None, words: str) -> None:
    with pytest.raises(JobError) as failure:
        dataset_of(content, declared=DataFormat(type=declared))

    assert failure.value.reason is FailureReason.DATA_INVALID
    assert words in failure.value.message


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        pytest.param(
            "width", pa.array(range(200), pa.time32("s")), "of type time32[ms], which are neither", id="times of day"
        ),
        pytest.param("width", pa.array([[1]] * 200), "of type list", id="lists"),
        pytest.param("kind", pa.array([b"x", b"y"] * 100), "column 'kind' holds values of type binary", id="bytes"),
        pytest.param("width", pa.array([1.0, None] * 100), "'width' has no value in 100 of 200 rows: row 2", id="null"),
        pytest.param("width", pa.array([1.0, 1e39] * 100), "'width' holds '1e+39' in row 2", id="beyond float32"),
        pytest.param("width", pa.array([1.0, float("inf")] * 100), "'inf' in row 2", id="infinite"),
        pytest.param("kind", pa.array(["x", "y", None, "x"] * 50), "no value in 50 of 200 rows: row 3", id="no label"),
        pytest.param("id", pa.array([1, 2] * 100), "'1' in row 1 and in row 3", id="an id twice"),
    ],
)
def test_a_mistake_in_a_typed_file_names_column_and_row(column: str, values: pa.Array, words: str) -> None:
    place = ARROW.column_names.index(column)

    with pytest.raises(JobError) as failure:
        dataset_of(parquet(ARROW.set_column(place, column, values)))

    assert words in failure.value.message


def test_booleans_are_the_same_numbers_in_every_format() -> None:
    table = ARROW.set_column(3, "colour", pa.array([True, False, None, True] * 50))
    spelled = [row | {"colour": cell} for row, cell in zip(ROWS, ["True", "False", "", "TRUE"] * 50, strict=True)]

    typed, text = (
        read_dataset(read_table(content, "f", texts={"kind", "id"}), make_source(id_column="id"))
        for content in (parquet(table), as_csv(spelled))
    )

    assert typed.features.columns[2] == Column(name="colour", kind=ColumnKind.NUMBER, nullable=True)
    np.testing.assert_array_equal(typed.features.values[2][:4], np.array([1, 0, np.nan, 1], np.float32))
    assert (typed.hashes == text.hashes).all()
    assert (typed.reference == text.reference).all()


def test_a_column_that_holds_more_than_true_and_false_is_text() -> None:
    cells = ["true", "false", "unknown", "true"] * 50

    read = dataset_of(parquet(ARROW.set_column(3, "colour", pa.array(cells))))

    assert read.features.columns[2].kind is ColumnKind.TEXT


def test_only_what_is_learnt_from_is_read() -> None:
    for content in (CSV, parquet(ARROW), json_lines(ROWS), arrow(ARROW, pa.ipc.new_file)):
        table = read_table(content, "f", only={"height", "kind"})

        assert set(table.columns) == {"height", "kind"}
        assert table.header == tuple(ROWS[0])


def test_a_text_far_down_in_a_column_of_numbers_is_found() -> None:
    many = "".join(f"{number},{number % 7},x{number % 2}\n" for number in range(60_000))
    content = f"a,b,kind\n{many}1,2 cm,x1\n".encode()

    with pytest.raises(
        JobError, match=r"'b' is a number in 60,000 of 60,001 rows, but row 60001 \(line 60002\) holds '2 cm'"
    ):
        read_dataset(read_csv(content, "f", texts=("kind",)), make_source())


def test_numbers_are_what_python_reads() -> None:
    cells = ["0.1", " 7 ", "-0", "+5", "1e-3", "16777217", "3.4e38", "1_000", ".5", "5."] * 3
    content = ("a,b,kind\n" + "".join(f"{cell},{n},x{n % 2}\n" for n, cell in enumerate(cells))).encode()

    values = read_dataset(read_csv(content, "f"), make_source()).features.values[0]

    assert values.tolist() == np.array([float(cell) for cell in cells], np.float32).tolist()


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param('"two\n\nlines"', id="a blank line in quotes"),
        pytest.param('"say ""hi"""', id="quotes in quotes"),
        pytest.param(' "spaced, out"', id="a space before a quote"),
        pytest.param("naïve", id="not ASCII"),
    ],
)
def test_odd_cells_are_read_and_rows_keep_their_lines(cell: str) -> None:
    rows = [f"{n},{cell},x{n % 2}" for n in range(30)] + ["", "wide,b,x"]
    content = "\n".join(["a,b,kind", *rows, ""]).encode()
    line = content[: content.rindex(b"wide")].count(b"\n") + 1

    with pytest.raises(JobError, match=rf"row 31 \(line {line}\) holds 'wide'"):
        read_dataset(read_csv(content, "f"), make_source(features=("a",)))


GIGABYTE = 1 << 30


def group(root: Path, files: dict[str, str]) -> Memory:
    for path, content in ({"proc/meminfo": "MemTotal: 16777216 kB\n"} | files).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    return Memory.of_this_process(root)


@pytest.mark.parametrize(
    ("files", "limit", "whose"),
    [
        pytest.param({"proc/self/cgroup": "0::/\n"}, 16 * GIGABYTE, "this machine's memory", id="no limit"),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"},
            16 * GIGABYTE,
            "this machine's memory",
            id="v2, unlimited",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{GIGABYTE}\n"},
            GIGABYTE,
            "this Job's memory limit",
            id="v2 in a container",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/kubepods/pod1/c1\n",
                "sys/fs/cgroup/kubepods/pod1/memory.max": f"{GIGABYTE}\n",
                "sys/fs/cgroup/kubepods/pod1/c1/memory.max": "max\n",
            },
            GIGABYTE,
            "this Job's memory limit",
            id="v2, the pod is limited",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "9:cpu:/x\n4:memory:/kubepods/pod1\n0::/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2 * GIGABYTE}\n",
            },
            2 * GIGABYTE,
            "this Job's memory limit",
            id="v1 in a container",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:memory:/kubepods/pod1\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/kubepods/pod1/memory.limit_in_bytes": f"{GIGABYTE}\n",
            },
            GIGABYTE,
            "this Job's memory limit",
            id="v1 on the node",
        ),
    ],
)
def test_the_memory_limit_is_that_of_the_innermost_group_that_has_one(
    files: dict[str, str], limit: int, whose: str, tmp_path: Path
) -> None:
    assert group(tmp_path, files) == Memory(limit, whose)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(CSV * 8000, id="CSV"),
        pytest.param(gzip.compress(CSV * 8000, 1), id="gzip that unfolds"),
        pytest.param(
            parquet(pa.table({"a": pa.array(np.zeros(40_000_000)), "kind": pa.nulls(40_000_000)})), id="Parquet"
        ),
    ],
)
def test_a_file_larger_than_memory_is_refused_with_its_size_and_the_limit(content: bytes) -> None:
    memory = Memory(256 << 20, "this Job's memory limit")

    with pytest.raises(
        JobError, match=r"\d [MG]iB.* but this Job's memory limit is 256 MiB\. Set .*memory to \dGi"
    ) as failure:
        read_table(content, "hub://flowers", memory=memory)

    assert failure.value.reason is FailureReason.OUT_OF_MEMORY


def feather(table: pa.Table) -> bytes:
    written = io.BytesIO()
    pyarrow.feather.write_feather(table, written, compression="zstd")
    return written.getvalue()


MANY = 200_000
IDS = pa.table({"id": [f"customer-{number:08}" for number in range(MANY)], "kind": ["x", "y"] * (MANY // 2)})
ID_LINES = "".join(f"customer-{number:08},x\n" for number in range(MANY))
ZEROS = pa.table({"a": np.zeros(MANY), "kind": np.zeros(MANY)})


@pytest.mark.parametrize(
    ("content", "room"),
    [
        pytest.param(b"a,kind\n" + b"1,x\n" * MANY, 15 << 20, id="many rows of little"),
        pytest.param(f"id,kind\n{ID_LINES}".encode(), 15 << 20, id="texts of which each is another"),
        pytest.param(b"a,kind\n" + b'1, "x"\n' * MANY, 15 << 20, id="CSV that is read with care"),
        pytest.param(("a,kind\n" + f"1,{'x' * 500}\n" * 4_000).encode("utf-16"), 6 << 20, id="text that is decoded"),
        pytest.param(parquet(IDS, compression="zstd"), 15 << 20, id="texts in Parquet"),
        pytest.param(feather(ZEROS), 15 << 20, id="compressed Arrow"),
        pytest.param(feather(IDS), 30 << 20, id="texts in compressed Arrow"),
        pytest.param(b'{"a":1,"b":"x"}\n' * MANY, 18 << 20, id="JSON of many rows"),
    ],
)
def test_what_a_small_file_takes_in_memory_is_told_before_it_is_taken(content: bytes, room: int) -> None:
    assert len(content) < room

    with pytest.raises(JobError, match=r"this Job's memory limit is") as failure:
        read_table(content, "f", memory=Memory(LIBRARIES + room, "this Job's memory limit"))

    assert failure.value.reason is FailureReason.OUT_OF_MEMORY
    read_table(content, "f", memory=Memory(LIBRARIES + 8 * room, "this Job's memory limit"))


def test_what_is_in_memory_already_counts(tmp_path: Path) -> None:
    pages = (2 * GIGABYTE) // resource.getpagesize()

    found = group(tmp_path, {"proc/self/cgroup": "0::/\n", "proc/self/statm": f"999999 {pages + 7} 7 1 0 1 0\n"})

    assert found.taken == 2 * GIGABYTE


def test_a_file_larger_than_memory_is_refused_before_it_is_fetched() -> None:
    with pytest.raises(JobError, match=r"hub://flowers is 8\.0 GiB"):
        Memory(GIGABYTE, "this Job's memory limit").check_stored(8 * GIGABYTE, "hub://flowers")


def test_the_digits_fit_into_a_small_pod() -> None:
    Memory(512 << 20, "this Job's memory limit").check(
        Extent(rows=1797, cells=1797 * 65 * 8), held=10_000, name="digits"
    )


def test_numbers_only_make_one_matrix() -> None:
    numbers = make_numbers(100)

    features = read_dataset(read_csv(as_csv(numbers), "f"), make_source()).features

    assert features.matrix().tolist() == features.wide_matrix().tolist()
