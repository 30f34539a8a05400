"""For the kubelet and Prometheus."""

from __future__ import annotations

import shutil

from evermodel_runtime.hub.core import Hub
from evermodel_runtime.hub.http import TEXT, HttpError, Request, Response
from evermodel_runtime.hub.reading import count_alarms_and_records


async def live(hub: Hub, _request: Request) -> Response:
    """Answer 200 unless a restart is what helps."""
    if hub.writer.failed:
        raise HttpError(503, "the hub's writer has failed: restart the hub")
    return Response(b'{"status":"live"}')


async def ready(hub: Hub, _request: Request) -> Response:
    """Answer 200 while labels can be written."""
    if not hub.writer.alive:
        raise HttpError(503, "the hub is not writing: it is shutting down or its writer has failed")
    return Response(b'{"status":"ready"}')


async def metrics(hub: Hub, _request: Request) -> Response:
    """Answer all figures."""
    alarms, records = await hub.reader.ask(count_alarms_and_records)
    volume = shutil.disk_usage(hub.settings.data)
    text = hub.metrics.expose(
        alarms=alarms,
        records=records,
        writes_waiting=hub.writer.waiting,
        volume_free=volume.free,
        volume_size=volume.total,
    )
    return Response(text, content_type=TEXT)
