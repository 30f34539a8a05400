"""The hub's process: settings, web server, signals."""

from __future__ import annotations

import logging
import os
import sys
import time

import uvloop

from evermodel_runtime.hub.app import HubApp
from evermodel_runtime.hub.core import Hub
from evermodel_runtime.hub.settings import HubSettings, SettingsError, read_settings
from evermodel_runtime.hub.volume import VolumeError
from evermodel_runtime.web import WebServer, web_config

logger = logging.getLogger("evermodel_runtime.hub")
KEEP_ALIVE_SECONDS = 5
GRACE_SECONDS = 20
"""For requests under way at SIGTERM; below the pod's terminationGracePeriodSeconds."""
SWITCH_SECONDS = 0.001
"""The writer's thread asks for the interpreter after each commit; at Python's 5 ms it would wait longer than a disk."""


async def serve(settings: HubSettings) -> int:
    """Serve until told to stop, then finish what is under way and close the database; returns the exit code."""
    config = web_config(
        HubApp(Hub.on_volume(settings, time.time)),
        host=settings.host,
        port=settings.port,
        lifespan="on",
        keep_alive_seconds=KEEP_ALIVE_SECONDS,
        grace_seconds=GRACE_SECONDS,
    )
    server = WebServer(config)
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
