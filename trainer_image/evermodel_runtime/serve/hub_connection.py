"""One connection to the hub: a request goes out, its answer comes in, and then the next."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast
from urllib.parse import urlsplit

import httptools
import msgspec

from evermodel.contract import HubError

CONNECT_SECONDS = 3.0


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


class HubConnection(asyncio.Protocol):
    """A connection that waits for one answer at a time. Whoever gives up an answer closes it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[HubAnswer] | None = None
        self._limit: asyncio.Timeout | None = None
        self._patience = 0.0
        self._rests_since = loop.time()
        self._parts: list[bytes] = []
        self._retry_after: str | None = None

    @property
    def idle_seconds(self) -> float:
        """How long ago the last answer came."""
        return self._loop.time() - self._rests_since

    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        return self._transport is not None and not self._transport.is_closing() and self._answer is None

    async def exchange(self, request: bytes, patience: float) -> HubAnswer:
        """Send an encoded request and wait for its answer, which may pause for ``patience`` seconds at most.

        Raises
        ------
        HubUnreachableError
            It broke off, paused for longer, or was no HTTP.
        """
        assert self._transport is not None
        self._answer = self._loop.create_future()
        self._begin_answer()
        self._patience = patience
        try:
            async with asyncio.timeout(patience) as self._limit:
                self._transport.write(request)
                answer = await self._answer
        except TimeoutError as error:
            raise HubUnreachableError("no answer in time") from error
        finally:
            self._limit = None
            if not self._answer.done() or self._answer.cancelled():
                self.close()  # what comes now answers a request that nobody waits for
            self._answer = None
        self._rests_since = self._loop.time()
        return answer

    def close(self) -> None:
        """End the connection, whatever it waits for."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection; this and what follows is called by the event loop or the parser."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        self._fail(str(exc) if exc else "the hub closed the connection")

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self._answer is None:  # nothing was asked: what follows would answer the wrong request
            self.close()
            return
        if self._limit is not None:
            self._limit.reschedule(self._loop.time() + self._patience)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(f"its answer is no HTTP/1.1: {error}")
            self.close()

    def on_message_begin(self) -> None:
        """Give up a connection on which more is said than was asked."""
        if self._answer is None or self._answer.done():
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the one header that matters."""
        if name.lower() == b"retry-after":
            self._retry_after = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        """Take a part of the body in."""
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """Hand the answer over."""
        status = self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(HubAnswer(status, b"".join(self._parts), self._retry_after))

    def _begin_answer(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._parts = []
        self._retry_after = None

    def _fail(self, message: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(HubUnreachableError(message))


@dataclass(frozen=True, slots=True)
class HubAddress:
    """Where the hub listens, and the start of every path."""

    host: str
    port: int
    authority: str
    path: str

    @classmethod
    def of(cls, url: str) -> "HubAddress":
        """Read ``http://host:port/path``."""
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"the hub's URL is {url}: it must be http://, as the operator gives it")
        return cls(parts.hostname, parts.port or 80, parts.netloc, parts.path.rstrip("/"))

    async def connect(self) -> HubConnection:
        """Open a connection.

        Raises
        ------
        HubUnreachableError
            The name is unknown, or nobody listens there.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(lambda: HubConnection(loop), self.host, self.port)
        except TimeoutError as error:
            raise HubUnreachableError(f"{self.host}:{self.port} did not answer within {CONNECT_SECONDS:g} s") from error
        except OSError as error:
            raise HubUnreachableError(f"no connection to {self.host}:{self.port}: {error}") from error
        return connection
