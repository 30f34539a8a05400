"""Requests at a rate, over a few connections, with answers checked and a share of them labelled."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

WAKE_SECONDS = 0.002
"""How often a connection that waits for its turn is looked for."""
KEPT_EACH = 50
"""Of so many answers one is kept to be labelled."""


@dataclass(frozen=True, slots=True)
class Case:
    """One request, and the label that its rows turn out to have."""

    request: bytes
    label: int


def case(path: str, features: Sequence[float], label: int) -> Case:
    """Return a request of one row."""
    tensor = {"name": "X", "shape": [1, len(features)], "datatype": "FP64", "data": list(features)}
    body = json.dumps({"inputs": [tensor]}).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return Case(head.encode() + body, label)


class _Parameters(msgspec.Struct):
    prediction_ids: tuple[str, ...] | str = ()


class _Answer(msgspec.Struct):
    parameters: _Parameters


_ANSWER = msgspec.json.Decoder(_Answer)


@dataclass
class Pace:
    """What is sent, how fast, and what came back."""

    cases: Sequence[Case]
    per_second: float
    sent: int = 0
    answered: int = 0
    errors: int = 0
    predicted: deque[tuple[str, int]] = field(default_factory=lambda: deque(maxlen=10_000))
    """Ids that wait for their label, and that label."""
    _began: float = field(default_factory=time.monotonic)

    def next(self) -> Case | None:
        """Return what is to be sent now; None: the rate is kept without it."""
        if self.sent >= (time.monotonic() - self._began) * self.per_second:
            return None
        self.sent += 1
        return self.cases[self.sent % len(self.cases)]

    def took(self, asked: Case, answer: bytes) -> None:
        """Take an answer."""
        self.answered += 1
        if not answer.startswith(b"HTTP/1.1 200"):
            self.errors += 1
        elif self.answered % KEPT_EACH == 0:
            ids = _ANSWER.decode(answer.partition(b"\r\n\r\n")[2]).parameters.prediction_ids
            self.predicted.append(((ids.split(",") if isinstance(ids, str) else ids)[0], asked.label))


class Connection(asyncio.Protocol):
    """One connection with at most one request under way."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._received = b""
        self._asked: Case | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # no pipe to read from
        """Keep the way out."""
        self._transport = transport

    def wake(self) -> None:
        """Send the next request, should it be time and none be under way."""
        if self._asked is not None or self._transport is None:
            return
        self._asked = self._pace.next()
        if self._asked is not None:
            self._transport.write(self._asked.request)

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer, and send the next request when it is whole."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]):
            return
        answer, self._received = self._received, b""
        if self._asked is not None:
            asked, self._asked = self._asked, None
            self._pace.took(asked, answer)
        self.wake()

    def connection_lost(self, _: Exception | None) -> None:
        """Count a connection that the server closed."""
        if self._transport is not None and not self._transport.is_closing():
            self._pace.errors += 1
        self._transport = None

    def close(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.close()


async def keep(pace: Pace, port: int, connections: int, seconds: float) -> None:
    """Send at the rate for some seconds."""
    loop = asyncio.get_running_loop()
    made = [(await loop.create_connection(lambda: Connection(pace), "127.0.0.1", port))[1] for _ in range(connections)]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for one in made:
            one.wake()
        await asyncio.sleep(WAKE_SECONDS)
    for one in made:
        one.close()
