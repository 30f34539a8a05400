"""Calls an ASGI application in the test's own loop, and a hub that answers as it is told."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from tests.unit.serve.made_models import Made, numeric, serve_config

from evermodel.contract import FeedbackRequest, FeedbackResponse, Heartbeat, HeartbeatReply, LabelResult, LabelStatus
from evermodel.tokens import Role, role_token
from evermodel_runtime.quality.prediction_id import Signer
from evermodel_runtime.serve.application import Application
from evermodel_runtime.serve.batching import inference_of
from evermodel_runtime.serve.captures import CaptureBuffer
from evermodel_runtime.serve.feedback import FeedbackForwarder
from evermodel_runtime.serve.hub_client import HubAnswer, HubClient, HubUnreachableError
from evermodel_runtime.serve.inference import PredictionIds
from evermodel_runtime.serve.measures import Measures
from evermodel_runtime.serve.readiness import Readiness

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


async def call(
    app: Application,
    method: str,
    path: str,
    body: Any = b"",
    *,
    headers: Iterable[tuple[bytes, bytes]] = (),
    pieces: int = 1,
) -> Reply:
    encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
    size = max(1, -(-len(encoded) // pieces))
    parts = [encoded[at : at + size] for at in range(0, len(encoded), size)] or [b""]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if not parts:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
    await app(scope, receive, send)
    start, end = sent
    named = {name.decode(): value.decode() for name, value in start["headers"]}
    assert int(named["content-length"]) == len(end["body"])
    return Reply(start["status"], named, end["body"])


class ToldHub(HubClient):
    """Keeps what it is sent, and answers what ``answers`` says; None stands for a hub that is down."""

    def __init__(self, *answers: HubAnswer | None) -> None:
        self.url = "http://hub"
        self.blobs: dict[str, bytes] = {}
        self.labels: list[FeedbackRequest] = []
        self.heartbeats: list[Heartbeat] = []
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
        app=Application(config, readiness := Readiness(), FeedbackForwarder(hub), measures := Measures(config)),
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
