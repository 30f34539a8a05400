"""What answers mean."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from evermodel_client import ClientError, Feedback, LabelResult, LabelStatus
from evermodel_client.messages import read_predictions, read_results

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


def test_labels_that_were_there_already_are_recorded_and_others_refused() -> None:
    told = Feedback(results=tuple(LabelResult(id=status.value, status=status) for status in LabelStatus))

    assert told.recorded == 2
    assert [result.status for result in told.refused] == [
        LabelStatus.FORGED,
        LabelStatus.FOREIGN,
        LabelStatus.EXPIRED,
        LabelStatus.INVALID,
    ]
