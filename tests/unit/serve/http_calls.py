"""Sends bytes over a connection without a socket, in the test's own loop; and a hub that answers as it is told."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httptools
import msgspec
from tests.unit.serve.made_models import Made, numeric, serve_config
from uvicorn.server import ServerState

from evermodel.contract import (
    Erased,
    Erasure,
    FeedbackRequest,
    FeedbackResponse,
    Heartbeat,
    HeartbeatReply,
    LabelResult,
    LabelStatus,
)
from evermodel.tokens import Role, role_token
from evermodel_runtime.quality.prediction_id import Signer
from evermodel_runtime.serve.application import Application
from evermodel_runtime.serve.batching import inference_of
from evermodel_runtime.serve.captures import CaptureBuffer
from evermodel_runtime.serve.connection import HttpConnection
from evermodel_runtime.serve.draining import KEEP_ALIVE_SECONDS
from evermodel_runtime.serve.erasing import Eraser
from evermodel_runtime.serve.feedback import FeedbackForwarder
from evermodel_runtime.serve.hub_client import HubAnswer, HubClient, HubUnreachableError
from evermodel_runtime.serve.ids import PredictionIds
from evermodel_runtime.serve.measures import Measures
from evermodel_runtime.serve.readiness import Readiness
from evermodel_runtime.web import web_config

TOKEN = role_token("ab" * 32, "iris", Role.SERVER)
NOW = 1_700_000_000.5


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])


class Wire(asyncio.Transport):
    """The transport of one connection: what is written stays to be read."""

    def __init__(self) -> None:
        super().__init__()
        self.replies: list[Reply] = []
        self.written = b""
        self.continued = 0
        self.reading = True
        self.heads_alone = False
        """Whether answers have no body, as those to HEAD."""
        self.replied = asyncio.Event()
        self._closing = False
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body = b""

    def write(self, data: Any) -> None:
        assert not self._closing
        self.written += data
        self._parser.feed_data(data)

    def close(self) -> None:
        self._closing = True
        self.replied.set()

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode()] = value.decode()

    def on_headers_complete(self) -> None:
        if self.heads_alone:
            self.on_message_complete()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        status, headers, body = self._parser.get_status_code(), self._headers, self._body
        self._headers, self._body = {}, b""
        if status == 100:
            self.continued += 1
            return
        self.replies.append(Reply(status, headers, body))
        self.replied.set()


def connect(app: Application, idle_seconds: int = KEEP_ALIVE_SECONDS) -> tuple[HttpConnection, Wire]:
    """Open a connection as uvicorn does."""
    config = web_config(
        app,
        host="",
        port=0,
        lifespan="off",
        keep_alive_seconds=idle_seconds,
        grace_seconds=1,
        http=HttpConnection,
    )
    config.load()
    connection, wire = HttpConnection(config, ServerState()), Wire()
    connection.connection_made(wire)
    return connection, wire


async def call(
    app: Application,
    method: str,
    path: str,
    body: Any = b"",
    *,
    headers: Iterable[tuple[bytes, bytes]] = (),
    pieces: int = 1,
) -> Reply:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    size = max(1, -(-len(content) // pieces))
    named = list(headers)
    if b"content-length" not in dict(named):
        named.append((b"content-length", b"%d" % len(content)))
    head = f"{method} {path} HTTP/1.1\r\n".encode() + b"".join(b"%s: %s\r\n" % each for each in named) + b"\r\n"
    connection, wire = connect(app)
    wire.heads_alone = method == "HEAD"
    connection.data_received(head)
    for at in range(0, len(content), size):
        connection.data_received(content[at : at + size])
    await wire.replied.wait()
    connection.connection_lost(None)
    (reply,) = wire.replies
    return reply


class ToldHub(HubClient):
    """Keeps what it is sent, and answers what ``answers`` says; None stands for a hub that is down."""

    def __init__(self, *answers: HubAnswer | None) -> None:
        self.url = "http://hub"
        self.blobs: dict[str, bytes] = {}
        self.labels: list[FeedbackRequest] = []
        self.heartbeats: list[Heartbeat] = []
        self.erasures: list[str] = []
        self.next_answers = list(answers)
        self.before_answer: Callable[[], Any] | None = None

    async def blob(self, sha256: str) -> HubAnswer:
        if self.next_answers:
            return self._told()
        if sha256 not in self.blobs:
            return HubAnswer(404, b'{"error": "no blob"}')
        return HubAnswer(200, self.blobs[sha256])

    async def feedback(self, body: bytes) -> HubAnswer:
        request = msgspec.json.decode(body, type=FeedbackRequest)
        self.labels.append(request)
        if self.before_answer is not None:
            await self.before_answer()
        if self.next_answers:
            return self._told()
        results = tuple(LabelResult(id=row.id, status=_status(row.id)) for row in request.labels)
        accepted = sum(result.status is LabelStatus.ACCEPTED for result in results)
        return HubAnswer(200, msgspec.json.encode(FeedbackResponse(results=results, accepted=accepted)))

    async def erasure(self, body: bytes) -> HubAnswer:
        self.erasures.append(msgspec.json.decode(body, type=Erasure).id)
        if self.next_answers:
            return self._told()
        return HubAnswer(200, msgspec.json.encode(Erased(rows=1)))

    async def heartbeat(self, body: bytes) -> HubAnswer:
        self.heartbeats.append(msgspec.json.decode(body, type=Heartbeat))
        if self.next_answers:
            return self._told()
        return HubAnswer(200, msgspec.json.encode(HeartbeatReply(stored=0)))

    def _told(self) -> HubAnswer:
        answer = self.next_answers.pop(0)
        if answer is None:
            raise HubUnreachableError("connection refused")
        return answer


def _status(prediction_id: str) -> LabelStatus:
    return LabelStatus.FORGED if prediction_id.startswith("forged") else LabelStatus.ACCEPTED


@dataclass
class Bench:
    """An application with everything around it in reach."""

    app: Application
    hub: ToldHub
    readiness: Readiness
    measures: Measures
    captures: CaptureBuffer = field(default_factory=CaptureBuffer)

    async def infer(self, body: Any, **how: Any) -> Reply:
        return await call(self.app, "POST", "/v2/models/iris/infer", body, **how)

    async def get(self, path: str) -> Reply:
        return await call(self.app, "GET", path)


def make_bench(made: Made | None, hub: ToldHub | None = None) -> Bench:
    """Build an application that serves a model; None: one that has none yet."""
    config = serve_config(made or numeric())
    hub = hub or ToldHub()
    bench = Bench(
        app=Application(
            config, readiness := Readiness(), FeedbackForwarder(hub), Eraser(hub), measures := Measures(config)
        ),
        hub=hub,
        readiness=readiness,
        measures=measures,
    )
    if made is not None:
        ids = PredictionIds(Signer(TOKEN, "iris"), 3)
        bench.app.inference = inference_of(
            config, made.load(), ids, measures=measures, captures=bench.captures, clock=lambda: NOW
        )
        readiness.reason = None
    return bench


def tensor(name: str, data: Any, shape: Any, datatype: str = "FP64", **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data, **more}
