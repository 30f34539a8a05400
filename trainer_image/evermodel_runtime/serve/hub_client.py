"""The serving pod's side of the hub's HTTP interface.

On connections of its own: a client library takes a quarter of a pod's start and a seventh of its memory, for a few
calls to one address.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from evermodel_runtime.serve.hub_connection import HubAddress, HubAnswer, HubConnection, HubUnreachableError

__all__ = ["LATER", "RETRY_AFTER", "HubAnswer", "HubClient", "HubUnreachableError", "open_hub"]

RETRY_AFTER = "2"
"""Seconds that callers are told to wait where the hub does not say how long."""
LATER = frozenset({429, 507})
"""What the hub answers where the same call may do later: callers are told so, too."""
BLOB_PATIENCE = 30.0
"""Seconds without a byte; a large model may take as long as it takes."""
CALL_PATIENCE = 10.0
IDLE_SECONDS = 3.0
"""Less than the 5 s after which the hub closes an idle connection: a POST that meets the closing is not repeated."""


class HubClient:
    """Talks to one hub in the name of one model."""

    def __init__(self, url: str, model: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._address = HubAddress.of(self.url)
        self._model = model
        self._head = (
            f"host: {self._address.authority}\r\nauthorization: Bearer {token}\r\nx-evermodel-model: {model}\r\n"
        )
        self._idle: list[HubConnection] = []

    async def blob(self, sha256: str) -> HubAnswer:
        """Download a blob; its bytes are not verified here."""
        return await self._call("GET", f"/v1/blobs/{sha256}", None, BLOB_PATIENCE)

    async def feedback(self, body: bytes) -> HubAnswer:
        """Hand over an encoded FeedbackRequest."""
        return await self._call("POST", f"/v1/models/{self._model}/feedback", body, CALL_PATIENCE)

    async def heartbeat(self, body: bytes) -> HubAnswer:
        """Hand over an encoded Heartbeat."""
        return await self._call("POST", f"/v1/models/{self._model}/heartbeat", body, CALL_PATIENCE)

    async def erasure(self, body: bytes) -> HubAnswer:
        """Hand over an encoded Erasure."""
        return await self._call("POST", f"/v1/models/{self._model}/erasures", body, CALL_PATIENCE)

    def close(self) -> None:
        """Close the connections that nobody waits on."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _call(self, method: str, path: str, body: bytes | None, patience: float) -> HubAnswer:
        head = f"{method} {self._address.path}{path} HTTP/1.1\r\n{self._head}"
        if body is not None:
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        connection = self._rested() or await self._address.connect()
        answer = await connection.exchange(head.encode("latin-1") + b"\r\n" + (body or b""), patience)
        if connection.usable:
            self._idle.append(connection)
        return answer

    def _rested(self) -> HubConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.idle_seconds < IDLE_SECONDS:
                return connection
            connection.close()
        return None


@contextmanager
def open_hub(url: str, model: str, token: str) -> Iterator[HubClient]:
    """Open a client that carries the server token of one model."""
    client = HubClient(url, model, token)
    try:
        yield client
    finally:
        client.close()
