"""Any file with a class in its last column can be replayed as it is."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from evermodel_runtime.backtest.reading import read_stream
from evermodel_runtime.backtest.replay import Settings, replay
from evermodel_runtime.backtest.stream import FEWEST_OF_CLASS, Stream, usable_features
from evermodel_runtime.data.failure import JobError

TREE = Settings(estimator="DecisionTreeClassifier", parameters={}, threshold=None, batch=50)
ROWS = 600
Lines = list[list[str]]


def rows() -> Lines:
    random = np.random.default_rng(3)
    cells = random.random((ROWS, 2)).round(3).tolist()
    return [[str(x), str(y), "up" if x > y else "down"] for x, y in cells]


def written(folder: Path, lines: Iterable[list[str]], delimiter: str = ",", encoding: str = "utf-8") -> Path:
    path = folder / "made.csv"
    path.write_bytes("\n".join(delimiter.join(cells) for cells in lines).encode(encoding))
    return path


def opened(path: Path, target: str | None = None) -> tuple[Stream, str]:
    told: list[str] = []
    return read_stream(path, target, lambda _label, line: told.append(line)), "\n".join(told)


@pytest.mark.parametrize(
    ("header", "names", "count", "says"),
    [
        pytest.param(["x", "y", "class"], ("x", "y", "class"), ROWS, "", id="names"),
        pytest.param(None, ("column 1", "column 2", "column 3"), ROWS, "so it is a row", id="none"),
        pytest.param(["0", "1", "class"], ("0", "1", "class"), ROWS, "", id="numbers that count the columns"),
        pytest.param(["", "y", "class"], ("column 1", "y", "class"), ROWS, "", id="a name is missing"),
    ],
)
def test_header(tmp_path: Path, header: list[str] | None, names: tuple[str, ...], count: int, says: str) -> None:
    stream, told = opened(written(tmp_path, [*([header] if header else []), *rows()]))
    assert stream.file.header == names
    assert (len(stream), stream.target) == (count, names[-1])
    assert says in told


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1252"])
@pytest.mark.parametrize("header", [[["größe", "y", "class"]], []], ids=["with a header", "without"])
def test_neither_delimiter_nor_encoding_need_be_said(
    tmp_path: Path, delimiter: str, encoding: str, header: Lines
) -> None:
    stream, _ = opened(written(tmp_path, [*header, *rows()], delimiter, encoding))
    assert len(stream) == ROWS
    assert stream.file.header[0] == ("größe" if header else "column 1")


def test_rows_without_a_label_are_left_out_and_counted(tmp_path: Path) -> None:
    lines = rows()
    for place in range(0, ROWS, 10):
        lines[place][-1] = ""
    stream, told = opened(written(tmp_path, [["x", "y", "class"], *lines]))
    assert "60 of 600 rows are left out: they have no 'class'" in told
    assert len(stream) == ROWS - 60
    assert stream.file.place(0) == "row 1 (line 3)"


def test_a_target_without_any_label_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, [["x", "y", "z"], *([*cells[:2], ""] for cells in rows())])
    with pytest.raises(JobError, match=r"'z' has no value in any row. Name another by --target"):
        opened(path)


@pytest.mark.parametrize(
    ("label", "first"),
    [
        pytest.param(lambda _place, own: own, 60, id="a tenth"),
        pytest.param(lambda place, own: "down" if place < 200 else own, 200, id="more where it is of one class"),
        pytest.param(lambda place, own: "down" if place < 400 else own, 400, id="up to four fifths"),
        pytest.param(lambda place, own: "late" if place > 300 else own, 60, id="no more for a third class"),
    ],
)
def test_the_first_rows_hold_two_classes(tmp_path: Path, label: Callable[[int, str], str], first: int) -> None:
    lines = [[*cells[:2], label(place, cells[2])] for place, cells in enumerate(rows())]
    stream, _ = opened(written(tmp_path, [["x", "y", "class"], *lines]))
    counts = [line[2] for line in lines[: stream.first]]
    assert first <= stream.first < first + 40
    assert min(counts.count("down"), counts.count("up")) >= FEWEST_OF_CLASS


@pytest.mark.parametrize(
    "label", [lambda _place: "down", lambda place: "up" if place > 500 else "down"], ids=["all", "most"]
)
def test_a_stream_of_one_class_is_refused_by_its_own_name(tmp_path: Path, label: Callable[[int], str]) -> None:
    path = written(tmp_path, [["x", "y", "class"], *([*cells[:2], label(at)] for at, cells in enumerate(rows()))])
    with pytest.raises(JobError, match=r"made.csv: the first 480 of 600 rows do not hold two classes of 'class'"):
        opened(path)


def test_a_short_stream_is_replayed_from_its_fortieth_row(tmp_path: Path) -> None:
    stream, _ = opened(written(tmp_path, [["x", "y", "class"], *rows()[:120]]))
    result = replay(stream, TREE, lambda _label, _line: None)
    assert (result.first, result.rows) == (40, 120)
    assert min(result.static, result.loop) > 0.6


def test_a_column_without_any_value_is_left_out(tmp_path: Path) -> None:
    stream, _ = opened(written(tmp_path, [["x", "y", "empty", "class"], *([*c[:2], "", c[2]] for c in rows())]))
    assert usable_features(stream) == ("x", "y")


@pytest.mark.parametrize(
    "spelled",
    [
        pytest.param(lambda label: label, id="words"),
        pytest.param(lambda label: str(int(label == "up")), id="whole numbers"),
        pytest.param(lambda label: str(float(label == "up")), id="fractions"),
        pytest.param(lambda label: str(label == "up"), id="true and false"),
    ],
)
def test_classes_may_be_spelled_as_one_likes(tmp_path: Path, spelled: Callable[[str], str]) -> None:
    lines = [[*cells[:2], spelled(cells[2])] for cells in rows()]
    stream, _ = opened(written(tmp_path, [["x", "y", "class"], *lines]))
    result = replay(stream, TREE, lambda _label, _line: None)
    assert result.static > 0.8


def test_a_class_that_comes_late_is_learnt(tmp_path: Path) -> None:
    lines = [
        [*cells[:2], "late" if place > 200 and float(cells[0]) > 0.7 else cells[2]]
        for place, cells in enumerate(rows())
    ]
    stream, _ = opened(written(tmp_path, [["x", "y", "class"], *lines]))
    result = replay(stream, TREE, lambda _label, _line: None)
    assert result.promotions > 0
    assert result.loop > result.static + 0.05
