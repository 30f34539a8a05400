"""Predictions at a steady rate, cheap enough to leave the processor to what is tested, and a strict account of them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import aiohttp
import msgspec
from tests.demo.camera import Camera

from evermodel_runtime.serve.protocol import InferResponse

FRESH_EVERY: Final = 10
"""Every so many requests one opens a connection of its own; the others keep theirs."""
TICK: Final = 0.01
TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
_JSON: Final = {"content-type": "application/json"}


_ANSWER: Final = msgspec.json.Decoder(InferResponse)


@dataclass(slots=True, kw_only=True)
class Load:
    """Clients of one model. Whatever is not answered by 200 is a failure; nothing is sent twice."""

    url: str
    bodies: Sequence[bytes]
    per_second: float
    sent: int = 0
    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    """Answers by the version that gave them."""
    failures: list[str] = field(default_factory=list)
    newest: str = ""
    """Version of the newest answer."""
    prediction_ids: deque[str] = field(default_factory=deque)
    """Ids of the answers, for those who label them."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Load]:
        """Send requests while the context is open; all are answered or failed when it closes."""
        async with (
            _session(force_close=False) as kept,
            _session(force_close=True) as fresh,
            asyncio.TaskGroup() as all_,
        ):
            sending = all_.create_task(self._send(kept, fresh))
            try:
                yield self
            finally:
                sending.cancel()

    @property
    def rate(self) -> float:
        """Requests a second that were sent."""
        return self.sent / self.seconds

    def is_answered_by(self, version: int) -> bool | None:
        """Tell whether the newest answer came from a version; None when not, as ``eventually`` asks."""
        return self.newest == str(version) or None

    async def was_answered(self) -> bool | None:
        """Tell whether anything was answered; None when not, as ``eventually`` asks."""
        return bool(self.answers) or None

    async def _send(self, kept: aiohttp.ClientSession, fresh: aiohttp.ClientSession) -> None:
        bodies = itertools.cycle(self.bodies)
        began = time.monotonic()
        async with asyncio.TaskGroup() as requests:
            with contextlib.suppress(asyncio.CancelledError):  # the requests under way are waited for
                while True:
                    self.seconds = time.monotonic() - began
                    while self.sent < self.seconds * self.per_second:
                        session = kept if self.sent % FRESH_EVERY else fresh
                        requests.create_task(self._request(session, next(bodies)))
                        self.sent += 1
                    await asyncio.sleep(TICK)

    async def _request(self, session: aiohttp.ClientSession, body: bytes) -> None:
        try:
            async with session.post(self.url, data=body, headers=_JSON) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, OSError) as error:  # a timeout is an OSError
            self.failures.append(f"{type(error).__name__}: {error}")
            return
        if answer.status != HTTPStatus.OK:
            self.failures.append(f"{answer.status} {content[:200].decode(errors='replace')}")
            return
        decoded = _ANSWER.decode(content)
        self.newest = decoded.model_version
        self.answers[self.newest] += 1
        self.prediction_ids += decoded.parameters.prediction_ids


def _session(*, force_close: bool) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=force_close), timeout=TIMEOUT)


def photographs(number: int, *, seed: int) -> list[bytes]:
    """Return requests with photographs of digits that no training saw."""
    camera = Camera.of_rows_after(1000, seed=seed)
    return [
        msgspec.json.encode(
            {"inputs": [{"name": "image", "datatype": "FP64", "shape": [1, 64], "data": camera.photograph()[0]}]}
        )
        for _ in range(number)
    ]
