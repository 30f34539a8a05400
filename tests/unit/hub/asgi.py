"""Requests to a hub in this process, without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from evermodel.contract import (
    Capture,
    CaptureRules,
    FeedbackRequest,
    FeedbackResponse,
    FeedbackRow,
    Heartbeat,
    HeartbeatReply,
    Quality,
    QualityQuery,
    Scalar,
)
from evermodel.tokens import Role, hub_key, role_token
from evermodel_runtime.hub.app import HubApp
from evermodel_runtime.hub.core import Hub
from evermodel_runtime.hub.settings import HubSettings
from evermodel_runtime.quality.prediction_id import Signer

KEY = hub_key(b"master", "shop")
MODEL = "digits"
START = 1_785_740_000.0


@dataclass(slots=True)
class Clock:
    """Time that moves when a test says so."""

    now: float = START

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        return str(msgspec.json.decode(self.body)["error"])


@dataclass(slots=True)
class HubClient:
    """Speaks to one hub as any role."""

    hub: Hub
    clock: Clock
    app: HubApp = field(init=False)
    nonce: int = 0

    def __post_init__(self) -> None:
        self.app = HubApp(self.hub)

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] = b"",
        *,
        role: Role | None = Role.OPERATOR,
        model: str = MODEL,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        given = dict(headers or {})
        given.setdefault("x-evermodel-model", model)
        if role is not None:
            given.setdefault("authorization", f"Bearer {role_token(KEY, model, role)}")
        path, _, query = path.partition("?")
        pieces = [body] if isinstance(body, bytes) else list(body)
        messages = [
            {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
            for number, piece in enumerate(pieces, 1)
        ]
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
        }
        await self.app(scope, receive, send)
        return Answer(
            status=sent[0]["status"],
            headers={name.decode(): value.decode() for name, value in sent[0]["headers"]},
            body=b"".join(message.get("body", b"") for message in sent[1:]),
        )

    def prediction(
        self, predicted: str | float, *, version: int = 1, at: float | None = None, model: str = MODEL
    ) -> str:
        """Id of a prediction, as a serving pod issues it."""
        self.nonce += 1
        signer = Signer(role_token(KEY, model, Role.SERVER), model)
        return signer.issue(version, self.clock.now if at is None else at, predicted, self.nonce.to_bytes(8, "big"))

    async def label(self, *labels: tuple[str, Scalar], model: str = MODEL) -> FeedbackResponse:
        """Send labels: (id, label)."""
        rows = tuple(FeedbackRow(id=number, label=label) for number, label in labels)
        body = msgspec.json.encode(FeedbackRequest(labels=rows))
        answer = await self.request("POST", f"/v1/models/{model}/feedback", body, role=Role.SERVER, model=model)
        assert answer.status == 200, answer.body
        return msgspec.json.decode(answer.body, type=FeedbackResponse)

    async def outcomes(self, correct: Iterable[bool], *, version: int = 1, at: float | None = None) -> FeedbackResponse:
        """Predict "7" and send the true label, right or wrong."""
        labels = [(self.prediction("7", version=version, at=at), 7 if right else 8) for right in correct]
        return await self.label(*labels)

    async def beat(
        self,
        predictions: int,
        *captures: Capture,
        pod: str = "pod-1",
        version: int = 1,
        errors: int = 0,
        rules: CaptureRules | None = None,
    ) -> HeartbeatReply:
        heartbeat = Heartbeat(
            pod=pod, version=version, predictions=predictions, errors=errors, captures=captures, rules=rules
        )
        body = msgspec.json.encode(heartbeat)
        answer = await self.request("POST", f"/v1/models/{MODEL}/heartbeat", body, role=Role.SERVER)
        assert answer.status == 200, answer.body
        return msgspec.json.decode(answer.body, type=HeartbeatReply)

    async def quality(self, **changes: Any) -> Quality:
        """Ask how version 1 does, or what ``changes`` say."""
        query = QualityQuery(
            **{
                "version": 1,
                "threshold": 0.92,
                "tolerance": 0.01,
                "false_alarm_every": 10_000.0,
                "window": 1000,
                **changes,
            }
        )
        answer = await self.request("POST", f"/v1/models/{MODEL}/quality", msgspec.json.encode(query))
        assert answer.status == 200, answer.body
        return msgspec.json.decode(answer.body, type=Quality)


@asynccontextmanager
async def running_hub(folder: Path, **settings: Any) -> AsyncIterator[HubClient]:
    """Run a hub on a folder; left, it is shut down as SIGTERM would."""
    clock = Clock()
    hub = Hub.on_volume(HubSettings(**{"key": KEY, "data": folder, **settings}), clock)
    await hub.start()
    try:
        yield HubClient(hub, clock)
    finally:
        await hub.stop()
