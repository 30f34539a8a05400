"""The pod's connections to the hub: each answer reaches who asked for it, whatever the network does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from evermodel_runtime.serve import hub_client
from evermodel_runtime.serve.hub_client import HubAnswer, HubClient, HubUnreachableError

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"
CUT = object()
"""In a script: the connection ends here."""


@dataclass
class ScriptedHub:
    """Listens on loopback; answers each request by the next script, piece by piece."""

    scripts: list[list[bytes | object]]
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((line for line in head.split(b"\r\n") if line.startswith(b"content-length")), b":0")
                self.requests.append(head + await reader.readexactly(int(length.partition(b":")[2])))
                self.asked.set()
                for piece in self.scripts.pop(0):
                    if piece is CUT:
                        return
                    if isinstance(piece, bytes):
                        writer.write(piece)
                        await writer.drain()
                    else:
                        await self.go_on.wait()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not met():  # noqa: ASYNC110 — the end of a connection sets no event that a test could see
            await asyncio.sleep(0.001)


WAIT = "the hub waits until it is told to go on"


@asynccontextmanager
async def hub_and_client(*scripts: list[bytes | object]) -> AsyncIterator[tuple[ScriptedHub, HubClient]]:
    hub = ScriptedHub(list(scripts))
    server = await asyncio.start_server(hub.serve, "127.0.0.1", 0)
    client = HubClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "iris", "secret")
    try:
        yield hub, client
    finally:
        hub.go_on.set()
        client.close()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        pytest.param([OK + b"here"], HubAnswer(200, b"here"), id="at once"),
        pytest.param([OK[:9], OK[9:], b"he", b"re"], HubAnswer(200, b"here"), id="in pieces"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n", b"2\r\nre\r\n0\r\n\r\n"],
            HubAnswer(200, b"here"),
            id="chunked",
        ),
        pytest.param(
            [b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\ncontent-length: 0\r\n\r\n"],
            HubAnswer(429, b"", "7"),
            id="to be asked later",
        ),
        pytest.param([b"HTTP/1.1 204 No Content\r\n\r\n"], HubAnswer(204, b""), id="without a body"),
    ],
)
async def test_an_answer_is_read_whole(script: list[bytes | object], answer: HubAnswer) -> None:
    async with hub_and_client(script) as (hub, client):
        assert await client.heartbeat(b"{}") == answer

    (request,) = hub.requests
    assert request.startswith(b"POST /v1/models/iris/heartbeat HTTP/1.1\r\n")
    assert b"\r\nauthorization: Bearer secret\r\n" in request
    assert request.endswith(b"\r\n\r\n{}")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param([CUT], "closed", id="closed before it"),
        pytest.param([OK + b"he", CUT], "closed", id="closed within it"),
        pytest.param([b"220 mail\r\n"], "no HTTP/1.1", id="another protocol"),
        pytest.param([WAIT], "no answer in time", id="silence"),
        pytest.param([OK + b"he", WAIT], "no answer in time", id="silence within it"),
    ],
)
async def test_a_broken_answer_is_told_and_the_next_call_has_a_connection_of_its_own(
    script: list[bytes | object], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_client, "CALL_PATIENCE", 0.2)
    async with hub_and_client(script, [OK + b"here"]) as (hub, client):
        with pytest.raises(HubUnreachableError, match=words):
            await client.feedback(b"{}")

        assert (await client.feedback(b"{}")).body == b"here"
    assert hub.connections == 2


async def test_calls_in_turn_share_a_connection_and_calls_at_once_do_not() -> None:
    here: list[bytes | object] = [OK + b"here"]
    async with hub_and_client(*([here] * 5)) as (hub, client):
        for _ in range(3):
            await client.heartbeat(b"{}")
        assert hub.connections == 1

        answers = await asyncio.gather(client.heartbeat(b"{}"), client.feedback(b"{}"))

    assert [answer.body for answer in answers] == [b"here", b"here"]
    assert hub.connections == 2


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nhere"], id="announced"),
        pytest.param([OK + b"here", CUT], id="without a word"),
        pytest.param([OK + b"here" + OK + b"more"], id="after an answer that nobody asked for"),
    ],
)
async def test_a_connection_that_has_ended_is_not_used_again(script: list[bytes | object]) -> None:
    async with hub_and_client(script, [OK + b"next"]) as (hub, client):
        assert (await client.heartbeat(b"{}")).body == b"here"
        await until(lambda: not any(connection.usable for connection in client._idle))

        assert (await client.heartbeat(b"{}")).body == b"next"
    assert hub.connections == 2


async def test_a_connection_that_has_rested_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_client, "IDLE_SECONDS", 0.0)
    async with hub_and_client([OK + b"here"], [OK + b"next"]) as (hub, client):
        await client.heartbeat(b"{}")
        await client.heartbeat(b"{}")

    assert hub.connections == 2


async def test_the_answer_to_a_call_that_was_given_up_reaches_nobody() -> None:
    async with hub_and_client([WAIT, OK + b"late"], [OK + b"next"]) as (hub, client):
        call = asyncio.create_task(client.feedback(b"{}"))
        await hub.asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        hub.go_on.set()

        assert (await client.feedback(b"{}")).body == b"next"


async def test_a_hub_that_nobody_listens_for_is_told_with_its_address() -> None:
    async with hub_and_client() as (_, client):
        pass
    with pytest.raises(HubUnreachableError, match=r"no connection to 127\.0\.0\.1:\d+: "):
        await client.blob("0" * 64)


def test_a_url_of_another_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="https://hub: it must be http://"):
        HubClient("https://hub", "iris", "secret")
