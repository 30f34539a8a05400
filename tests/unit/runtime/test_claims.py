"""Files and folders of a claim: real folders, where a test may be root and still must not leave the claim."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest
from tests.unit.runtime.made_runs import as_csv, make_numbers, make_source, make_table, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import FailureReason
from evermodel_runtime.data.claim import claimed_files
from evermodel_runtime.data.columns import spelled
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.folder import read_folder
from evermodel_runtime.data.memory import LIBRARIES, Memory
from evermodel_runtime.data.source import read_data
from evermodel_runtime.data.table import Table
from evermodel_runtime.train.job import train

CONTENT = as_csv(make_numbers(100))
ROWS = make_table(200)


@pytest.fixture
def claim(tmp_path: Path) -> Path:
    mounted = tmp_path / "claim"
    mounted.mkdir()
    return mounted


def write(claim: Path, path: str, content: bytes) -> None:
    (claim / path).parent.mkdir(parents=True, exist_ok=True)
    (claim / path).write_bytes(content)


def read(claim: Path, path: str, **changes: Any) -> tuple[Table, str]:
    source = make_source(uri=f"pvc://flowers/{path}", **changes)
    return read_data(source, datasets=MemoryHub(), mount=claim)


def failed(claim: Path, path: str, **changes: Any) -> JobError:
    with pytest.raises(JobError) as failure:
        read(claim, path, **changes)
    return failure.value


def texts(table: Table, column: str) -> list[str]:
    codes, words = spelled(table, column)
    return [words[code] for code in codes]


def test_a_file_is_read_with_its_own_digest(claim: Path) -> None:
    write(claim, "2026/train.csv", CONTENT)

    table, digest = read(claim, "2026/train.csv")

    assert (len(table), digest) == (100, hashlib.sha256(CONTENT).hexdigest())


def test_a_link_inside_the_claim_is_followed(claim: Path) -> None:
    write(claim, "2026/train.csv", CONTENT)
    (claim / "newest.csv").symlink_to("2026/train.csv")

    assert len(read(claim, "newest.csv")[0]) == 100


@pytest.mark.parametrize(
    "path", ["out.csv", "out/secret.csv", "folder", "up.csv"], ids=["a file", "a folder above", "a file below", "by .."]
)
def test_no_link_leads_out_of_the_claim(path: str, claim: Path, tmp_path: Path) -> None:
    write(tmp_path, "outside/secret.csv", CONTENT)
    (claim / "out.csv").symlink_to(tmp_path / "outside/secret.csv")
    (claim / "out").symlink_to(tmp_path / "outside")
    (claim / "up.csv").symlink_to("../outside/secret.csv")
    write(claim, "folder/a.csv", CONTENT)
    (claim / "folder/b.csv").symlink_to(tmp_path / "outside/secret.csv")

    failure = failed(claim, path)

    assert failure.reason is FailureReason.DATA_INVALID
    assert "is a link out of the claim" in failure.message


def test_a_link_that_is_turned_after_it_was_looked_at_leads_nowhere(claim: Path, tmp_path: Path) -> None:
    write(claim, "train.csv", CONTENT)
    write(tmp_path, "outside.csv", CONTENT)
    (file,) = claimed_files("pvc://flowers/train.csv", claim)
    (claim / "train.csv").unlink()
    (claim / "train.csv").symlink_to(tmp_path / "outside.csv")

    with pytest.raises(JobError, match="is a link out of the claim"):
        file.read()


def test_a_pipe_is_no_file_and_is_not_waited_for(claim: Path) -> None:
    os.mkfifo(claim / "train.csv")

    assert "is no file and no folder" in failed(claim, "train.csv").message


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("2026/test.csv", "has no 2026/test.csv: 2026 holds train.csv", id="another file"),
        pytest.param("2027/train.csv", "its folder is empty or missing", id="another folder"),
        pytest.param("circle.csv", "its links go in a circle", id="links in a circle"),
        pytest.param("empty", "is a folder without files", id="only what is hidden"),
    ],
)
def test_what_is_missing_is_told(path: str, words: str, claim: Path) -> None:
    write(claim, "2026/train.csv", CONTENT)
    write(claim, "empty/_SUCCESS", b"")
    write(claim, "empty/.hidden/a.csv", CONTENT)
    (claim / "circle.csv").symlink_to("circle.csv")

    failure = failed(claim, path)

    assert failure.reason is FailureReason.DATA_NOT_FOUND
    assert words in failure.message


def test_a_partitioned_folder_is_what_arrow_reads_with_its_partitions_as_columns(claim: Path) -> None:
    arrow = pa.table({name: [row[name] for row in ROWS] for name in ROWS[0]})
    arrow = arrow.append_column("year", pa.array([2024 + row % 3 for row in range(len(ROWS))]))
    pa.dataset.write_dataset(
        arrow, claim / "sales", format="parquet", partitioning=["year", "colour"], partitioning_flavor="hive"
    )
    oracle = pa.dataset.dataset(claim / "sales", partitioning="hive").to_table().to_pylist()

    table, _ = read(claim, "sales")

    assert set(table.header) == set(arrow.column_names)
    assert sorted(zip(texts(table, "id"), texts(table, "year"), texts(table, "colour"), strict=True)) == sorted(
        (row["id"], str(row["year"]), row["colour"]) for row in oracle
    )
    heights = dict(zip(texts(table, "id"), table.columns["height"].to_pylist(), strict=True))
    assert heights == {row["id"]: row["height"] for row in oracle}


def test_a_model_learns_from_a_partitioned_folder(claim: Path) -> None:
    for colour in ("red", "green", "dark blue"):
        rows = [{name: row[name] for name in row if name != "colour"} for row in ROWS if row["colour"] == colour]
        write(claim, f"sales/colour={colour.replace(' ', '%20')}/part-0.csv", as_csv(rows))
    hub = MemoryHub()
    run = make_train_run(data=make_source(uri="pvc://flowers/sales", id_column="id"))

    report = train(run, surroundings(hub, claim))

    columns = {column.name: column.kind.value for column in hub.manifest(report.manifest).columns}
    assert columns == {"height": "number", "width": "number", "colour": "text"}
    assert report.rows > 100


def test_files_are_read_in_the_order_of_their_paths_and_hidden_ones_are_left_out(claim: Path) -> None:
    for name, kind in (("b/2.csv", "x"), ("a/9.csv", "y"), ("a.csv", "z"), ("_tmp.csv", "no"), ("a/.x.csv", "no")):
        write(claim, f"rows/{name}", f"a,kind\n1,{kind}\n".encode())

    assert texts(read(claim, "rows/")[0], "kind") == ["z", "y", "x"]


def test_numbers_in_one_file_and_text_in_another_are_text_as_in_a_single_file(claim: Path) -> None:
    write(claim, "rows/1.csv", b"code,size,kind\n01,1,x\n02,2,y\n")
    write(claim, "rows/2.csv", b"code,size,kind\nA1,,x\n")
    write(claim, "rows/3.csv", b"code,size,kind\n,,y\n")

    table, _ = read(claim, "rows")

    assert texts(table, "code") == ["01", "02", "A1", ""]
    assert table.columns["size"].to_pylist() == [1, 2, None, None]


@pytest.mark.parametrize(
    ("name", "empty"),
    [
        pytest.param("0.csv", b"a,kind\n", id="a header alone"),
        pytest.param("0.csv", b"", id="nothing at all"),
        pytest.param("9.jsonl", b"\n", id="no line"),
    ],
)
def test_files_without_rows_are_passed_over_unless_all_are(name: str, empty: bytes, claim: Path) -> None:
    write(claim, f"rows/{name}", empty)
    with pytest.raises(JobError, match=rf"rows/{name} (has a header \(a, kind\) but no rows|is empty)"):
        read(claim, "rows")
    write(claim, "rows/1.csv", b"a,kind\n1,x\n")

    table, digest = read(claim, "rows")

    assert (len(table), table.place(0)) == (1, "row 1 (line 2) of 1.csv")
    (claim / "rows" / name).unlink()
    assert read(claim, "rows")[1] != digest


def test_whole_and_other_numbers_go_together(claim: Path) -> None:
    (claim / "rows").mkdir()
    for name, values in (("1", pa.array([1, 2])), ("2", pa.array([0.5, None])), ("3", pa.nulls(1))):
        kinds = pa.array(["x"] * len(values))
        pa.parquet.write_table(pa.table({"a": values, "kind": kinds}), claim / f"rows/{name}.parquet")

    assert read(claim, "rows")[0].columns["a"].to_pylist() == [1, 2, 0.5, None, None]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        pytest.param(
            {"1.csv": b"a,kind\n1,x\n", "2.csv": b"b,kind\n1,x\n"},
            "2.csv has no column 'a', which pvc://flowers/rows/1.csv has",
            id="a column less",
        ),
        pytest.param(
            {"1.csv": b"a,kind\n1,x\n", "2.csv": b"a,b,kind\n1,2,x\n"},
            "1.csv has no column 'b', which pvc://flowers/rows/2.csv has",
            id="a column more",
        ),
        pytest.param(
            {"a=1/1.csv": b"a,kind\n1,x\n"},
            "the column 'a' is in the file and in the name of its folder too",
            id="a column twice",
        ),
        pytest.param(
            {"1.jsonl": b'{"a": 1, "kind": "x"}\n', "2.jsonl": b'{"a": "b", "kind": "x"}\n'},
            "column 'a' is text in pvc://flowers/rows/2.jsonl and a number in pvc://flowers/rows/1.jsonl",
            id="text and numbers",
        ),
        pytest.param(
            {"1.csv": b"a,kind\n1,x\n", "2.csv": b"a,kind\n1,x,3\n"},
            "rows/2.csv: row 1 (line 2) has 3 fields",
            id="a broken row",
        ),
        pytest.param(
            {"1.jsonl": b'{"a": 1, "kind": "x"}\n', "README.txt": b"These are flowers, as of May\nseen.\n"},
            "looks like CSV, and 1.jsonl is JSONLines: if it is no part of the table, move it out of the folder",
            id="a text beside the data",
        ),
        pytest.param(
            {"1.csv": b"a,kind\n1,x\n", "2.jsonl": b'{"b": 1, "kind": "x"}\n'},
            "All files of a folder need the same columns. The file looks like JSONLines, and 1.csv is CSV",
            id="other columns in another format",
        ),
    ],
)
def test_files_that_do_not_go_together_are_told(files: dict[str, bytes], words: str, claim: Path) -> None:
    for name, content in files.items():
        write(claim, f"rows/{name}", content)

    failure = failed(claim, "rows")
    assert failure.reason is FailureReason.DATA_INVALID
    assert words in failure.message


def test_a_link_to_a_folder_is_told_instead_of_left_out(claim: Path) -> None:
    write(claim, "rows/1.csv", CONTENT)
    write(claim, "more/2.csv", CONTENT)
    (claim / "rows/more").symlink_to("../more")

    assert "more is a link to a folder" in failed(claim, "rows").message


def test_a_wrong_cell_is_named_with_its_file(claim: Path) -> None:
    table = make_numbers(60)
    write(claim, "rows/1.csv", as_csv(table[:30]))
    table[41]["width"] = "wide"
    write(claim, "rows/2.csv", as_csv(table[30:]))
    run = make_train_run(data=make_source(uri="pvc://flowers/rows"))

    with pytest.raises(JobError, match=r"row 12 \(line 13\) of 2\.csv holds 'wide'"):
        train(run, surroundings(MemoryHub(), claim))


def test_the_digest_of_a_folder_is_of_paths_and_contents(claim: Path) -> None:
    digests: set[str] = set()
    for files in (
        {"1.csv": b"a,kind\n1,x\n", "2.csv": b"a,kind\n2,x\n"},
        {"1.csv": b"a,kind\n1,x\n", "3.csv": b"a,kind\n2,x\n"},
        {"1.csv": b"a,kind\n2,x\n", "2.csv": b"a,kind\n1,x\n"},
        {"1.csv": b"a,kind\n1,x\n"},
    ):
        folder = f"rows-{len(digests)}"
        for name, content in files.items():
            write(claim, f"{folder}/{name}", content)
        digests |= {read(claim, folder)[1]}
    write(claim, "again/1.csv", b"a,kind\n1,x\n")
    write(claim, "again/_SUCCESS", b"")

    assert len(digests) == 4
    assert read(claim, "again")[1] in digests
    assert read(claim, "again", sha256=read(claim, "again")[1])[1] in digests
    assert failed(claim, "again", sha256="ab" * 32).reason is FailureReason.DIGEST_MISMATCH


def test_only_what_is_declared_is_kept(claim: Path) -> None:
    write(claim, "rows/year=2026/month=11/1.csv", b"a,b,kind\n1,2,x\n")

    table, _ = read(claim, "rows", features=("a", "month"))

    assert set(table.columns) == {"a", "month", "kind"}
    assert set(table.header) == {"a", "b", "year", "month", "kind"}


def test_a_missing_value_in_a_name_is_missing(claim: Path) -> None:
    write(claim, "rows/place=__HIVE_DEFAULT_PARTITION__/1.csv", b"a,kind\n1,x\n")
    write(claim, "rows/place=K%C3%B6ln/1.csv", b"a,kind\n1,x\n")

    assert texts(read(claim, "rows")[0], "place") == ["Köln", ""]


def test_a_folder_that_does_not_fit_is_refused_at_the_file_that_is_too_much(claim: Path) -> None:
    for number in range(8):
        values = np.random.default_rng(number).normal(size=40_000)
        (claim / "rows").mkdir(exist_ok=True)
        pa.parquet.write_table(
            pa.table({"a": values, "kind": ["x"] * len(values)}), claim / f"rows/{number}.parquet", compression="zstd"
        )
    small = Memory(LIBRARIES + (4 << 20), "this Job's memory limit")
    files = claimed_files("pvc://flowers/rows", claim)

    with pytest.raises(JobError, match="pvc://flowers/rows takes") as failure:
        read_folder(files, "pvc://flowers/rows", make_source().format, texts={"kind"}, only=None, memory=small)

    assert failure.value.reason is FailureReason.OUT_OF_MEMORY
