from __future__ import annotations

import base64
from pathlib import Path

import msgspec
import pytest
from tests.unit.hub.asgi import KEY, MODEL, START, HubClient, running_hub

from evermodel.contract import LabelStatus, Scalar
from evermodel.tokens import Role

DAY = 24 * 3600


@pytest.mark.parametrize(
    ("predicted", "label"),
    [
        pytest.param("7", 7, id="a whole number"),
        pytest.param("7", 7.0, id="the same as a float"),
        pytest.param("7", "7", id="the same as text"),
        pytest.param("true", True, id="a truth value"),
        pytest.param("café au lait", "café au lait", id="text beyond ASCII"),
        pytest.param("long " * 100, "long " * 100, id="text that the id holds as a digest"),
    ],
)
async def test_a_label_is_right_however_it_is_spelt(hub: HubClient, predicted: str, label: Scalar) -> None:
    response = await hub.label((hub.prediction(predicted), label))
    assert response.accepted == 1
    window = (await hub.quality()).window
    assert window is not None
    assert (window.value, window.samples) == (1.0, 1)


async def test_the_first_label_of_a_prediction_counts_once(hub: HubClient) -> None:
    prediction = hub.prediction("7")
    first = await hub.label((prediction, 7), (prediction, 7), (prediction, 8))
    again = await hub.label((prediction, 8))
    statuses = [result.status for result in (*first.results, *again.results)]
    assert statuses == [LabelStatus.ACCEPTED, LabelStatus.DUPLICATE, LabelStatus.DUPLICATE, LabelStatus.DUPLICATE]
    assert "counts once" in first.results[1].message
    assert "'7' before, which was kept" in first.results[2].message
    assert "'7' before, which was kept" in again.results[0].message
    assert (first.accepted, again.accepted) == (1, 0)
    quality = await hub.quality()
    assert (quality.labels, quality.last_seq) == (1, 1)


async def test_repeats_within_and_across_large_requests_count_once(hub: HubClient) -> None:
    predictions = [(hub.prediction("7"), 7) for _ in range(400)]
    assert (await hub.label(*predictions[:300])).accepted == 300
    assert (await hub.label(*predictions, *predictions)).accepted == 100
    assert (await hub.quality()).labels == 400


def tampered(prediction: str) -> str:
    raw = bytearray(base64.urlsafe_b64decode(prediction + "=" * (-len(prediction) % 4)))
    raw[-1] ^= 1
    return base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")


async def test_labels_are_refused_row_by_row_with_what_to_do(hub: HubClient) -> None:
    cases = [
        ("nonsense", LabelStatus.FORGED, "not issued with a prediction"),
        ("", LabelStatus.FORGED, "not issued with a prediction"),
        (tampered(hub.prediction("7")), LabelStatus.FORGED, "exactly as the prediction's answer gave it"),
        (hub.prediction("7") + "=", LabelStatus.FORGED, "not issued with a prediction"),
        (hub.prediction("7", model="other"), LabelStatus.FOREIGN, "another model"),
        (hub.prediction("7", at=START - 91 * DAY), LabelStatus.EXPIRED, "91.0 days old"),
        (hub.prediction("7", at=START + 600), LabelStatus.INVALID, "600 s in the future"),
        (hub.prediction("7", at=START - 89 * DAY), LabelStatus.ACCEPTED, ""),
        (hub.prediction("7", at=START + 60), LabelStatus.ACCEPTED, ""),
    ]
    response = await hub.label(*[(prediction, 7) for prediction, _, _ in cases])
    assert [result.status for result in response.results] == [status for _, status, _ in cases]
    for result, (prediction, _, message) in zip(response.results, cases, strict=True):
        assert result.id == prediction
        assert message in result.message
    assert response.accepted == 2


async def test_a_label_too_long_is_invalid(hub: HubClient) -> None:
    response = await hub.label((hub.prediction("7"), "x" * 5000))
    assert response.results[0].status is LabelStatus.INVALID


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(b"{", "truncated", id="no JSON"),
        pytest.param(b'{"labels": [{"id": 3, "label": 1}]}', "$.labels[0].id", id="an id that is no text"),
        pytest.param(b'{"labels": [{"id": "3", "label": null}]}', "$.labels[0].label", id="a label that is null"),
        pytest.param(b'{"labels": [{"id": "3", "label": "\\ud800"}]}', "", id="half a character"),
    ],
)
async def test_a_body_that_is_no_feedback_says_where(hub: HubClient, body: bytes, says: str) -> None:
    answer = await hub.request("POST", f"/v1/models/{MODEL}/feedback", body, role=Role.SERVER)
    assert answer.status == 400
    assert says in answer.error


async def test_late_labels_count_for_the_version_that_predicted(hub: HubClient) -> None:
    late = [(hub.prediction("7", version=1), 7) for _ in range(3)]
    await hub.outcomes([True, False], version=2)
    await hub.label(*late)
    first, second = await hub.quality(version=1), await hub.quality(version=2)
    assert (first.labels, second.labels) == (3, 2)
    assert first.window is not None
    assert first.window.value == 1.0
    assert second.window is not None
    assert second.window.value == 0.5


async def test_models_have_ledgers_of_their_own(hub: HubClient) -> None:
    await hub.label((hub.prediction("a", model="other"), "a"), model="other")
    await hub.outcomes([True, True])
    assert (await hub.quality()).last_seq == 2


async def test_too_many_waiting_writes_are_told_to_come_back(tmp_path: Path) -> None:
    async with running_hub(tmp_path, waiting_limit=0) as hub:
        body = msgspec.json.encode({"labels": [{"id": hub.prediction("7"), "label": 7}]})
        answer = await hub.request("POST", f"/v1/models/{MODEL}/feedback", body, role=Role.SERVER)
    assert answer.status == 429
    assert answer.headers["retry-after"] == "1"


async def test_a_full_volume_keeps_nothing_of_a_refused_request(hub: HubClient) -> None:
    await hub.outcomes([True])
    await hub.hub.writer.submit(LimitPages())
    labels = [{"id": hub.prediction("7"), "label": "x" * 4000} for _ in range(200)]
    body = msgspec.json.encode({"labels": labels})
    answer = await hub.request("POST", f"/v1/models/{MODEL}/feedback", body, role=Role.SERVER)
    assert answer.status == 507
    assert "volume is full" in answer.error
    assert (await hub.quality()).labels == 1
    await hub.hub.writer.submit(LimitPages(1_000_000))
    answer = await hub.request("POST", f"/v1/models/{MODEL}/feedback", body, role=Role.SERVER)
    assert answer.status == 200
    quality = await hub.quality()
    assert (quality.labels, quality.last_seq) == (201, 201)


class LimitPages:
    """Operation: bound the database, as a small volume does."""

    def __init__(self, pages: int | None = None) -> None:
        self.pages = pages

    def carry_out(self, transaction: object) -> None:
        connection = transaction.connection  # type: ignore[attr-defined] # only this test reaches through
        (now,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {self.pages or now + 2}")


async def test_the_key_of_another_hub_opens_nothing(hub: HubClient) -> None:
    assert len(KEY) == 64
    answer = await hub.request("POST", f"/v1/models/{MODEL}/feedback", headers={"authorization": "Bearer " + "0" * 64})
    assert answer.status == 401
