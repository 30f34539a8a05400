"""Captured rows that are to be erased."""

from __future__ import annotations

import msgspec

from evermodel.contract import Erased, Erasure
from evermodel_runtime.hub.core import Hub
from evermodel_runtime.hub.erasing import EraseRow
from evermodel_runtime.hub.http import HttpError, Request, Response, decode
from evermodel_runtime.quality.prediction_id import Refusal

_ERASURE = msgspec.json.Decoder(Erasure)


async def post_erasure(hub: Hub, request: Request) -> Response:
    """Erase one row; the answer comes when its bytes are gone from the disk."""
    model = request.arguments[0]
    erasure = decode(_ERASURE, await request.body(hub.settings.max_body_bytes))
    issued = hub.access.signer(model).verify(erasure.id)
    if isinstance(issued, Refusal):
        raise HttpError(404, "no prediction of this model has the id: send it as the prediction's answer gave it")
    erased: int = await hub.writer.submit(EraseRow(model, hub.clock(), issued.key))
    hub.metrics.captures_erased.labels(model).inc(erased)
    return Response(msgspec.json.encode(Erased(rows=erased)))
