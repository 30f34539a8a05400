"""Labels on their way to the hub: each caller gets the hub's word about its own rows, and nothing else."""

import asyncio
from typing import Any

import msgspec
import pytest
from tests.unit.serve.http_calls import ToldHub, call, make_bench
from tests.unit.serve.made_models import numeric

from evermodel.contract import FeedbackRequest, FeedbackResponse, FeedbackRow, LabelStatus
from evermodel_runtime.serve import feedback
from evermodel_runtime.serve.answers import Answer
from evermodel_runtime.serve.feedback import FeedbackForwarder
from evermodel_runtime.serve.hub_client import HubAnswer


def labels(*ids: str) -> bytes:
    return msgspec.json.encode(FeedbackRequest(labels=tuple(FeedbackRow(id=each, label=1) for each in ids)))


def results(answer: Answer) -> list[tuple[str, str]]:
    assert answer.status == 200, answer.body
    response = msgspec.json.decode(answer.body, type=FeedbackResponse)
    assert response.accepted == sum(result.status is LabelStatus.ACCEPTED for result in response.results)
    return [(result.id, result.status) for result in response.results]


async def test_the_hubs_answer_is_passed_through() -> None:
    bench = make_bench(numeric())

    reply = await call(bench.app, "POST", "/v2/models/iris/feedback", labels("a", "forged"))

    assert reply.status == 200
    assert [result["status"] for result in reply.json["results"]] == ["Accepted", "Forged"]
    assert reply.json["accepted"] == 1
    assert [row.id for row in bench.hub.labels[0].labels] == ["a", "forged"]


async def test_labels_are_taken_before_the_model_is_loaded() -> None:
    assert (await call(make_bench(None).app, "POST", "/v2/models/iris/feedback", labels("a"))).status == 200


async def test_callers_share_a_call_and_get_their_own_rows() -> None:
    hub = ToldHub()
    gate = asyncio.Event()
    hub.before_answer = gate.wait
    forwarder = FeedbackForwarder(hub)

    ids = [[f"{caller}-{row}" for row in range(1 + caller % 3)] for caller in range(40)]
    ids[7] = ["forged", "x"]
    callers = [asyncio.create_task(forwarder.answer(labels(*own))) for own in ids]
    await asyncio.sleep(0)
    gate.set()
    answers = await asyncio.gather(*callers)

    assert [[row for row, _ in results(answer)] for answer in answers] == ids
    assert results(answers[7]) == [("forged", "Forged"), ("x", "Accepted")]
    assert len(hub.labels) == 3


async def test_a_shared_call_stays_within_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback, "ROWS_AT_ONCE", 10)
    hub = ToldHub()
    forwarder = FeedbackForwarder(hub)

    await asyncio.gather(*(forwarder.answer(labels("a", "b", "c", "d")) for _ in range(20)))

    assert max(len(request.labels) for request in hub.labels) == 8
    assert sum(len(request.labels) for request in hub.labels) == 80


@pytest.mark.parametrize(
    ("told", "status", "words", "retry_after"),
    [
        pytest.param(None, 503, "did not take the labels (connection refused): send them again", "2", id="hub down"),
        pytest.param(HubAnswer(429, b'{"error": "busy"}', "7"), 429, "busy", "7", id="busy"),
        pytest.param(HubAnswer(507, b'{"error": "disk full"}'), 507, "disk full", "2", id="disk full"),
        pytest.param(HubAnswer(503, b'{"error": "stopping"}', "3"), 503, "stopping", "3", id="stopping"),
        pytest.param(HubAnswer(500, b"oops"), 503, "(500, status 500)", "2", id="broken"),
        pytest.param(HubAnswer(401, b'{"error": "no token"}'), 503, "(401, no token)", "2", id="token refused"),
        pytest.param(HubAnswer(400, b'{"error": "bad"}'), 400, "bad", None, id="refused"),
        pytest.param(HubAnswer(200, b"<html>"), 503, "cannot be read", "2", id="not the hub"),
        pytest.param(HubAnswer(200, b'{"results": [], "accepted": 0}'), 503, "other rows", "2", id="rows are missing"),
    ],
)
async def test_what_the_hub_did_not_take_is_never_acknowledged(
    told: HubAnswer | None, status: int, words: str, retry_after: str | None
) -> None:
    bench = make_bench(numeric(), ToldHub(told))

    reply = await call(bench.app, "POST", "/v2/models/iris/feedback", labels("a"))

    assert (reply.status, reply.headers.get("retry-after")) == (status, retry_after)
    assert words in reply.error


async def test_one_callers_bad_rows_refuse_nobody_else() -> None:
    bad = HubAnswer(400, b'{"error": "bad"}')
    hub = ToldHub(bad, bad)
    forwarder = FeedbackForwarder(hub)
    hub.before_answer = (gate := asyncio.Event()).wait
    callers = [asyncio.create_task(forwarder.answer(labels(each))) for each in ("first", "second", "a", "b")]
    await asyncio.sleep(0)
    hub.next_answers = [*hub.next_answers, bad]
    gate.set()

    answers = await asyncio.gather(*callers)

    assert [answer.status for answer in answers] == [400, 400, 200, 200]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"", "the body is empty", id="empty"),
        pytest.param(b"{", "the body is not JSON", id="half"),
        pytest.param(b'{"labels": [{"id": "a"}]}', "missing required field `label` - at `$.labels[0]`", id="no label"),
        pytest.param(b'{"labels": [{"id": "a", "label": null}]}', "got `null` - at `$.labels[0].label`", id="null"),
        pytest.param(b'{"labels": [{"id": 7, "label": 1}]}', "got `int` - at `$.labels[0].id`", id="id is a number"),
        pytest.param(b'{"labels": [{"id": "a", "label": NaN}]}', "NaN and Infinity are neither JSON", id="NaN"),
        pytest.param(labels(*["a"] * 10_001), "length <= 10000", id="too many"),
    ],
)
async def test_a_body_that_is_no_list_of_labels_never_reaches_the_hub(body: bytes, words: str) -> None:
    bench = make_bench(numeric())

    reply = await call(bench.app, "POST", "/v2/models/iris/feedback", body)

    assert reply.status == 400
    assert words in reply.error
    assert bench.hub.labels == []


async def test_no_labels_need_no_hub() -> None:
    bench = make_bench(numeric(), ToldHub(None))

    reply = await call(bench.app, "POST", "/v2/models/iris/feedback", labels())

    assert (reply.status, reply.json) == (200, {"results": [], "accepted": 0})


async def test_more_than_memory_should_hold_is_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback, "MAX_WAITING_ROWS", 5)
    hub = ToldHub()
    hub.before_answer = (gate := asyncio.Event()).wait
    forwarder = FeedbackForwarder(hub)
    first = asyncio.create_task(forwarder.answer(labels("a", "b", "c")))
    await asyncio.sleep(0)

    refused = await forwarder.answer(labels("d", "e", "f"))
    gate.set()
    await first

    assert (refused.status, dict(refused.headers)) == (429, {b"retry-after": b"2"})
    assert (await forwarder.answer(labels("d", "e", "f"))).status == 200


async def test_a_caller_that_gives_up_leaves_the_others_alone() -> None:
    hub = ToldHub()
    hub.before_answer = (gate := asyncio.Event()).wait
    forwarder = FeedbackForwarder(hub)
    callers: list[Any] = [asyncio.create_task(forwarder.answer(labels(each))) for each in "abcd"]
    await asyncio.sleep(0)
    callers[2].cancel()
    gate.set()

    assert results(await callers[3]) == [("d", "Accepted")]
