"""Every mistake in a file or a spec ends with a reason and a message that names the place and what to do."""

from collections.abc import Sequence
from typing import Any

import pytest
from tests.unit.runtime.made_runs import ENCODE_COLOUR, as_csv, make_numbers, make_source, make_table

from evermodel.contract import DataFormat, DataSource, FailureReason, PreprocessingStep
from evermodel_runtime.data.csvfile import read_csv
from evermodel_runtime.data.dataset import Dataset, read_dataset, training_part
from evermodel_runtime.data.failure import JobError

INVALID = FailureReason.DATA_INVALID
SPEC = FailureReason.SPEC_INVALID
IMPUTE = PreprocessingStep(transformer="SimpleImputer", columns=("dtype:number",))
SCALE_WIDTH = PreprocessingStep(transformer="StandardScaler", columns=("width",))
SCALE_COLOUR = PreprocessingStep(transformer="StandardScaler", columns=("colour",))


def changed(row: int, **cells: Any) -> bytes:
    table = make_numbers()
    table[row] |= cells
    return as_csv(table)


def with_ids(**ids: str) -> bytes:
    table = make_table()
    for place, value in ids.items():
        table[int(place.removeprefix("row"))]["id"] = value
    return as_csv(table)


def read(content: bytes, source: DataSource, steps: tuple[PreprocessingStep, ...]) -> Dataset:
    dataset = read_dataset(read_csv(content, source.uri, source.format), source, steps)
    training_part(dataset)
    return dataset


NUMBERS = as_csv(make_numbers())
TABLE = as_csv(make_table())
ONE_CLASS = as_csv([row | {"kind": "rose"} for row in make_numbers()])
SENSOR = [{"a": 1, "kind": "x"}, {"a": 2, "kind": "y"}] * 15


@pytest.mark.parametrize(
    ("content", "source", "steps", "reason", "words"),
    [
        pytest.param(b"", {}, (), INVALID, ["flowers.csv is empty"], id="empty file"),
        pytest.param(b" \n\n", {}, (), INVALID, ["is empty"], id="blank file"),
        pytest.param(b"height,kind\n", {}, (), INVALID, ["no rows", "height, kind"], id="header only"),
        pytest.param(
            NUMBERS.replace(b",", b"~"),
            {},
            (),
            INVALID,
            ["single column, 'height~width~kind'", "spec.data.format.delimiter"],
            id="a delimiter that nobody would guess",
        ),
        pytest.param(
            NUMBERS,
            {"format": DataFormat(delimiter=";")},
            (),
            INVALID,
            ["single column, 'height,width,kind'"],
            id="another delimiter than the declared one",
        ),
        pytest.param(
            NUMBERS, {"format": DataFormat(encoding="utf-99")}, (), SPEC, ["utf-99", "windows-1252"], id="no encoding"
        ),
        pytest.param(
            b"a,kind\n\xe9,x\n", {"format": DataFormat(encoding="ascii")}, (), INVALID, ["not ascii"], id="not ASCII"
        ),
        pytest.param(b"kind\nrose\n", {}, (), INVALID, ["single column, 'kind'"], id="one column"),
        pytest.param(b"a,a,kind\n1,2,x\n", {}, (), INVALID, ["column name 'a'", "more than once"], id="column twice"),
        pytest.param(b"a,,kind\n1,2,x\n", {}, (), INVALID, ["column 2 has no name"], id="column without a name"),
        pytest.param(b"a,kind\n1,x\n2\n", {}, (), INVALID, ["row 2 (line 3) has 1 fields", "has 2"], id="short row"),
        pytest.param(b"a,kind\n1,2,x\n", {}, (), INVALID, ["row 1 (line 2) has 3 fields", "comma"], id="long row"),
        pytest.param(b'a,kind\n1,"x\n', {}, (), INVALID, ["not valid CSV"], id="quote that never ends"),
        pytest.param(
            b"a,kind\n1,x\n2,\xff\n",
            {},
            (),
            INVALID,
            ["line 3 is not UTF-8 (byte 0xff)", "windows-1252"],
            id="not UTF-8",
        ),
        pytest.param(
            NUMBERS,
            {"target": "kinds"},
            (),
            INVALID,
            ["no column 'kinds', which spec.data.target names", "Did you mean 'kind'?", "height, width, kind"],
            id="missing target column",
        ),
        pytest.param(
            NUMBERS,
            {"features": ("Height", "depth")},
            (),
            INVALID,
            ["'Height', 'depth', which spec.data.features names", "Did you mean 'height'?"],
            id="missing features",
        ),
        pytest.param(NUMBERS, {"id_column": "id"}, (), INVALID, ["spec.data.idColumn names"], id="missing idColumn"),
        pytest.param(
            NUMBERS,
            {},
            (ENCODE_COLOUR,),
            INVALID,
            ["'colour', which spec.training.preprocessing[0].columns names"],
            id="missing preprocessing column",
        ),
        pytest.param(
            TABLE,
            {"features": ("height",)},
            (ENCODE_COLOUR,),
            SPEC,
            ["preprocessing[0].columns names 'colour', which is no feature"],
            id="preprocessing of a column that is not learnt from",
        ),
        pytest.param(NUMBERS, {"features": ("kind",)}, (), SPEC, ["names the target 'kind'"], id="target as feature"),
        pytest.param(
            TABLE, {"features": ("id",), "id_column": "id"}, (), SPEC, ["names the idColumn 'id'"], id="id as feature"
        ),
        pytest.param(
            changed(4, kind=""),
            {},
            (),
            INVALID,
            ["target 'kind' has no value in 1 of 60 rows: row 5 (line 6)"],
            id="empty target",
        ),
        pytest.param(changed(4, kind="NaN"), {}, (), INVALID, ["row 5 (line 6)", "label them"], id="NaN target"),
        pytest.param(ONE_CLASS, {}, (), INVALID, ["'rose' in every row", "two classes"], id="one class"),
        pytest.param(
            NUMBERS,
            {"target": "height"},
            (),
            INVALID,
            ["60 different values with fractions"],
            id="target that is no class",
        ),
        pytest.param(
            changed(2, width=""),
            {},
            (SCALE_WIDTH,),
            INVALID,
            ["column 'width' has no value in 1 of 60 rows: row 3 (line 4)", "Fill or remove", "SimpleImputer"],
            id="empty number",
        ),
        pytest.param(
            changed(2, width="nan"), {}, (SCALE_WIDTH,), INVALID, ["'width' has no value in 1"], id="NaN number"
        ),
        pytest.param(
            changed(2, width="inf"), {}, (), INVALID, ["'width' holds 'inf' in row 3 (line 4)"], id="infinite number"
        ),
        pytest.param(changed(2, width="1e39"), {}, (), INVALID, ["32-bit floats"], id="number beyond float32"),
        pytest.param(
            changed(2, width="3,5 cm"),
            {},
            (),
            INVALID,
            ["'width' is a number in 59 of 60 rows, but row 3 (line 4) holds '3,5 cm'"],
            id="text among numbers",
        ),
        pytest.param(
            as_csv([row | {"width": ""} for row in make_numbers()]),
            {},
            (),
            INVALID,
            ["column 'width' has no values"],
            id="empty column",
        ),
        pytest.param(
            TABLE,
            {"id_column": "id"},
            (SCALE_WIDTH,),
            SPEC,
            ["'colour' of hub://flowers.csv is text", "{transformer: OneHotEncoder, columns: [colour]}"],
            id="text without a step",
        ),
        pytest.param(
            TABLE,
            {"id_column": "id"},
            (SCALE_COLOUR,),
            SPEC,
            ["StandardScaler cannot transform 'colour', which is text", "row 1 (line 2)"],
            id="text that is scaled",
        ),
        pytest.param(
            as_csv(make_numbers(19)), {}, (), INVALID, ["has 19 rows; at least 20 are needed"], id="too few rows"
        ),
        pytest.param(
            with_ids(row7="f2"),
            {"id_column": "id"},
            (ENCODE_COLOUR,),
            INVALID,
            ["'f2' in row 3 (line 4) and in row 8 (line 9)", "59 different ids"],
            id="an id twice",
        ),
        pytest.param(with_ids(row7=""), {"id_column": "id"}, (ENCODE_COLOUR,), INVALID, ["empty in row 8"], id="no id"),
        pytest.param(
            as_csv([row | {"id": "same"} for row in make_table()]),
            {"id_column": "id"},
            (ENCODE_COLOUR,),
            INVALID,
            ["1 different ids in 60 rows"],
            id="constant id",
        ),
        pytest.param(
            as_csv([{"id": number} | row for number, row in enumerate(SENSOR)]),
            {"id_column": "id"},
            (),
            INVALID,
            ["copies of held-out rows", "drop spec.data.idColumn"],
            id="all rows are copies of held-out ones",
        ),
    ],
)
def test_a_mistake_is_told(
    content: bytes,
    source: dict[str, Any],
    steps: tuple[PreprocessingStep, ...],
    reason: FailureReason,
    words: Sequence[str],
) -> None:
    with pytest.raises(JobError) as failure:
        read(content, make_source(**source), steps)

    assert failure.value.reason is reason
    for word in words:
        assert word in failure.value.message


@pytest.mark.parametrize(
    ("content", "source", "steps"),
    [
        pytest.param(NUMBERS, {}, (), id="numbers"),
        pytest.param(b"\xef\xbb\xbf" + NUMBERS, {}, (), id="byte order mark"),
        pytest.param(NUMBERS.replace(b"\n", b"\r\n"), {}, (), id="Windows line ends"),
        pytest.param(NUMBERS + b"\n\n", {}, (), id="blank lines at the end"),
        pytest.param(NUMBERS.replace(b",", b", "), {}, (), id="spaces after commas"),
        pytest.param(NUMBERS.replace(b",", b";"), {}, (), id="semicolons"),
        pytest.param(NUMBERS.replace(b",", b"\t"), {}, (), id="tabs"),
        pytest.param(NUMBERS.replace(b",", b"|"), {}, (), id="pipes"),
        pytest.param(NUMBERS.replace(b",", b"~"), {"format": DataFormat(delimiter="~")}, (), id="declared delimiter"),
        pytest.param(NUMBERS.replace(b"\n", b"\r"), {}, (), id="line ends of old Macs"),
        pytest.param(NUMBERS.decode().encode("utf-16"), {}, (), id="UTF-16 with its mark"),
        pytest.param(NUMBERS.replace(b"rose", b'"ro;se"').replace(b",", b";"), {}, (), id="a quoted delimiter"),
        pytest.param(
            NUMBERS.replace(b"rose", b"ros\xe9"), {"format": DataFormat(encoding="latin-1")}, (), id="declared encoding"
        ),
        pytest.param(NUMBERS.replace(b"rose", b"'ro,se'"), {"format": DataFormat(quote="'")}, (), id="declared quote"),
        pytest.param(TABLE, {"id_column": "id"}, (ENCODE_COLOUR,), id="text with its step"),
        pytest.param(TABLE, {"features": ("width", "height")}, (), id="text that is not learnt from"),
        pytest.param(changed(0, kind="none"), {}, (), id="a class called none"),
        pytest.param(changed(2, width=""), {}, (), id="a missing number, which the default steps fill"),
        pytest.param(changed(2, width="?"), {}, (IMPUTE, SCALE_WIDTH), id="a missing number with its step"),
        pytest.param(changed(2, width="?"), {}, (SCALE_WIDTH, IMPUTE), id="a missing number that is filled later"),
        pytest.param(TABLE, {"id_column": "id"}, (), id="text, which the default steps encode"),
    ],
)
def test_a_sound_file_is_read(content: bytes, source: dict[str, Any], steps: tuple[PreprocessingStep, ...]) -> None:
    dataset = read(content, make_source(**source), steps)

    assert len(dataset.features) == 60


def test_lines_are_those_of_the_file_when_a_quoted_cell_spans_two() -> None:
    table = [row | {"note": "first\nsecond"} for row in make_numbers()]
    table[2]["width"] = "wide"

    with pytest.raises(JobError, match=r"row 3 \(line 7\) holds 'wide'"):
        read(as_csv(table), make_source(features=("width",)), ())


def test_features_keep_the_order_of_the_spec() -> None:
    dataset = read(NUMBERS, make_source(features=("width", "height")), ())

    assert [column.name for column in dataset.features.columns] == ["width", "height"]
