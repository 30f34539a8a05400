"""Labels and heartbeats in, quality out."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import msgspec

from evermodel.contract import (
    LONGEST_CALLER_ID,
    Capture,
    FeedbackRequest,
    FeedbackResponse,
    FeedbackRow,
    Heartbeat,
    HeartbeatReply,
    LabelResult,
    LabelStatus,
    QualityQuery,
    label_text,
)
from evermodel_runtime.hub.bins import LARGEST, AddBins
from evermodel_runtime.hub.callers import read_issued
from evermodel_runtime.hub.core import Hub
from evermodel_runtime.hub.http import HttpError, Request, Response, decode
from evermodel_runtime.hub.ledger import AcceptLabels, NewLabel
from evermodel_runtime.hub.operations import EnsureDetector
from evermodel_runtime.hub.reading import read_quality, replay_if_new
from evermodel_runtime.hub.routes.drift import drift_of, in_short
from evermodel_runtime.hub.settings import DAY
from evermodel_runtime.hub.traffic import CountHeartbeat, HeartbeatCounted, NewCapture
from evermodel_runtime.quality.detector import DetectorSettings
from evermodel_runtime.quality.outcomes import as_number
from evermodel_runtime.quality.prediction_id import Issued, Refusal, Signer, compact_label

LONGEST_TEXT = 4096
"""Characters of a label."""
_FEEDBACK = msgspec.json.Decoder(FeedbackRequest)
_HEARTBEAT = msgspec.json.Decoder(Heartbeat)
_QUALITY = msgspec.json.Decoder(QualityQuery)
_AT_ONCE = 500
"""Ids that are verified before other requests have their turn: about 2 ms."""

_REFUSALS = {
    Refusal.FORGED: (
        LabelStatus.FORGED,
        "this id was not issued with a prediction: send the id exactly as the prediction's answer gave it",
    ),
    Refusal.FOREIGN: (
        LabelStatus.FOREIGN,
        "this id belongs to a prediction of another model: send the label to that model's feedback URL",
    ),
}

_AMBIGUOUS = (
    "predictions that differ in row, version or answer have this id: send the label by the id that the prediction's "
    "answer gave, and give each row an id of its own"
)
_UNKNOWN = (
    "no captured prediction has this id: rows take some seconds to come, so send the label again; they go by "
    "monitoring.capture.maxAge and maxRecords, and the answer's own id holds for longer"
)


async def post_feedback(hub: Hub, request: Request) -> Response:
    """Take labels; the answer comes when those accepted are on disk."""
    model = request.arguments[0]
    rows = decode(_FEEDBACK, await request.body(hub.settings.max_body_bytes)).labels
    now = hub.clock()
    signer = hub.access.signer(model)
    checked: list[NewLabel | LabelResult] = []
    for start in range(0, len(rows), _AT_ONCE):
        if start:
            await asyncio.sleep(0)
        checked.extend(_check(hub, signer, row, now) for row in rows[start : start + _AT_ONCE])
    await _find_callers(hub, model, rows, checked, now)
    labels = tuple(row for row in checked if isinstance(row, NewLabel))
    first = iter(await hub.writer.submit(AcceptLabels(model, now, labels)) if labels else ())
    results = tuple(
        row if isinstance(row, LabelResult) else _result(given.id, row, next(first))
        for given, row in zip(rows, checked, strict=True)
    )
    tally = Counter(result.status.value for result in results)
    hub.metrics.count_labels(model, tally)
    answer = FeedbackResponse(results=results, accepted=tally[LabelStatus.ACCEPTED])
    return Response(msgspec.json.encode(answer))


async def _find_callers(
    hub: Hub, model: str, rows: Sequence[FeedbackRow], checked: list[NewLabel | LabelResult], now: float
) -> None:
    """Read the ids that were not issued as what callers call their rows, where the model takes these."""
    keys = {
        place: hub.access.caller_key(model, rows[place].id)
        for place, row in enumerate(checked)
        if isinstance(row, LabelResult) and row.status is LabelStatus.FORGED and len(row.id) <= LONGEST_CALLER_ID
    }
    if not keys:
        return
    signer = hub.access.signer(model)
    found = await hub.reader.ask(lambda connection: read_issued(connection, model, [*set(keys.values())], signer))
    if found is None:
        return
    for place, key in keys.items():
        row, issued = rows[place], found[key]
        if len(issued) == 1:
            label = _check(hub, signer, FeedbackRow(id=issued[0], label=row.label), now)
            checked[place] = label if isinstance(label, NewLabel) else msgspec.structs.replace(label, id=row.id)
        elif issued:
            checked[place] = LabelResult(id=row.id, status=LabelStatus.AMBIGUOUS, message=_AMBIGUOUS)
        else:
            checked[place] = LabelResult(id=row.id, status=LabelStatus.UNKNOWN, message=_UNKNOWN)


def _check(hub: Hub, signer: Signer, row: FeedbackRow, now: float) -> NewLabel | LabelResult:
    """Read the id of one label, or say why it cannot be taken."""
    issued = signer.verify(row.id)
    if isinstance(issued, Refusal):
        status, message = _REFUSALS[issued]
        return LabelResult(id=row.id, status=status, message=message)
    settings = hub.settings
    age = now - issued.at
    if age > settings.label_max_age:
        limit = f"{settings.label_max_age / DAY:g} days"
        message = f"the prediction is {age / DAY:.1f} days old and labels are taken for {limit}: send labels earlier"
        return LabelResult(id=row.id, status=LabelStatus.EXPIRED, message=message)
    if age < -settings.clock_skew:
        message = f"the prediction lies {-age:.0f} s in the future: correct the clocks of the nodes"
        return LabelResult(id=row.id, status=LabelStatus.INVALID, message=message)
    if isinstance(issued.predicted, float):
        return _number(row, issued, issued.predicted)
    text = label_text(row.label)
    if len(text) > LONGEST_TEXT:
        message = f"the label has {len(text):,} characters: at most {LONGEST_TEXT:,} are taken"
        return LabelResult(id=row.id, status=LabelStatus.INVALID, message=message)
    correct = compact_label(text) == issued.predicted
    return NewLabel(issued.key, issued.version, issued.at, text, correct, issued.predicted)


def _number(row: FeedbackRow, issued: Issued, predicted: float) -> NewLabel | LabelResult:
    """Read the label of a number that was predicted."""
    number = as_number(row.label)
    if number is None:
        shown = str(row.label)[:64]
        message = f"the label {shown!r} is no finite number within 32-bit floats: this model predicts numbers"
        return LabelResult(id=row.id, status=LabelStatus.INVALID, message=message)
    return NewLabel(issued.key, issued.version, issued.at, label_text(number), number == predicted, repr(predicted))


def _result(given_id: str, label: NewLabel, first: str | None) -> LabelResult:
    if first is None:
        return LabelResult(id=given_id, status=LabelStatus.ACCEPTED)
    if first == label.label:
        message = "this prediction has this label already; it counts once"
    else:
        message = f"this prediction was labelled {first[:64]!r} before, which was kept: the first label counts"
    return LabelResult(id=given_id, status=LabelStatus.DUPLICATE, message=message)


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
