"""The hub's ASGI application: finds the route, checks the token, and says every error as a HubError."""

from __future__ import annotations

import logging
import sqlite3
from time import perf_counter
from typing import assert_never

from evermodel.tokens import ANY_MODEL
from evermodel_runtime.hub.core import Hub
from evermodel_runtime.hub.http import (
    ClientGone,
    FileResponse,
    HttpError,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    error_response,
    respond,
    respond_file,
)
from evermodel_runtime.hub.routes import Caller, Route, find_route
from evermodel_runtime.hub.volume import VolumeError
from evermodel_runtime.hub.writer import DiskFull, Overloaded, Stopped

logger = logging.getLogger(__name__)
_SOON = ((b"retry-after", b"1"),)
_LATER = ((b"retry-after", b"30"),)


class HubApp:
    """Raw ASGI application of one hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope of ASGI."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._hub.start()
        except (VolumeError, OSError, sqlite3.Error) as error:
            await send({"type": "lifespan.startup.failed", "message": f"the hub cannot start: {error}"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._hub.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        route_name = "unknown"
        head = scope["method"] == "HEAD"
        try:
            try:
                route, arguments = find_route(scope["path"])
                route_name = route.name
                response = await self._handle(route, Request(scope, receive, arguments))
            except HttpError as error:
                response = error_response(error)
            if isinstance(response, FileResponse):
                await respond_file(send, response, head=head)
                status = 200
            else:
                await respond(send, response, head=head)
                status = response.status
        except ClientGone:
            status = 499
        self._hub.metrics.observe(route_name, status, perf_counter() - began)

    async def _handle(self, route: Route, request: Request) -> Response | FileResponse:
        """Check the token, run the handler, and turn the states of the hub into answers."""
        handler = route.handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            allowed = ", ".join(sorted({*route.handlers, *(["HEAD"] if "GET" in route.handlers else [])}))
            raise HttpError(405, f"this URL takes {allowed}", ((b"allow", allowed.encode()),))
        if handler.roles is not None:
            self._hub.access.check(request.header(b"authorization"), _caller(route, request), handler.roles)
        try:
            return await handler.run(self._hub, request)
        except Overloaded as error:
            raise HttpError(429, "too many writes wait for the disk: send again in a second", _SOON) from error
        except DiskFull as error:
            raise HttpError(
                507,
                "the hub's volume is full and nothing of this was kept: enlarge the volume, then send again",
                _LATER,
            ) from error
        except Stopped as error:
            raise HttpError(503, "the hub is shutting down: send again in a second", _SOON) from error
        except OverflowError as error:
            raise HttpError(400, "a number of this request is larger than 64 bits") from error
        except (ClientGone, HttpError):
            raise
        except Exception as error:
            logger.exception("a request failed", extra={"route": route.name})
            raise HttpError(500, "the hub failed at this request; its log has the reason", _SOON) from error


def _caller(route: Route, request: Request) -> str:
    """Return the model whose token the request has to have."""
    named = request.header(b"x-evermodel-model") or ""
    match route.caller:
        case Caller.PATH:
            return request.arguments[0]
        case Caller.PATH_OR_NAMESPACE:
            asked = request.arguments[0]
            if named not in {asked, ANY_MODEL}:
                raise HttpError(403, f"this is about {asked}: the header x-evermodel-model says {asked} or *")
            return named
        case Caller.HEADER:
            if not named:
                raise HttpError(401, "say whose token it is: the header x-evermodel-model names the model")
            return named
        case _:
            assert_never(route.caller)
