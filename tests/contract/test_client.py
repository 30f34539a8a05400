"""The client of the distribution against real servers and a real hub: labels, restarts, overload, lost answers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from typing import Any, Self

import httpx
import numpy as np
import pyarrow as pa
import pytest
import requests
from tests.contract.job_processes import MODEL, START_SECONDS, Hub, free_port
from tests.contract.serving_pods import VERSION, Pod, ready_pod
from tests.contract.test_capture import captured, until_captured
from tests.unit.serve.made_models import mixed, numeric

from evermodel.contract import CallerIds, CaptureRules
from evermodel_client import (
    AsyncClient,
    Client,
    Feedback,
    LabelStatus,
    Prediction,
    RefusedError,
    Retry,
    UnavailableError,
)

ROWS = [[0, 5, 1], [7, 2, 1]]
PATIENT = Retry(attempts=1_000, first_pause=0.05, longest_pause=0.2, seconds=START_SECONDS)


class Waiting:
    """The client that waits, called as its asynchronous twin is: every test runs with both."""

    def __init__(self, url: str, model: str, *, retry: Retry | None = None) -> None:
        self._client = Client(url, model, retry=retry)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.close()

    async def ready(self) -> bool:
        return await asyncio.to_thread(self._client.ready)

    async def predict(self, rows: Any, ids: Sequence[str] | None = None) -> list[Prediction]:
        return await asyncio.to_thread(self._client.predict, rows, ids)

    async def feedback(self, labels: Any) -> Feedback:
        return await asyncio.to_thread(self._client.feedback, labels)

    async def erase(self, record_id: str) -> int:
        return await asyncio.to_thread(self._client.erase, record_id)


Kind = type[Waiting] | type[AsyncClient]
both = pytest.mark.parametrize("kind", [Waiting, AsyncClient], ids=["waiting", "asynchronous"])


@pytest.fixture
def pod(hub: Hub) -> Iterator[Pod]:
    with ready_pod(hub, numeric()) as started:
        yield started


@both
async def test_predictions_come_with_id_version_and_probabilities_by_class(kind: Kind, pod: Pod) -> None:
    async with kind(pod.url + "/", MODEL) as model:
        first, second = await model.predict(ROWS)
        same = [
            await model.predict(table)
            for table in (np.array(ROWS), [dict(zip("cab", (1, 0, 5), strict=True))], pa.table(_columns()))
        ]

    assert (first.label, second.label, first.version) == (1, 0, VERSION)
    assert first.id != second.id
    assert first.probabilities is not None
    assert list(first.probabilities) == [0, 1, 2]
    assert sum(first.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert [predictions[0].probabilities for predictions in same] == [first.probabilities] * 3


def _columns() -> dict[str, list[int]]:
    return {name: list(column) for name, column in zip("abc", zip(*ROWS, strict=True), strict=True)}


@both
async def test_text_comes_by_column_name_and_a_model_without_probabilities_has_none(kind: Kind, hub: Hub) -> None:
    with ready_pod(hub, mixed()) as pod:
        async with kind(pod.url, MODEL) as model:
            (answer,) = await model.predict([{"city": "Rome", "age": 7, "size": np.float32(0.5)}])
    with ready_pod(hub, numeric(probabilities=False)) as pod:
        async with kind(pod.url, MODEL) as model:
            (bare,) = await model.predict(ROWS[:1])

    assert answer.label in ("yes", "no")
    assert set(answer.probabilities or ()) == {"yes", "no"}
    assert bare.probabilities is None


@both
async def test_labels_are_answered_row_by_row_and_count_once(kind: Kind, pod: Pod) -> None:
    async with kind(pod.url, MODEL) as model:
        first, second = await model.predict(ROWS)
        labels: dict[str, Any] = {first.id: 1, second.id: np.int64(0)}
        told = await model.feedback(labels)
        again = await model.feedback([(first.id, 1), (first.id[:-4] + "AAAA", 1)])

    assert (told.recorded, told.refused) == (2, ())
    assert [result.status for result in again.results] == [LabelStatus.DUPLICATE, LabelStatus.FORGED]
    assert again.recorded == 1
    assert [result.id for result in again.refused] == [first.id[:-4] + "AAAA"]


@both
async def test_a_row_is_erased_once_and_an_id_of_none_is_refused(kind: Kind, hub: Hub) -> None:
    with ready_pod(hub, numeric(), capture=True) as pod:
        async with kind(pod.url, MODEL) as model:
            first, _ = await model.predict(ROWS)
            await asyncio.to_thread(until_captured, hub, 2)
            erased = [await model.erase(first.id), await model.erase(first.id)]
            with pytest.raises(RefusedError, match="no prediction of this model has the id") as refused:
                await model.erase("order-4711")

    assert (erased, refused.value.status) == ([1, 0], 404)
    assert len(captured(hub).captures) == 1


@both
async def test_where_they_are_accepted_ones_own_ids_do_for_labels_and_erasing(kind: Kind, hub: Hub) -> None:
    with ready_pod(hub, numeric(), rules=CaptureRules(caller_ids=CallerIds.ACCEPT)) as pod:
        async with kind(pod.url, MODEL) as model:
            ids = ["order-4711/ä", "order?#12"]
            await model.predict(ROWS, ids)
            await asyncio.to_thread(until_captured, hub, 2)
            told = await model.feedback(dict.fromkeys(ids, 1))
            erased = [await model.erase(one) for one in (*ids, ids[0])]

    assert (told.recorded, erased) == (2, [1, 1, 0])


@both
async def test_erasing_waits_for_a_hub_that_starts_again(kind: Kind, hub: Hub, pod: Pod) -> None:
    async with kind(pod.url, MODEL, retry=PATIENT) as model:
        (answer, _) = await model.predict(ROWS)
        hub.stop()
        sent = asyncio.create_task(model.erase(answer.id))
        await until_answered(pod, "record", 503)
        await asyncio.to_thread(hub.start)

        assert await sent == 0


@both
async def test_many_rows_stay_in_order_and_a_wrong_one_is_found(kind: Kind, pod: Pod) -> None:
    rows: list[list[Any]] = [[place % 3 == column for column in range(3)] for place in range(2_500)]
    async with kind(pod.url, MODEL) as model:
        answers = await model.predict(rows)
        told = await model.feedback((answer.id, answer.label) for answer in answers)
        rows[1_700] = [0, "x", 0]
        with pytest.raises(RefusedError) as refused:
            await model.predict(rows)

    assert [answer.label for answer in answers] == [place % 3 for place in range(2_500)]
    assert told.recorded == 2_500
    assert str(refused.value) == (
        "row 700 of column 'b' is the text 'x', not a number, where row 0 is row 1000 of all (status 400)"
    )


@both
async def test_a_pod_that_starts_again_is_waited_for(kind: Kind, pod: Pod) -> None:
    async with kind(pod.url, MODEL, retry=PATIENT) as model:
        assert await model.ready()
        pod.kill()
        assert not await model.ready()
        asked = asyncio.create_task(model.predict(ROWS))
        pod.start()

        assert [answer.label for answer in await asked] == [1, 0]
        assert await model.ready()


@both
async def test_labels_wait_for_a_hub_that_starts_again(kind: Kind, hub: Hub, pod: Pod) -> None:
    async with kind(pod.url, MODEL, retry=PATIENT) as model:
        (answer, _) = await model.predict(ROWS)
        hub.stop()
        sent = asyncio.create_task(model.feedback({answer.id: 1}))
        await until_answered(pod, "feedback", 503)
        await asyncio.to_thread(hub.start)

        assert (await sent).recorded == 1


async def test_labels_that_a_server_has_no_room_for_are_sent_again(hub: Hub, pod: Pod) -> None:
    async with AsyncClient(pod.url, MODEL, retry=PATIENT, http=httpx.AsyncClient(timeout=60)) as model:
        answers = await model.predict([ROWS[0]] * 200)
        assert hub.process is not None
        os.kill(hub.process.pid, signal.SIGSTOP)
        try:
            labels = [(answer.id, 1) for answer in answers]
            sent = [asyncio.create_task(model.feedback(labels[place::200] * 1_000)) for place in range(60)]
            await until_answered(pod, "feedback", 429)
        finally:
            os.kill(hub.process.pid, signal.SIGCONT)
        told = await asyncio.gather(*sent)

    assert [each.recorded for each in told] == [1_000] * 60
    accepted = [result.id for each in told for result in each.results if result.status is LabelStatus.ACCEPTED]
    assert sorted(accepted) == sorted({answer.id for answer in answers[:60]})


async def until_answered(pod: Pod, route: str, status: int) -> None:
    """Wait until the pod has answered so, by its own count."""
    line = f'evermodel_server_requests_total{{code="{status}",route="{route}"}}'
    async with asyncio.timeout(START_SECONDS):
        while line not in await asyncio.to_thread(_metrics, pod):  # noqa: ASYNC110 - another process sets no event here
            await asyncio.sleep(0.05)


def _metrics(pod: Pod) -> str:
    return requests.get(f"{pod.url}/metrics", timeout=START_SECONDS).text


class Losing(httpx.BaseTransport):
    """A network on which the first answers are lost, after the server gave them."""

    def __init__(self, lost: int) -> None:
        self.sent = 0
        self._lost = lost
        self._real = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._real.handle_request(request)
        self.sent += 1
        if self.sent <= self._lost:
            response.read()
            raise httpx.ReadError("connection reset", request=request)
        return response


def test_a_lost_answer_makes_no_second_label(pod: Pod) -> None:
    with Client(pod.url, MODEL) as model:
        first, second = model.predict(ROWS)
    network = Losing(lost=2)

    with httpx.Client(transport=network) as http:
        told = Client(pod.url, MODEL, retry=PATIENT, http=http).feedback({first.id: 1, second.id: 0})

    assert network.sent == 3
    assert [result.status for result in told.results] == [LabelStatus.DUPLICATE] * 2
    assert told.recorded == 2


def test_what_is_wrong_is_not_sent_again(pod: Pod) -> None:
    network = Losing(lost=0)

    with httpx.Client(transport=network) as http, pytest.raises(RefusedError, match="model 'wine' is not here"):
        Client(pod.url, "wine", retry=PATIENT, http=http).predict(ROWS)

    assert network.sent == 1


@both
async def test_nobody_there_ends_within_bounds(kind: Kind) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    async with kind(url, MODEL, retry=Retry(attempts=3, first_pause=0.01)) as model:
        with pytest.raises(UnavailableError, match="given up after 3 attempts: "):
            await model.predict(ROWS)
