"""Ids of the rows of one answer: each says what was predicted for its row, and none can be made of the others."""

import string
from base64 import urlsafe_b64decode
from itertools import product

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evermodel_runtime.quality.prediction_id import (
    MAC_BYTES,
    ROW_BYTES,
    ROW_MARK,
    Issued,
    Refusal,
    Signer,
    compact_label,
    spell,
)
from evermodel_runtime.serve.ids import MOST_ROWS, NONCES_AT_ONCE, ROWS_OF_EACH, PredictionIds, RowIds
from evermodel_runtime.serve.prediction import Classes, ClassPrediction, NumberPrediction, Prediction
from evermodel_runtime.serve.protocol import MAX_ROWS

TOKEN = "ab" * 32
AT = 1_785_740_000.123
SIGNER = Signer(TOKEN, "digits")


def answered(predicted: list[str] | list[float]) -> Prediction:
    if isinstance(predicted[0], float):
        return NumberPrediction(np.array(predicted))
    classes = Classes([*dict.fromkeys(predicted), "never answered"])
    return ClassPrediction(classes, classes.places(np.array(predicted, object)), None)


def issue(predicted: list[str] | list[float]) -> list[str]:
    return list(PredictionIds(SIGNER, 3).issue(answered(predicted), AT))


def read(prediction_id: str) -> Issued:
    issued = SIGNER.verify(prediction_id)
    assert isinstance(issued, Issued)
    return issued


def is_of_row(prediction_id: str) -> bool:
    return raw(prediction_id)[MAC_BYTES:].startswith(ROW_MARK)


def raw(prediction_id: str) -> bytes:
    return urlsafe_b64decode(prediction_id + "=" * (-len(prediction_id) % 4))


classes = st.lists(st.text(max_size=140), min_size=1, max_size=3, unique=True)
tables = classes.flatmap(lambda known: st.lists(st.sampled_from(known), min_size=1, max_size=130))


@given(predicted=tables | st.lists(st.sampled_from([0.1, -7.0, 1e300]), min_size=48, max_size=90))
def test_each_id_says_what_was_predicted_for_its_row(predicted: list[str] | list[float]) -> None:
    ids = issue(predicted)

    issued = [read(each) for each in ids]
    assert [each.predicted for each in issued] == [
        compact_label(one) if isinstance(one, str) else one for one in predicted
    ]
    assert {(each.version, each.at) for each in issued} == {(3, AT)}
    assert len({each.key for each in issued}) == len(ids)
    assert {len(each.key) for each in issued} == {24}
    assert {each.key[:8] for each in issued} == {issued[0].key[:8]}


@pytest.mark.parametrize(
    ("predicted", "together"),
    [
        pytest.param(["a"] * (ROWS_OF_EACH - 1), False, id="few rows"),
        pytest.param(["a"] * ROWS_OF_EACH, True, id="enough rows"),
        pytest.param(["a", "b"] * (ROWS_OF_EACH - 1), False, id="too many classes for them"),
        pytest.param(["a", "b"] * ROWS_OF_EACH, True, id="two classes"),
        pytest.param([float(number) for number in range(100)], False, id="numbers that differ"),
        pytest.param(["a"] * (MOST_ROWS + 1), False, id="more rows than there are numbers"),
    ],
)
def test_rows_are_signed_together_where_that_is_quicker(predicted: list[str] | list[float], together: bool) -> None:  # noqa: FBT001 - a case
    assert [is_of_row(each) for each in issue(predicted)] == [together] * len(predicted)


def test_ids_of_the_largest_request_are_all_different_and_fit_in_a_url() -> None:
    ids = issue(["yes", "no"] * (MAX_ROWS // 2))

    assert len(set(ids)) == MAX_ROWS
    assert set("".join(ids)) <= set(string.ascii_letters + string.digits + "-_")
    assert max(map(len, ids)) < 72
    assert [read(ids[place]).predicted for place in (0, 1, 4_999, 9_998, 9_999)] == ["yes", "no", "no", "yes", "no"]


def test_an_id_is_the_same_read_alone_as_part_of_the_list_and_as_json() -> None:
    ids = PredictionIds(SIGNER, 3).issue(answered(["yes", "no"] * 20), AT)
    each = list(ids)

    assert isinstance(ids, RowIds)
    assert (len(ids), len(each)) == (40, 40)
    assert [ids[place] for place in range(40)] == each
    assert (ids[-1], ids[3:5]) == (each[-1], each[3:5])
    assert msgspec.json.decode(ids.as_json()) == each
    with pytest.raises(IndexError):
        ids[40]


def test_equal_requests_have_different_ids() -> None:
    ids = {each for _ in range(3) for each in issue(["a"] * ROWS_OF_EACH)}
    alone = {each for _ in range(2 * NONCES_AT_ONCE) for each in issue(["a"])}

    assert len(ids) == 3 * ROWS_OF_EACH
    assert len(alone) == 2 * NONCES_AT_ONCE


def test_any_changed_character_is_noticed() -> None:
    prediction = issue(["seven"] * 40)[33]
    for place, character in enumerate(prediction):
        other = "A" if character != "A" else "B"
        assert isinstance(SIGNER.verify(prediction[:place] + other + prediction[place + 1 :]), Refusal)


def test_another_key_is_forged_and_another_model_foreign() -> None:
    for_others = [PredictionIds(signer, 3) for signer in (Signer("cd" * 32, "digits"), Signer(TOKEN, "letters"))]

    assert [SIGNER.verify(ids.issue(answered(["7"] * 20), AT)[5]) for ids in for_others] == [
        Refusal.FORGED,
        Refusal.FOREIGN,
    ]


def test_no_signature_fits_another_row_or_class() -> None:
    ids = [raw(each) for each in issue(["a", "b"] * 20)]
    signatures = [each[:MAC_BYTES] for each in ids]
    rows = [each[MAC_BYTES : MAC_BYTES + ROW_BYTES] for each in ids]
    payloads = [each[MAC_BYTES + ROW_BYTES :] for each in ids]

    accepted = [
        (signature, row, payload)
        for signature, row, payload in product(range(6), range(6), range(2))
        if isinstance(SIGNER.verify(spell(signatures[signature] + rows[row] + payloads[payload])), Issued)
    ]

    assert accepted == [(row, row, row % 2) for row in range(6)]


def test_no_xor_of_signatures_makes_another() -> None:
    # Of rows 0 and 2 of one class and row 1 of the other: what would do if a pad were used twice, or none.
    ids = [raw(each) for each in issue(["a", "b"] * 20)]
    first, second, third = (int.from_bytes(each[:MAC_BYTES]) for each in ids[:3])

    for made in (first ^ second, first ^ third, first ^ second ^ third):
        for row, kind in product(range(4), range(2)):
            head = ids[row][MAC_BYTES : MAC_BYTES + ROW_BYTES]
            forged = made.to_bytes(MAC_BYTES) + head + ids[kind][MAC_BYTES + ROW_BYTES :]
            assert SIGNER.verify(spell(forged)) is Refusal.FORGED


def test_a_payload_of_one_prediction_is_not_taken_for_that_of_a_row() -> None:
    alone = raw(SIGNER.issue(3, AT, "7", b"12345678"))

    assert SIGNER.verify(spell(alone[:MAC_BYTES] + ROW_MARK + b"\0\0" + alone[MAC_BYTES:])) is Refusal.FORGED


@pytest.mark.parametrize("end", range(MAC_BYTES + ROW_BYTES + 2))
def test_an_id_that_is_cut_off_is_forged(end: int) -> None:
    whole = raw(issue(["7"] * 20)[3])

    assert SIGNER.verify(spell(whole[:end])) is Refusal.FORGED
