"""Labels and heartbeats in, quality out."""

from __future__ import annotations

from collections import Counter

import msgspec

from evermodel.contract import (
    Capture,
    FeedbackRequest,
    FeedbackResponse,
    Heartbeat,
    HeartbeatReply,
    LabelResult,
    LabelStatus,
    QualityQuery,
)
from evermodel_runtime.hub.bins import LARGEST, AddBins
from evermodel_runtime.hub.core import Hub
from evermodel_runtime.hub.http import HttpError, Request, Response, decode
from evermodel_runtime.hub.labelling import answered, check_labels
from evermodel_runtime.hub.ledger import AcceptLabels, NewLabel
from evermodel_runtime.hub.operations import EnsureDetector
from evermodel_runtime.hub.reading import read_quality, replay_if_new
from evermodel_runtime.hub.routes.drift import drift_of, in_short
from evermodel_runtime.hub.traffic import CountHeartbeat, HeartbeatCounted, NewCapture
from evermodel_runtime.quality.detector import DetectorSettings
from evermodel_runtime.quality.prediction_id import Issued

_FEEDBACK = msgspec.json.Decoder(FeedbackRequest)
_HEARTBEAT = msgspec.json.Decoder(Heartbeat)
_QUALITY = msgspec.json.Decoder(QualityQuery)


async def post_feedback(hub: Hub, request: Request) -> Response:
    """Take labels; the answer comes when those accepted are on disk."""
    model = request.arguments[0]
    rows = decode(_FEEDBACK, await request.body(hub.settings.max_body_bytes)).labels
    now = hub.clock()
    checked = await check_labels(hub, model, rows, now)
    labels = tuple(row for row in checked if isinstance(row, NewLabel))
    first = iter(await hub.writer.submit(AcceptLabels(model, now, labels)) if labels else ())
    results = tuple(
        row if isinstance(row, LabelResult) else answered(given.id, row, next(first))
        for given, row in zip(rows, checked, strict=True)
    )
    tally = Counter(result.status.value for result in results)
    hub.metrics.count_labels(model, tally)
    answer = FeedbackResponse(results=results, accepted=tally[LabelStatus.ACCEPTED])
    return Response(msgspec.json.encode(answer))


async def post_heartbeat(hub: Hub, request: Request) -> Response:
    """Count what a pod did since its last heartbeat, and keep its captures."""
    model = request.arguments[0]
    heartbeat = decode(_HEARTBEAT, await request.body(hub.settings.max_body_bytes))
    captures = [known for capture in heartbeat.captures if (known := _known(hub, model, capture)) is not None]
    operation = CountHeartbeat(
        model=model,
        at=hub.clock(),
        pod=heartbeat.pod,
        version=heartbeat.version,
        predictions=heartbeat.predictions,
        errors=heartbeat.errors,
        captures=tuple(captures),
        captures_kept=hub.settings.captures_kept,
        rules=heartbeat.rules,
    )
    bins = _bins(hub, model, heartbeat)
    counted: HeartbeatCounted = await hub.writer.submit(operation)
    if bins is not None:
        await hub.writer.submit(bins)
    hub.metrics.predictions.labels(model).inc(counted.predictions)
    hub.metrics.captures.labels(model).inc(counted.captures)
    hub.metrics.captures_dropped.labels(model).inc(counted.dropped)
    hub.metrics.captures_refused.labels(model).inc(len(heartbeat.captures) - len(captures))
    return Response(msgspec.json.encode(HeartbeatReply(stored=len(captures))))


def _known(hub: Hub, model: str, capture: Capture) -> NewCapture | None:
    issued = hub.access.signer(model).verify(capture.id)
    if not isinstance(issued, Issued):
        return None
    row = msgspec.json.encode(capture.row)
    if capture.caller is None:
        return NewCapture(issued.key, issued.version, issued.at, row)
    caller = hub.access.caller_key(model, capture.caller)
    return NewCapture(issued.key, issued.version, issued.at, row, caller, capture.id)


def _bins(hub: Hub, model: str, heartbeat: Heartbeat) -> AddBins | None:
    """Return what is to be added of a heartbeat's bins; nothing where the hub lacks what they are counted over."""
    bins = heartbeat.bins
    reference = None if bins is None else hub.references.find(bins.reference)
    if bins is None or reference is None or len(bins.counts) != reference.width:
        return None
    totals = (bins.requests, bins.refused, *bins.counts)
    if min(totals) < 0 or max(totals) > LARGEST:
        return None
    return AddBins(
        model=model,
        at=hub.clock(),
        pod=heartbeat.pod,
        version=heartbeat.version,
        reference=bins.reference,
        totals=totals,
    )


async def post_quality(hub: Hub, request: Request) -> Response:
    """Answer how a version does, and watch it from its first label on."""
    model = request.arguments[0]
    query = decode(_QUALITY, await request.body(hub.settings.max_body_bytes))
    if query.window < 1 or query.label_delay < 0:
        raise HttpError(400, "window must be at least 1 and labelDelay must not be negative")
    try:
        settings = DetectorSettings(
            threshold=query.threshold,
            tolerance=query.tolerance,
            false_alarm_every=query.false_alarm_every,
            measure=query.measure,
        )
    except ValueError as error:
        raise HttpError(400, str(error)) from error
    replayed = await hub.reader.ask(lambda connection: replay_if_new(connection, model, query.version, settings))
    if replayed is not None:
        await hub.writer.submit(EnsureDetector(model, query.version, *replayed))
    now = hub.clock()
    quality = await hub.reader.ask(lambda connection: read_quality(connection, model, query, settings, now))
    if query.drift is not None:
        drift = await drift_of(hub, model, query.version, query.drift)
        hub.metrics.show_drift(model, drift)
        quality = msgspec.structs.replace(quality, drift=None if drift is None else in_short(drift))
    return Response(msgspec.json.encode(quality))
