"""Which labels can be taken, and what is said of each: by its id, issued or a caller's own, its age and its text."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from evermodel.contract import LONGEST_CALLER_ID, FeedbackRow, LabelResult, LabelStatus, label_text
from evermodel_runtime.hub.callers import read_issued
from evermodel_runtime.hub.core import Hub
from evermodel_runtime.hub.ledger import NewLabel
from evermodel_runtime.hub.settings import DAY
from evermodel_runtime.quality.outcomes import as_number
from evermodel_runtime.quality.prediction_id import Issued, Refusal, Signer, compact_label

LONGEST_TEXT = 4096
"""Characters of a label."""
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


async def check_labels(hub: Hub, model: str, rows: Sequence[FeedbackRow], now: float) -> list[NewLabel | LabelResult]:
    """Return each label as the ledger takes it, or why it cannot be taken."""
    signer = hub.access.signer(model)
    checked: list[NewLabel | LabelResult] = []
    for start in range(0, len(rows), _AT_ONCE):
        if start:
            await asyncio.sleep(0)
        some = rows[start : start + _AT_ONCE]
        answers = [_check(hub, signer, row, now) for row in some]
        await _find_callers(hub, model, some, answers, now)
        checked.extend(answers)
    return checked


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


def answered(given_id: str, label: NewLabel, first: str | None) -> LabelResult:
    """Return what became of a label, of which ``first`` is the one that came before, if any."""
    if first is None:
        return LabelResult(id=given_id, status=LabelStatus.ACCEPTED)
    if first == label.label:
        message = "this prediction has this label already; it counts once"
    else:
        message = f"this prediction was labelled {first[:64]!r} before, which was kept: the first label counts"
    return LabelResult(id=given_id, status=LabelStatus.DUPLICATE, message=message)
