"""Classes have one type and one spelling, in the file, in labels sent later, and in the model's answers."""

from contextlib import nullcontext

import pytest

from evermodel.contract import Scalar
from evermodel_runtime.data.csvfile import read_csv
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.labels import Target, read_target


def target_of(*cells: str) -> Target:
    lines = "\n".join(f"1,{cell}" for cell in cells * 4)
    return read_target(read_csv(f"a,kind\n{lines}\n".encode(), "f", texts=("kind",)), "kind")


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        pytest.param(("0", "1"), [0, 1], id="whole numbers"),
        pytest.param(("0.0", "1.0"), [0, 1], id="floats that are whole"),
        pytest.param(("-1", "+1"), [-1, 1], id="signs"),
        pytest.param(("9007199254740993", "1"), [9007199254740993, 1], id="beyond the precision of float64"),
        pytest.param(("1", "2", "other"), ["1", "2", "other"], id="numbers and words"),
        pytest.param(("0.5", "1.0"), ["0.5", "1"], id="fractions, as label_text spells them"),
        pytest.param(("True", "False"), ["true", "false"], id="booleans of pandas"),
        pytest.param((" rose", "tulip "), ["rose", "tulip"], id="spaces around"),
        pytest.param(("99999999999999999999", "1"), ["100000000000000000000", "1"], id="beyond int64"),
    ],
)
def test_labels_are_typed(cells: tuple[str, ...], labels: list[Scalar]) -> None:
    assert target_of(*cells).labels.tolist()[: len(cells)] == labels


@pytest.mark.parametrize(
    ("cells", "sent", "label"),
    [
        pytest.param(("0", "1"), "1", 1, id="known number"),
        pytest.param(("0", "1"), "7", 7, id="new number"),
        pytest.param(("0", "1"), "rose", None, id="word where classes are numbers"),
        pytest.param(("0", "1"), "1.5", None, id="fraction where classes are whole"),
        pytest.param(("rose", "tulip"), "lily", "lily", id="new word"),
        pytest.param(("rose", "7"), "7", "7", id="number where classes are words"),
        pytest.param(("True", "False"), "true", "true", id="boolean"),
    ],
)
def test_a_label_sent_later_gets_the_type_of_the_file(cells: tuple[str, ...], sent: str, label: Scalar | None) -> None:
    assert target_of(*cells).parse([sent]) == [label]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        pytest.param(
            ("rose", "007", "07"),
            None,
            id="codes beside words are texts, each a class",
        ),
        pytest.param(
            ("8", "007", "07"),
            r"'007' in row 2 \(line 3\) and '07' in row 3 \(line 4\), .* as numbers both are 7\. .* such as 'c007'",
            id="leading zeros of codes",
        ),
        pytest.param(("8", "7", "07"), "'7' in row 2 .* and '07' in row 3", id="a number and a code"),
        pytest.param(("8", "7", "7.0"), None, id="a whole number and a float of it are one class"),
        pytest.param(("8", "007"), None, id="one spelling with zeros"),
        pytest.param(("0.5", "0.50", "1"), None, id="fractions with and without a zero at the end"),
        pytest.param(
            ("99999999999999999998", "1", "99999999999999999999"),
            r"'99999999999999999998' in row 1 .* and '99999999999999999999' in row 3 .* beyond 64 bits are rounded",
            id="different numbers beyond int64",
        ),
        pytest.param(("007", "07"), "as numbers both are 7", id="nothing but two spellings of one number"),
    ],
)
def test_labels_that_would_be_one_class_though_they_may_name_two_are_told(
    cells: tuple[str, ...], words: str | None
) -> None:
    with nullcontext() if words is None else pytest.raises(JobError, match=words):
        target_of(*cells)
