"""A real hub process on loopback, to be killed, and a plain client that speaks to it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from evermodel.contract import FeedbackRequest, FeedbackResponse, FeedbackRow, Quality, QualityQuery
from evermodel.tokens import Role, hub_key, role_token
from evermodel_runtime.quality.prediction_id import Signer

ROOT = Path(__file__).resolve().parents[2]
KEY = hub_key(b"master", "faults")
MODEL = "digits"
START_SECONDS = 20.0


@dataclass(slots=True)
class HubProcess:
    """One hub on one folder, always at the same port."""

    data: Path
    environ: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start the process and wait until it takes labels."""
        self.port = self.port or free_port()
        environ = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "operator"), str(ROOT / "trainer_image")]),
            "EVERMODEL_HUB_KEY": KEY,
            "EVERMODEL_HUB_DATA": str(self.data),
            "EVERMODEL_HUB_HOST": "127.0.0.1",
            "EVERMODEL_HUB_PORT": str(self.port),
            **self.environ,
        }
        self.process = subprocess.Popen([sys.executable, "-m", "evermodel_runtime.hub"], env=environ)  # noqa: ASYNC220
        async with asyncio.timeout(START_SECONDS):
            while not await self._ready():
                if self.process.poll() is not None:
                    raise RuntimeError(f"the hub ended with {self.process.returncode} at its start")

    async def _ready(self) -> bool:
        try:
            async with Connection(self.port) as connection:
                return (await connection.request("GET", "/readyz"))[0] == 200
        except OSError:
            await asyncio.sleep(0.01)
            return False

    def kill(self) -> None:
        """End it as a crash does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """End it as the kubelet does; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()


def free_port() -> int:
    """Return a port of loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Connection:
    """One kept connection over which one request is under way at a time.

    Plain streams: a client library would take more of the machine than the hub that is measured.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._token = role_token(KEY, MODEL, Role.OPERATOR)

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def encode(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Return the bytes of a request."""
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {self._token}\r\n"
            f"x-evermodel-model: {MODEL}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        """Send the bytes of a request; returns status and body. OSError when the hub goes away."""
        self._writer.write(request)
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            return int(head[9:12]), await self._reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("the hub went away") from error

    async def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Send a request; returns status and body."""
        return await self.exchange(self.encode(method, path, body))


@dataclass(slots=True)
class Predictions:
    """Issues prediction ids as a serving pod does; each has its own nonce."""

    at: float
    version: int = 1
    every: float = 0.0
    """Seconds from one prediction to the next."""
    issued: int = 0
    _signer: Signer = field(default_factory=lambda: Signer(role_token(KEY, MODEL, Role.SERVER), MODEL))

    def issue(self, predicted: str = "7") -> str:
        """Return a new id."""
        self.issued += 1
        at = self.at + self.every * self.issued
        return self._signer.issue(self.version, at, predicted, self.issued.to_bytes(8, "big"))


def feedback(*labels: tuple[str, str]) -> bytes:
    """Return the body that carries labels: (id, label)."""
    return msgspec.json.encode(FeedbackRequest(labels=tuple(FeedbackRow(id=key, label=label) for key, label in labels)))


FEEDBACK_PATH = f"/v1/models/{MODEL}/feedback"


async def send_labels(connection: Connection, *labels: tuple[str, str]) -> FeedbackResponse:
    """Send labels and wait until they are on disk."""
    status, body = await connection.request("POST", FEEDBACK_PATH, feedback(*labels))
    if status != 200:
        raise RuntimeError(f"{status}: {body.decode()}")
    return msgspec.json.decode(body, type=FeedbackResponse)


async def ask_quality(connection: Connection, version: int = 1) -> Quality:
    """Ask how a version does."""
    query = QualityQuery(version=version, threshold=0.92, tolerance=0.01, false_alarm_every=10_000.0, window=1000)
    status, body = await connection.request("POST", f"/v1/models/{MODEL}/quality", msgspec.json.encode(query))
    if status != 200:
        raise RuntimeError(f"{status}: {body.decode()}")
    return msgspec.json.decode(body, type=Quality)
