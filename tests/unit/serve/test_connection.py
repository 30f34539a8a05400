"""HTTP/1.1 on the wire: whatever the pieces, every request gets its answer, in its turn, or a refusal in words."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.serve.http_calls import Bench, ToldHub, Wire, connect, make_bench, tensor
from tests.unit.serve.made_models import numeric

from evermodel_runtime.serve import connection as connections
from evermodel_runtime.serve.protocol import MAX_BODY_BYTES
from evermodel_runtime.serve.requests import MAX_HEAD_BYTES, Request

INFER = "/v2/models/iris/infer"
ROW = msgspec.json.encode({"inputs": [tensor("X", [[0, 5, 1]], [1, 3])]})
LABEL = b'{"labels": [{"id": "forged", "label": 1}]}'


def http(method: str, path: str, body: bytes = b"", headers: str = "", version: str = "1.1") -> bytes:
    length = f"content-length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/{version}\r\nhost: pod\r\n{length}{headers}\r\n".encode() + body


PREDICT = http("POST", INFER, ROW)
LIVE = http("GET", "/v2/health/live")
LABELLED = http("POST", "/v2/models/iris/feedback", LABEL)


def kinds(wire: Wire) -> list[str]:
    """What each answer is about, or its status where it is an error."""
    known = ("outputs", "results", "live")
    return [next((kind for kind in known if kind in reply.json), str(reply.status)) for reply in wire.replies]


async def settled(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - the transport under test sets no event
            await asyncio.sleep(0)


class HeldHub(ToldHub):
    """Answers labels when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()
        self.before_answer = self.let.wait


def held() -> tuple[Bench, HeldHub]:
    hub = HeldHub()
    return make_bench(numeric(), hub), hub


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, len(PREDICT + LABELLED + LIVE + PREDICT)), max_size=8).map(sorted))
def test_pieces_make_no_difference(cuts: list[int]) -> None:
    async def answered() -> list[str]:
        stream = PREDICT + LABELLED + LIVE + PREDICT
        connection, wire = connect(make_bench(numeric()).app)
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            connection.data_received(stream[start:end])
        await settled(lambda: len(wire.replies) == 4)
        return kinds(wire)

    assert asyncio.run(answered()) == ["outputs", "results", "live", "outputs"]


async def test_answers_come_in_the_order_of_the_requests_and_nothing_is_read_meanwhile() -> None:
    bench, hub = held()
    connection, wire = connect(bench.app)

    connection.data_received(LABELLED + PREDICT + LIVE)
    await settled(lambda: hub.labels)
    assert (kinds(wire), wire.reading) == ([], False)
    hub.let.set()
    await settled(lambda: len(wire.replies) == 3)

    assert (kinds(wire), wire.reading) == (["results", "outputs", "live"], True)


async def test_requests_wait_while_the_caller_reads_no_answers() -> None:
    connection, wire = connect(make_bench(numeric()).app)

    connection.pause_writing()
    connection.data_received(LIVE + PREDICT)
    assert (kinds(wire), wire.reading) == ([], False)
    connection.resume_writing()

    assert (kinds(wire), wire.reading) == (["live", "outputs"], True)


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(http("GET", "/v2/health/live", headers="connection: close\r\n"), id="the caller says so"),
        pytest.param(http("GET", "/v2/health/live", version="1.0"), id="HTTP/1.0"),
        pytest.param(
            http("GET", "/v2/health/live", headers="connection: keep-alive\r\n", version="1.0"), id="HTTP/1.0, kept"
        ),
        pytest.param(
            http("GET", "/v2/health/live", headers="connection: Upgrade\r\nupgrade: h2c\r\n"), id="would be upgraded"
        ),
    ],
)
async def test_a_last_request_is_answered_and_what_follows_is_not(request_bytes: bytes) -> None:
    connection, wire = connect(make_bench(numeric()).app)

    connection.data_received(request_bytes + LIVE)
    connection.data_received(LIVE)

    assert [(reply.status, reply.headers["connection"]) for reply in wire.replies] == [(200, "close")]
    assert wire.is_closing()


async def test_a_connection_is_kept_otherwise() -> None:
    connection, wire = connect(make_bench(numeric()).app)

    connection.data_received(LIVE)

    assert "connection" not in wire.replies[0].headers
    assert not wire.is_closing()


@pytest.mark.parametrize(
    ("sent", "status", "error"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00", 400, "this is no HTTP/1.1: Invalid method encountered", id="TLS"),
        pytest.param(
            http("POST", INFER, ROW, headers="content-length: 3\r\n"),
            400,
            "this is no HTTP/1.1: Duplicate Content-Length",
            id="two lengths",
        ),
        pytest.param(
            http("POST", INFER, ROW, headers="transfer-encoding: chunked\r\n"),
            400,
            "this is no HTTP/1.1: Transfer-Encoding can't be present with Content-Length",
            id="a length and chunks",
        ),
        pytest.param(
            http("GET", INFER, headers=f"x: {'x' * MAX_HEAD_BYTES}")[:-2],
            431,
            "the headers are larger than 64 KiB",
            id="headers without end",
        ),
        pytest.param(
            http("POST", INFER, ROW, headers="connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n"),
            400,
            "this server speaks HTTP/1.1 alone: send the request without an Upgrade header",
            id="an upgrade with a body",
        ),
    ],
)
async def test_what_cannot_be_read_is_refused_in_words_and_the_connection_closed(
    sent: bytes, status: int, error: str
) -> None:
    bench = make_bench(numeric())
    connection, wire = connect(bench.app)

    connection.data_received(PREDICT + sent)
    connection.data_received(sent)

    first, refusal = wire.replies
    assert (first.status, refusal.status, refusal.error) == (200, status, error)
    assert (refusal.headers["connection"], wire.is_closing()) == ("close", True)
    text = (await bench.get("/metrics")).body.decode()
    assert sum(line.endswith(" 1.0") for line in text.splitlines() if f'code="{status}"' in line) == 1


async def test_a_body_in_chunks_is_read() -> None:
    connection, wire = connect(make_bench(numeric()).app)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (ROW[:9], ROW[9:], b""))

    connection.data_received(http("POST", INFER, headers="transfer-encoding: chunked\r\n") + chunks + LIVE)

    assert kinds(wire) == ["outputs", "live"]


async def test_chunks_beyond_the_limit_are_refused_once_and_the_connection_goes_on() -> None:
    connection, wire = connect(make_bench(numeric()).app)

    connection.data_received(http("POST", INFER, headers="transfer-encoding: chunked\r\n"))
    for _ in range(MAX_BODY_BYTES // 2**20 + 3):
        connection.data_received(b"%x\r\n%s\r\n" % (2**20, b" " * 2**20))
    assert kinds(wire) == ["413"]
    connection.data_received(b"0\r\n\r\n" + LIVE)

    assert kinds(wire) == ["413", "live"]


async def test_a_body_that_is_held_back_is_asked_for() -> None:
    connection, wire = connect(make_bench(numeric()).app)

    connection.data_received(http("POST", INFER, ROW, headers="expect: 100-continue\r\n")[: -len(ROW)])
    assert (wire.continued, kinds(wire)) == (1, [])
    connection.data_received(ROW)

    assert (wire.continued, kinds(wire)) == (1, ["outputs"])


async def test_a_body_that_is_held_back_and_too_large_is_not_asked_for() -> None:
    connection, wire = connect(make_bench(numeric()).app)
    head = f"POST {INFER} HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: {MAX_BODY_BYTES + 1}\r\n\r\n"

    connection.data_received(head.encode())

    assert (wire.continued, kinds(wire), wire.is_closing()) == (0, ["413"], True)


async def test_the_answer_to_head_has_no_body() -> None:
    connection, wire = connect(make_bench(numeric()).app)

    connection.data_received(http("HEAD", "/v2/health/live"))

    head, _, body = wire.written.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\ncontent-length: 13" in head
    assert body == b""


@pytest.mark.parametrize(
    "target",
    [
        "/v2/models/iris?verbose=1",
        "/v2/models/ir%69s",
        "http://pod:8080/v2/models/iris",
        "http://pod/v2/models/iris?next=http://pod/",
    ],
)
async def test_a_path_has_several_spellings(target: str) -> None:
    connection, wire = connect(make_bench(numeric()).app)

    connection.data_received(http("GET", target))

    assert wire.replies[0].json["name"] == "iris"


@pytest.mark.parametrize("arrived", [pytest.param(PREDICT[:20], id="head"), pytest.param(PREDICT[:-5], id="body")])
async def test_a_request_that_does_not_arrive_is_given_up(arrived: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ARRIVAL_SECONDS", 0.01)
    connection, wire = connect(make_bench(numeric()).app)

    connection.data_received(PREDICT + arrived)
    async with asyncio.timeout(10):
        await settled(wire.is_closing)

    assert kinds(wire) == ["outputs", "408"]
    assert wire.replies[1].error == "the request did not arrive within 0.01 seconds"


async def test_each_request_has_its_own_time_to_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up: list[asyncio.TimerHandle] = []
    loop = asyncio.get_running_loop()
    call_later = loop.call_later

    def noted(delay: float, callback: Any, *arguments: Any) -> asyncio.TimerHandle:
        timer = call_later(delay, callback, *arguments)
        if delay == connections.ARRIVAL_SECONDS:
            given_up.append(timer)
        return timer

    monkeypatch.setattr(loop, "call_later", noted)
    connection, _ = connect(make_bench(numeric()).app)

    connection.data_received(PREDICT[:-5])
    connection.data_received(PREDICT[-5:] + PREDICT[:5])
    connection.connection_lost(None)

    assert [timer.cancelled() for timer in given_up] == [True, True]


async def test_an_idle_connection_is_closed_and_a_busy_one_is_not() -> None:
    bench, hub = held()
    busy, busy_wire = connect(bench.app, idle_seconds=0)
    busy.data_received(LABELLED)
    _, idle_wire = connect(bench.app, idle_seconds=0)

    await settled(idle_wire.is_closing)
    assert not busy_wire.is_closing()
    hub.let.set()
    await settled(busy_wire.is_closing)

    assert kinds(busy_wire) == ["results"]


async def test_a_caller_that_goes_away_is_no_error_and_its_labels_arrive() -> None:
    bench, hub = held()
    connection, wire = connect(bench.app)
    connection.data_received(LABELLED + PREDICT[:20])

    wire.close()
    connection.connection_lost(None)
    hub.let.set()
    await settled(lambda: 'route="feedback"} 1.0' in bench.measures.answer().body.decode())

    assert (len(hub.labels), kinds(wire)) == (1, [])


@pytest.mark.parametrize("sent", [b"", LIVE, PREDICT[:20]])
async def test_a_connection_without_a_request_under_way_shuts_down_at_once(sent: bytes) -> None:
    connection, wire = connect(make_bench(numeric()).app)
    connection.data_received(sent)

    connection.shutdown()

    assert wire.is_closing()


@pytest.mark.parametrize(("sent", "answered"), [(LABELLED, ["results"]), (LABELLED + PREDICT, ["results", "outputs"])])
async def test_what_is_under_way_is_answered_before_a_shutdown(sent: bytes, answered: list[str]) -> None:
    bench, hub = held()
    connection, wire = connect(bench.app)
    connection.data_received(sent)

    connection.shutdown()
    connection.data_received(LIVE)
    hub.let.set()
    await settled(wire.is_closing)

    assert kinds(wire) == answered
    assert [reply.headers.get("connection") for reply in wire.replies] == [None] * (len(answered) - 1) + ["close"]


async def test_a_failure_is_answered_and_the_connection_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(numeric())
    connection, wire = connect(bench.app)

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    assert bench.app.inference is not None
    monkeypatch.setattr(bench.app.inference, "answer", fail)
    connection.data_received(PREDICT + LIVE)

    assert kinds(wire) == ["500", "live"]
    assert wire.replies[0].error == "internal error: the pod's log has the details"


@given(data=st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_waited_for_or_refused(data: bytes) -> None:
    async def received() -> Wire:
        connection, wire = connect(make_bench(numeric()).app)
        connection.data_received(data)
        return wire

    assert all(400 <= reply.status < 500 for reply in asyncio.run(received()).replies)


@given(st.text(max_size=20))
def test_any_target_has_a_path(target: str) -> None:
    request = Request("GET", target.encode(), {}, b"", keep_alive=True)
    assert isinstance(request.path, str)
