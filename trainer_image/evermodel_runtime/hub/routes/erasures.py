"""Captured rows that are to be erased."""

from __future__ import annotations

import msgspec

from evermodel.contract import LONGEST_CALLER_ID, Erased, Erasure
from evermodel_runtime.hub.callers import takes_caller_ids
from evermodel_runtime.hub.core import Hub
from evermodel_runtime.hub.erasing import EraseCallersRows, EraseRow
from evermodel_runtime.hub.http import HttpError, Request, Response, decode
from evermodel_runtime.quality.prediction_id import Issued, Refusal

_ERASURE = msgspec.json.Decoder(Erasure)


async def post_erasure(hub: Hub, request: Request) -> Response:
    """Erase one row; the answer comes when its bytes are gone from the disk."""
    model = request.arguments[0]
    erasure = decode(_ERASURE, await request.body(hub.settings.max_body_bytes))
    erased: int = await hub.writer.submit(await _operation(hub, model, erasure.id))
    hub.metrics.captures_erased.labels(model).inc(erased)
    return Response(msgspec.json.encode(Erased(rows=erased)))


async def _operation(hub: Hub, model: str, record_id: str) -> EraseRow | EraseCallersRows:
    issued = hub.access.signer(model).verify(record_id)
    if isinstance(issued, Issued):
        return EraseRow(model, hub.clock(), issued.key)
    may_be_a_callers = issued is Refusal.FORGED and len(record_id) <= LONGEST_CALLER_ID
    if may_be_a_callers and await hub.reader.ask(lambda connection: takes_caller_ids(connection, model)):
        return EraseCallersRows(model, hub.clock(), hub.access.caller_key(model, record_id))
    raise HttpError(404, "no prediction of this model has the id: send it as the prediction's answer gave it")
