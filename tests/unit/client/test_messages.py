"""What answers mean."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from evermodel_client import ClientError, Feedback, LabelResult, LabelStatus
from evermodel_client.addresses import Addresses
from evermodel_client.messages import ROWS_AT_ONCE, predict_requests, read_erased, read_predictions, read_results

ANSWER: dict[str, Any] = {"predictions": [7.5], "prediction_ids": ["a"], "model_name": "m", "model_version": "4"}


@pytest.mark.parametrize(
    ("more", "probabilities"),
    [
        pytest.param({}, None, id="a regressor's number"),
        pytest.param(
            {"probabilities": [[0.25, 0.75]], "classes": [False, True]}, {False: 0.25, True: 0.75}, id="by class"
        ),
    ],
)
def test_a_prediction_has_what_the_server_gives(more: dict[str, Any], probabilities: Any) -> None:
    (prediction,) = read_predictions(msgspec.json.encode(ANSWER | more))

    assert (prediction.id, prediction.label, prediction.version) == ("a", 7.5, 4)
    assert prediction.probabilities == probabilities


@pytest.mark.parametrize("content", [b'{"predictions": [1]}', b"<html>", b"[]"], ids=["another server", "page", "list"])
def test_an_answer_of_something_else_is_told(content: bytes) -> None:
    with pytest.raises(ClientError, match=r"the answer is none of a served model .*is the URL right\?"):
        read_predictions(content)
    with pytest.raises(ClientError):
        read_results(content)
    with pytest.raises(ClientError):
        read_erased(content)


def test_each_request_has_the_ids_of_its_own_rows() -> None:
    rows, ids = [[place] for place in range(ROWS_AT_ONCE + 2)], [f"order-{place}" for place in range(ROWS_AT_ONCE + 2)]

    first, second = predict_requests(rows, ids)

    assert len(msgspec.json.decode(first.body)["ids"]) == ROWS_AT_ONCE
    assert msgspec.json.decode(second.body) == {"instances": rows[ROWS_AT_ONCE:], "ids": ids[ROWS_AT_ONCE:]}
    assert "ids" not in msgspec.json.decode(predict_requests(rows, None)[0].body)


@pytest.mark.parametrize("ids", [[], ["a"], ["a", "b", "c"]], ids=["none", "too few", "too many"])
def test_ids_that_are_not_one_for_each_row_are_not_sent(ids: list[str]) -> None:
    with pytest.raises(ValueError, match=f"there are {len(ids)} ids for 2 rows: give one for each"):
        predict_requests([[1], [2]], ids)


@pytest.mark.parametrize(
    ("record_id", "url"),
    [("AbC-_9", "AbC-_9"), ("order-4711/ä?b#c", "order-4711%2F%C3%A4%3Fb%23c")],
    ids=["issued", "a caller's own"],
)
def test_an_id_is_one_part_of_the_url_of_a_record(record_id: str, url: str) -> None:
    assert Addresses.of("http://iris.ml.svc/", "iris").record(record_id) == (
        f"http://iris.ml.svc/v2/models/iris/records/{url}"
    )


def test_labels_that_were_there_already_are_recorded_and_others_refused() -> None:
    told = Feedback(results=tuple(LabelResult(id=status.value, status=status) for status in LabelStatus))

    assert told.recorded == 2
    assert [result.status for result in told.refused] == [
        LabelStatus.FORGED,
        LabelStatus.FOREIGN,
        LabelStatus.EXPIRED,
        LabelStatus.INVALID,
        LabelStatus.UNKNOWN,
        LabelStatus.AMBIGUOUS,
    ]
