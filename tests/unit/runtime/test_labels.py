"""Classes have one type and one spelling, in the file, in labels sent later, and in the model's answers."""

import pytest

from evermodel.contract import Scalar
from evermodel_runtime.data.csvfile import read_csv
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
