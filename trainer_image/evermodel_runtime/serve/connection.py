"""HTTP/1.1 on one connection: requests in, answers out in their order.

uvicorn owns the sockets and the shutdown. Its own protocol would run a task of ASGI messages for each request, which
costs more than a prediction does; a serving pod is asked with whole requests, and has most answers at once.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any, Protocol

import uvicorn
from uvicorn.server import ServerState

from evermodel_runtime.serve.answers import Answer
from evermodel_runtime.serve.protocol import RequestError
from evermodel_runtime.serve.requests import Request, RequestReader

ARRIVAL_SECONDS = 30.0
"""How long a request may take to arrive."""

_STATUS_LINES = {status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSE = (b"connection", b"close")


class Answering(Protocol):
    """What answers the requests of all connections."""

    @property
    def draining(self) -> bool:
        """Whether callers should open their next connection elsewhere."""
        ...

    def answer(self, request: Request) -> Answer | Awaitable[Answer]:
        """Answer a request, now or later. Never raises."""
        ...


class HttpConnection(asyncio.Protocol):
    """One connection, as uvicorn makes it.

    Requests that come while an answer is being made, or faster than the caller reads the answers, wait; nothing more
    is read meanwhile.
    """

    def __init__(self, config: uvicorn.Config, server_state: ServerState, **_more: Any) -> None:
        self._app: Answering = config.loaded_app
        self._state = server_state
        self._idle_seconds = config.timeout_keep_alive
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader(self._take, self._ask_for_body)
        self._waiting: deque[Request] = deque()
        self._answering = False
        self._writable = True
        self._ended = False
        """Whether the last request is there: what comes after it is not looked at."""
        self._arrival: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self._transport: asyncio.Transport = transport
        self._state.connections.add(self)  # type: ignore[arg-type]  # uvicorn names its own protocols alone
        self._since = self._loop.time()
        self._idle = self._loop.call_later(self._idle_seconds, self._close_if_idle)

    def connection_lost(self, _exc: Exception | None) -> None:
        """End: what is under way goes on, and nobody gets the answer."""
        self._state.connections.discard(self)
        self._waiting.clear()
        self._idle.cancel()
        self._stop_waiting()

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        if self._ended:
            return
        self._reader.feed(data)
        if self._reader.arriving and self._arrival is None and not self._ended:
            self._arrival = self._loop.call_later(ARRIVAL_SECONDS, self._give_up)

    def pause_writing(self) -> None:
        """Stop: the caller reads no answers."""
        self._writable = False

    def resume_writing(self) -> None:
        """Go on."""
        self._writable = True
        self._answer_waiting()

    def shutdown(self) -> None:
        """Close as soon as everything is answered: called by uvicorn."""
        if self._answering or self._waiting:
            self._ended = True
        else:
            self._transport.close()

    def _take(self, request: Request) -> None:
        if self._ended:
            return
        self._ended = not request.keep_alive
        if self._arrival is not None:
            self._stop_waiting()
        if self._answering or self._waiting or not self._writable:
            self._waiting.append(request)
            self._transport.pause_reading()
        else:
            self._answer(request)

    def _answer(self, request: Request) -> None:
        answer = self._app.answer(request)
        if isinstance(answer, Answer):
            self._write(request, answer)
            return
        self._answering = True
        task = self._loop.create_task(self._answer_later(request, answer))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    async def _answer_later(self, request: Request, coming: Awaitable[Answer]) -> None:
        answer = await coming
        self._answering = False
        self._write(request, answer)
        self._answer_waiting()

    def _answer_waiting(self) -> None:
        while self._waiting and self._writable and not self._answering:
            self._answer(self._waiting.popleft())
        if not self._waiting and not self._transport.is_closing():
            self._transport.resume_reading()

    def _write(self, request: Request, answer: Answer) -> None:
        if self._transport.is_closing():
            return
        last = (self._ended or self._app.draining) and not self._waiting
        body = answer.body
        parts = [_STATUS_LINES[answer.status]]
        for name, value in self._state.default_headers:
            parts += (name, b": ", value, b"\r\n")
        parts += (b"content-type: ", answer.content_type, b"\r\ncontent-length: ", b"%d" % len(body), b"\r\n")
        for name, value in (*answer.headers, _CLOSE) if last else answer.headers:
            parts += (name, b": ", value, b"\r\n")
        parts.append(b"\r\n")
        if request.method != "HEAD":
            parts.append(body)
        self._transport.write(b"".join(parts))
        self._state.total_requests += 1
        self._since = self._loop.time()
        if last:
            self._ended = True
            self._transport.close()

    def _ask_for_body(self) -> None:
        if not self._answering and not self._waiting:  # else it comes by itself, after a while
            self._transport.write(_CONTINUE)

    def _stop_waiting(self) -> None:
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None

    def _give_up(self) -> None:
        self._arrival = None
        self._reader.refuse(RequestError(f"the request did not arrive within {ARRIVAL_SECONDS:g} seconds", 408))

    def _close_if_idle(self) -> None:
        left = self._since + self._idle_seconds - self._loop.time()
        if left <= 0 and not (self._answering or self._reader.arriving):
            self._transport.close()
        else:
            self._idle = self._loop.call_later(left if left > 0 else self._idle_seconds, self._close_if_idle)
