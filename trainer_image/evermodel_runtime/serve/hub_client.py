"""The serving pod's side of the hub's HTTP interface."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
import msgspec

from evermodel.contract import HubError

BLOB_TIMEOUT = aiohttp.ClientTimeout(total=300, sock_connect=5, sock_read=30)
FEEDBACK_TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=3)
IDLE_SECONDS = 3.0
"""Less than the 5 s after which the hub closes an idle connection: a POST that meets the closing is not repeated."""
HEARTBEAT_TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=3)


class HubUnreachableError(Exception):
    """The hub does not answer; the message says how it failed."""


@dataclass(frozen=True, slots=True)
class HubAnswer:
    """What the hub answered."""

    status: int
    body: bytes
    retry_after: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the hub did what it was asked."""
        return self.status == HTTPStatus.OK

    def error(self) -> str:
        """Return the hub's own words for an answer that is not 200."""
        try:
            return msgspec.json.decode(self.body, type=HubError).error
        except msgspec.MsgspecError:
            return f"status {self.status}"


class HubClient:
    """Talks to one hub in the name of one model."""

    def __init__(self, session: aiohttp.ClientSession, url: str, model: str) -> None:
        self.url = url.rstrip("/")
        self._session = session
        self._model = model

    async def blob(self, sha256: str) -> HubAnswer:
        """Download a blob; its bytes are not verified here."""
        return await self._call("GET", f"/v1/blobs/{sha256}", None, BLOB_TIMEOUT)

    async def feedback(self, body: bytes) -> HubAnswer:
        """Hand over an encoded FeedbackRequest."""
        return await self._call("POST", f"/v1/models/{self._model}/feedback", body, FEEDBACK_TIMEOUT)

    async def heartbeat(self, body: bytes) -> HubAnswer:
        """Hand over an encoded Heartbeat."""
        return await self._call("POST", f"/v1/models/{self._model}/heartbeat", body, HEARTBEAT_TIMEOUT)

    async def _call(self, method: str, path: str, body: bytes | None, limit: aiohttp.ClientTimeout) -> HubAnswer:
        headers = {"content-type": "application/json"} if body is not None else None
        try:
            async with self._session.request(
                method, self.url + path, data=body, headers=headers, timeout=limit, allow_redirects=False
            ) as response:
                return HubAnswer(response.status, await response.read(), response.headers.get("retry-after"))
        except TimeoutError as error:
            raise HubUnreachableError("no answer in time") from error
        except aiohttp.ClientError as error:
            raise HubUnreachableError(str(error) or type(error).__name__) from error


@asynccontextmanager
async def open_hub(url: str, model: str, token: str) -> AsyncIterator[HubClient]:
    """Open a client that carries the server token of one model."""
    headers = {"authorization": f"Bearer {token}", "x-evermodel-model": model}
    connector = aiohttp.TCPConnector(limit=16, keepalive_timeout=IDLE_SECONDS)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        yield HubClient(session, url, model)
