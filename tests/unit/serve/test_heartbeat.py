"""Captures and counts on their way to the hub: kept until acknowledged, bounded, never in the way of predictions."""

import pytest
from tests.unit.serve.http_calls import ToldHub
from tests.unit.serve.made_models import numeric, serve_config

from evermodel_runtime.serve.captures import DEFAULT_MAX_BYTES, DEFAULT_MAX_ROWS, CaptureBuffer
from evermodel_runtime.serve.heartbeat import Reporter
from evermodel_runtime.serve.hub_client import HubAnswer
from evermodel_runtime.serve.measures import Measures

REFUSED = HubAnswer(400, b'{"error": "no"}')
TOO_LARGE = HubAnswer(413, b'{"error": "too large"}')
BUSY = HubAnswer(429, b'{"error": "busy"}')


def filled(rows: int, max_rows: int = DEFAULT_MAX_ROWS, max_bytes: int = DEFAULT_MAX_BYTES) -> CaptureBuffer:
    buffer = CaptureBuffer(max_rows=max_rows, max_bytes=max_bytes)
    for number in range(rows):
        buffer.add(f"id-{number}", (float(number),))
    return buffer


def reporter(hub: ToldHub, captures: CaptureBuffer | None, measures: Measures | None = None) -> Reporter:
    measures = measures or Measures(serve_config(numeric()))
    return Reporter(hub, "pod-1", 3, measures, captures)


def sent_ids(hub: ToldHub) -> list[list[str]]:
    return [[capture.id for capture in heartbeat.captures] for heartbeat in hub.heartbeats]


async def test_a_heartbeat_tells_totals_and_the_version() -> None:
    measures = Measures(serve_config(numeric()))
    measures.inference(5, 0.001)
    measures.errors = 2
    hub = ToldHub()

    await reporter(hub, None, measures).catch_up()

    (heartbeat,) = hub.heartbeats
    assert (heartbeat.pod, heartbeat.version, heartbeat.predictions, heartbeat.errors) == ("pod-1", 3, 5, 2)
    assert heartbeat.captures == ()


@pytest.mark.parametrize("told", [pytest.param(None, id="hub down"), pytest.param(BUSY, id="busy")])
async def test_captures_stay_until_the_hub_has_them(told: HubAnswer | None) -> None:
    hub = ToldHub(told)
    captures = filled(3)
    reporting = reporter(hub, captures)

    await reporting.catch_up()
    assert len(captures) == 3
    captures.add("id-3", (3.0,))
    await reporting.catch_up()

    assert sent_ids(hub) == [["id-0", "id-1", "id-2"], ["id-0", "id-1", "id-2", "id-3"]]
    assert (len(captures), captures.dropped) == (0, 0)


async def test_what_piled_up_goes_in_batches_without_pauses() -> None:
    hub = ToldHub()
    captures = filled(1_125)

    await reporter(hub, captures).catch_up()

    assert [len(ids) for ids in sent_ids(hub)] == [500, 500]
    assert len(captures) == 125


async def test_the_last_words_hand_everything_over() -> None:
    hub = ToldHub()
    captures = filled(1_125)

    await reporter(hub, captures).last_words()

    assert [len(ids) for ids in sent_ids(hub)] == [500, 500, 125]


async def test_a_batch_that_is_too_large_is_halved() -> None:
    hub = ToldHub(TOO_LARGE, TOO_LARGE)
    captures = filled(8)

    await reporter(hub, captures).last_words()

    assert [len(ids) for ids in sent_ids(hub)] == [8, 4, 2, 2, 2, 2]
    assert (len(captures), captures.dropped) == (0, 0)


@pytest.mark.parametrize(
    ("told", "rows"), [pytest.param(REFUSED, 3, id="refused"), pytest.param(TOO_LARGE, 1, id="one row too large")]
)
async def test_what_the_hub_never_takes_is_dropped_and_counted(told: HubAnswer, rows: int) -> None:
    captures = filled(rows)

    await reporter(ToldHub(told), captures).catch_up()

    assert (len(captures), captures.dropped) == (0, rows)


@pytest.mark.parametrize(
    "bounds", [pytest.param({"max_rows": 3}, id="rows"), pytest.param({"max_bytes": 100}, id="bytes")]
)
def test_memory_is_bounded_and_the_oldest_give_way(bounds: dict[str, int]) -> None:
    captures = filled(10, **bounds)

    assert [capture.id for capture in captures.oldest(100).captures] == ["id-7", "id-8", "id-9"]
    assert captures.dropped == 7


def test_rows_that_gave_way_while_a_batch_was_under_way_are_not_removed_twice() -> None:
    captures = filled(3, max_rows=3)
    batch = captures.oldest(2)
    captures.add("id-3", (3.0,))

    captures.acknowledge(batch)

    assert [capture.id for capture in captures.oldest(9).captures] == ["id-2", "id-3"]


def test_long_texts_count_against_memory() -> None:
    captures = CaptureBuffer(max_bytes=1_000)
    for number in range(4):
        captures.add(str(number), ("x" * 400,), 400)

    assert (len(captures), captures.dropped) == (2, 2)
