"""A web server with a drain before its shutdown."""

import asyncio
import logging
import socket
from typing import Protocol

import uvicorn

from evermodel_runtime.serve.connection import Answering, HttpConnection
from evermodel_runtime.serve.readiness import Readiness
from evermodel_runtime.web import WebServer, web_config

SETTLE_SECONDS = 3.0
"""Time in which kube-proxy on every node takes the pod out of its Service, with room to spare."""
IN_FLIGHT_SECONDS = 15
KEEP_ALIVE_SECONDS = 120
"""Longer than any usual client keeps an idle connection, so that the client and not the pod closes it."""

log = logging.getLogger(__name__)


class Beside(Protocol):
    """Another way in, which ends when this one ends."""

    settle_seconds: float
    """How long after the signal to stop its callers may still be there."""

    async def stop(self) -> None:
        """Finish what is in flight, and end."""


class DrainingServer(WebServer):
    """Goes on accepting and answering for a while after it was told to stop.

    When a pod is deleted, it gets SIGTERM at the same time as its removal from the Service begins: connections keep
    coming until every node knows. Answers carry ``Connection: close`` meanwhile, so that clients with kept connections
    open their next one elsewhere.
    """

    def __init__(self, config: uvicorn.Config, readiness: Readiness, drain_seconds: float) -> None:
        super().__init__(config)
        self._readiness = readiness
        self._drain_seconds = drain_seconds
        self._drain_began: float | None = None
        self.beside: Beside | None = None

    def stop(self) -> None:
        """Start to drain; the second call ends it at once."""
        if self._drain_began is not None:
            self.should_exit = True
            return
        self._drain_began = asyncio.get_running_loop().time()
        log.info(
            "draining",
            extra={"seconds": self._drain_seconds, "connections": len(self.server_state.connections)},
        )
        if self._readiness.reason is not None:
            self.should_exit = True  # it never was ready: no Service sends anything here
        self._readiness.drain()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what is in flight, and end."""
        if self.beside is None:
            await super().shutdown(sockets)
        else:
            await asyncio.gather(super().shutdown(sockets), self.beside.stop())

    async def on_tick(self, counter: int) -> bool:
        """Tell, ten times a second, whether it is time to stop."""
        return await super().on_tick(counter) or self._drained()

    def _drained(self) -> bool:
        if self._drain_began is None:
            return False
        elapsed = asyncio.get_running_loop().time() - self._drain_began
        if elapsed >= self._drain_seconds:
            return True
        settle_seconds = SETTLE_SECONDS if self.beside is None else self.beside.settle_seconds
        return elapsed >= settle_seconds and not self.server_state.connections


def make_server(app: Answering, host: str, port: int, readiness: Readiness, drain_seconds: float) -> DrainingServer:
    """Make the web server of a serving pod."""
    config = web_config(
        app,
        host=host,
        port=port,
        http=HttpConnection,
        lifespan="off",
        keep_alive_seconds=KEEP_ALIVE_SECONDS,
        grace_seconds=IN_FLIGHT_SECONDS,
    )
    return DrainingServer(config, readiness, drain_seconds)
