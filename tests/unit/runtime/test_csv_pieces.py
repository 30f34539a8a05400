"""A CSV file is read by pieces: the columns are those of the whole, wherever it is cut and whoever reads the pieces."""

from __future__ import annotations

import csv
import io
import os
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evermodel_runtime.data import csvarrow, csvtext
from evermodel_runtime.data.csvfile import read_csv
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.table import Table

ROWS = 400
WORDS = ("red", " green", "dark blue", "", "é")
CELLS = st.sampled_from(["1", "-2.5", " 3", "", "NA", "1_0", "red", " red", "a b"])


def made(rows: list[list[str]], end: str = "\n") -> bytes:
    return end.join(",".join(row) for row in [["a", "b", "kind"], *rows]).encode()


def plain_rows() -> list[list[str]]:
    return [[str(row / 8), WORDS[row % len(WORDS)], "xy"[row % 2]] for row in range(ROWS)]


def cells(table: Table) -> dict[str, list[object]]:
    return {name: column.to_pylist() for name, column in table.columns.items()}


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvtext, "BLOCK", 100)
    monkeypatch.setattr(csvarrow, "PIECE", 100)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize(
    ("content", "lines"),
    [
        pytest.param(made(plain_rows()), range(2, ROWS + 2), id="no line end at the end"),
        pytest.param(made(plain_rows()) + b"\n\n", range(2, ROWS + 2), id="a blank line at the end"),
        pytest.param(made(plain_rows(), "\r\n"), range(2, ROWS + 2), id="Windows line ends"),
        pytest.param(made(plain_rows(), "\n\n"), range(3, 2 * ROWS + 2, 2), id="blank lines between"),
        pytest.param(b'"a","b","kind"' + made(plain_rows())[8:], range(2, ROWS + 2), id="quotes in the header alone"),
        pytest.param(
            made([[str(row), '"two\nlines"', "x"] for row in range(ROWS)]),
            range(3, 2 * ROWS + 2, 2),
            id="values that span lines",
        ),
    ],
)
def test_all_rows_are_read_in_their_order(content: bytes, lines: range) -> None:
    read = read_csv(content, "f", texts={"kind"})

    expected = [row for row in csv.reader(io.StringIO(content.decode()), skipinitialspace=True) if row][1:]
    found = cells(read)
    assert [found["b"], found["kind"]] == [[row[1] for row in expected], [row[2] for row in expected]]
    assert found["a"] == [float(row[0]) for row in expected]
    assert read.lines is not None
    assert list(read.lines) == list(lines)


@pytest.mark.usefixtures("small_pieces")
def test_a_text_in_a_late_piece_makes_the_whole_column_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvarrow, "SAMPLE", 100)
    rows = [[str(row), "red", str(row)] for row in range(ROWS)]
    rows[300][0] = "wide"

    found = cells(read_csv(made(rows), "f"))

    assert found["a"] == [row[0] for row in rows]
    assert found["kind"] == [float(row[2]) for row in rows]


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("broken", [0, 57, ROWS - 1])
def test_a_row_with_too_many_fields_is_named_whatever_the_piece(broken: int) -> None:
    rows = plain_rows()
    rows[broken].append("more")

    with pytest.raises(JobError, match=rf"row {broken + 1} \(line {broken + 2}\) has 4 fields, but the header has 3"):
        read_csv(made(rows), "f")


@pytest.mark.parametrize(
    ("character", "words"),
    [
        pytest.param(b"\0", "holds a NUL byte", id="NUL"),
        pytest.param(b"\xe9", "is not UTF-8 (byte 0xe9)", id="not UTF-8"),
    ],
)
@pytest.mark.parametrize("row", [0, 57, ROWS - 1])
def test_a_byte_that_no_text_has_is_found_whatever_the_piece(
    row: int, character: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csvtext, "BLOCK", 100)
    monkeypatch.setattr(csvtext, "COUNTED", 10)
    rows = [["1", "red", "x"] for _ in range(ROWS)]
    rows[row][1] = "BROKEN"

    with pytest.raises(JobError, match=re.escape(f"line {row + 2} {words}")):
        read_csv(made(rows).replace(b"BROKEN", character), "f")


def test_a_row_longer_than_a_block_is_read() -> None:
    rows = plain_rows()
    rows[200][1] = "long " * (csvarrow.BLOCK // 4)

    assert cells(read_csv(made(rows), "f"))["b"] == [row[1].lstrip() for row in rows]


@pytest.mark.usefixtures("small_pieces")
def test_chunks_do_not_depend_on_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = []
    for processors in (1, 2, 5):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, count=processors: set(range(count)))
        tables.append(read_csv(made(plain_rows()), "f").columns)

    for name, column in tables[0].items():
        assert column.num_chunks > 5
        for other in tables[1:]:
            assert [chunk.equals(twin) for chunk, twin in zip(column.chunks, other[name].chunks, strict=True)]
            assert column.equals(other[name])


@settings(deadline=None)
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=30), piece=st.integers(1, 60))
def test_the_columns_are_those_of_the_whole(rows: list[tuple[str, str]], piece: int) -> None:
    content = made([[*row, "x"] for row in rows])

    whole = read_csv(content, "f")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csvarrow, "PIECE", piece)
        by_pieces = read_csv(content, "f")

    assert by_pieces.columns == whole.columns
    assert by_pieces.lines == whole.lines
