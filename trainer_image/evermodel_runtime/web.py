"""The web server of the hub and of serving pods: uvicorn with what both want of it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import uvicorn

BACKLOG = 2048


class WebServer(uvicorn.Server):
    """A server whose ``stop`` is what SIGTERM and SIGINT do, and which ends with the process's own exit code.

    uvicorn's own handlers would shut down at once, and raise the signal again after that.
    """

    def stop(self) -> None:
        """Take no more connections, finish what is under way, and end."""
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Hand the signals to ``stop`` for as long as the event loop runs."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        yield


def web_config(
    app: Any,
    *,
    host: str,
    port: int,
    lifespan: Literal["on", "off"],
    keep_alive_seconds: int,
    grace_seconds: int,
    http: Literal["httptools"] | type[asyncio.Protocol] = "httptools",
) -> uvicorn.Config:
    """Configure a server.

    Parameters
    ----------
    app : ASGI application, or what ``http`` asks
        What answers.
    lifespan : on or off
        Whether ``app`` wants to be told of start and end.
    keep_alive_seconds : int
        How long an idle connection is kept.
    grace_seconds : int
        How long requests under way may take after the server was stopped.
    http : httptools, or a class of connections
        What reads requests: uvicorn makes one for each connection.
    """
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        interface="asgi3",
        http=http,
        ws="none",
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=keep_alive_seconds,
        timeout_graceful_shutdown=grace_seconds,
    )
