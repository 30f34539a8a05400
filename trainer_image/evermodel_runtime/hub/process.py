"""The hub's process: settings, web server, signals."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
import uvloop

from evermodel_runtime.hub.app import HubApp
from evermodel_runtime.hub.core import Hub
from evermodel_runtime.hub.schema import VolumeError
from evermodel_runtime.hub.settings import HubSettings, SettingsError, read_settings

logger = logging.getLogger("evermodel_runtime.hub")
BACKLOG = 2048
GRACE_SECONDS = 20
"""For requests under way at SIGTERM; below the pod's terminationGracePeriodSeconds."""
SWITCH_SECONDS = 0.001
"""The writer's thread asks for the interpreter after each commit; at Python's 5 ms it would wait longer than a disk."""


class _Server(uvicorn.Server):
    """A server that ends with the process's own exit code: uvicorn would raise the signal again after its shutdown."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True


async def serve(settings: HubSettings) -> int:
    """Serve until told to stop, then finish what is under way and close the database; returns the exit code."""
    config = uvicorn.Config(
        HubApp(Hub.on_volume(settings, time.time)),
        host=settings.host,
        port=settings.port,
        http="httptools",
        ws="none",
        lifespan="on",
        interface="asgi3",
        access_log=False,
        server_header=False,
        date_header=False,
        log_config=None,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config)
    await server.serve()
    return 0 if server.started else 1


def main() -> int:
    """Run the hub; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        settings = read_settings(os.environ)
        return int(uvloop.run(serve(settings)))
    except (SettingsError, VolumeError) as error:
        print(f"the hub cannot start: {error}", file=sys.stderr, flush=True)
        return 1
