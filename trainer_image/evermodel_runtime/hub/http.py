"""Requests and responses over raw ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from evermodel.contract import HubError
from evermodel_runtime.hub.blobs import READ_BYTES

T = TypeVar("T")
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

JSON = b"application/json"
HTML = b"text/html; charset=utf-8"
BYTES = b"application/octet-stream"
TEXT = b"text/plain; version=0.0.4; charset=utf-8"


class HttpError(Exception):
    """An answer that is not 2xx; the message says what to do about it."""

    def __init__(self, status: int, message: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class ClientGone(Exception):  # noqa: N818 - nobody is left to be told of an error
    """The client closed the connection before its request was whole."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole body."""

    body: bytes = b""
    status: int = 200
    content_type: bytes = JSON
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class FileResponse:
    """The content of a file, read as the client takes it."""

    path: Path
    size: int
    headers: Headers = ()
    content_type: bytes = BYTES


@dataclass(slots=True)
class Request:
    """One request, with the variable parts of its path."""

    scope: Scope
    receive: Receive
    arguments: tuple[str, ...] = ()
    _headers: dict[bytes, bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._headers = dict(self.scope["headers"])

    @property
    def method(self) -> str:
        """GET, PUT and so on."""
        return str(self.scope["method"])

    def header(self, name: bytes) -> str | None:
        """Value of a header, whose name is in lower case."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def number(self, name: str, kind: Callable[[str], T], default: T) -> T:
        """Read a number from the query string."""
        given = dict(parse_qsl(self.scope["query_string"].decode("latin-1")))
        try:
            return kind(given[name]) if name in given else default
        except ValueError as error:
            raise HttpError(400, f"{name}={given[name]} in the query is not a number") from error

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives."""
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            if piece := message.get("body", b""):
                yield piece
            if not message.get("more_body", False):
                return

    async def body(self, limit: int) -> bytes:
        """Read the whole body."""
        message = await self.receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            body = bytes(message.get("body", b""))  # nearly always the only piece
            _check_length(len(body), limit)
            return body
        collected = bytearray(message.get("body", b""))
        if message["type"] == "http.disconnect":
            raise ClientGone
        async for piece in self.pieces():
            collected += piece
            _check_length(len(collected), limit)
        return bytes(collected)


def _check_length(length: int, limit: int) -> None:
    if length > limit:
        raise HttpError(413, f"the body is longer than {limit:,} bytes: send it in several requests")


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Read a message; the error names the field that is wrong."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HttpError(400, f"the body is not what this URL takes: {error}") from error


def error_response(error: HttpError) -> Response:
    """Say an error as a HubError."""
    return Response(msgspec.json.encode(HubError(error=str(error))), error.status, headers=error.headers)


async def respond(send: Send, response: Response, *, head: bool) -> None:
    """Send a whole body; to HEAD, only what its headers would be."""
    length = str(len(response.body)).encode()
    headers = [(b"content-type", response.content_type), (b"content-length", length), *response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else response.body})


async def respond_file(send: Send, response: FileResponse, *, head: bool) -> None:
    """Send a file without holding it in memory."""
    headers = [
        (b"content-type", response.content_type),
        (b"content-length", str(response.size).encode()),
        *response.headers,
    ]
    with response.path.open("rb") as file:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while not head and (piece := await asyncio.to_thread(file.read, READ_BYTES)):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
