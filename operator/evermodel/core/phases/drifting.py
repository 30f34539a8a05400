"""What comes in, compared with what the champion learnt from: it alerts, and starts a run only where that is asked for.

The hub compares; here is what is shown of it, what is said, and when a run begins.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from evermodel.api.conditions import ConditionStatus, ConditionType, Reason
from evermodel.api.modeldeployment import (
    ColumnDrift,
    DataProblem,
    DriftStatus,
    RetrainingMode,
    RetrainingTrigger,
)
from evermodel.contract import STILL, DataProblemKind, Drift
from evermodel.contract import DataProblem as FoundProblem
from evermodel.core import facts
from evermodel.core.conditions import Wanted, find
from evermodel.core.observed import Observed
from evermodel.core.phases import changed_data, scheduling
from evermodel.core.questions import current_quality
from evermodel.core.timestamps import from_epoch, parse_time, rfc3339

REFRESH = timedelta(minutes=10)
"""Figures that moved are written anew after this long, or when what they mean has changed."""
MOST_PROBLEMS = 5
"""As many as the status has room for."""
_SLACK = timedelta(minutes=10)
"""By how much the API server's clock may be behind ours."""


def result(observed: Observed, now: datetime) -> DriftStatus | None:
    """Return the drift that the status shows: the newest figures where they mean something else, or now and then."""
    champion, known = facts.champion(observed), observed.model.status.drift
    if champion is None:
        return None
    if known is not None and known.version != champion.number:
        known = None
    quality = current_quality(observed)
    if quality is None:  # nothing was asked, or nobody answers
        return known
    if quality.drift is None:
        return None
    newest = _shown(observed, quality.drift, known, quality.as_of)
    if known is None or _meaning(known) != _meaning(newest):
        return newest
    read_at = parse_time(known.as_of)
    moved = msgspec.structs.replace(newest, as_of=known.as_of) != known
    return newest if moved and (read_at is None or now - read_at >= REFRESH) else known


def stable(observed: Observed, now: datetime) -> Wanted | None:
    """Say whether columns have drifted; None before there is a window."""
    shown = result(observed, now)
    if shown is None:
        return None
    version, declared = shown.version, observed.model.spec.monitoring.drift
    if not shown.judged:
        message = (
            f"Drift shows in two windows of {declared.window} with {declared.min_samples:,} rows each "
            f"(monitoring.drift), which version {version} has not answered yet."
        )
        return _wanted(ConditionType.STABLE, ConditionStatus.UNKNOWN, Reason.COLLECTING_ROWS, message)
    if not shown.drifted:
        message = f"No column has moved by a PSI of {declared.threshold:g} from what version {version} learnt from."
        return _wanted(ConditionType.STABLE, ConditionStatus.TRUE, Reason.AS_LEARNT, message)
    message = (
        f"{_listed(shown)} moved from what version {version} learnt from, by a PSI of {declared.threshold:g} or more "
        f"in two windows of {declared.window}; {_what_follows(observed)}."
    )
    return _wanted(ConditionType.STABLE, ConditionStatus.FALSE, Reason.DRIFT, message)


def data_quality(observed: Observed, now: datetime) -> Wanted | None:
    """Say whether the data that come are those that the model was made for; None before there is a window."""
    shown = result(observed, now)
    if shown is None:
        return None
    kind = ConditionType.DATA_QUALITY
    if not shown.problems:
        message = f"Values are missing or strange no more often than where version {shown.version} learnt."
        return _wanted(kind, ConditionStatus.TRUE, Reason.AS_LEARNT, message)
    told = "; ".join(_told(problem) for problem in shown.problems)
    message = f"{told[:1].upper()}{told[1:]}. Look at what sends the requests: no run is started for this."
    return _wanted(kind, ConditionStatus.FALSE, Reason.DATA_PROBLEM, message)


def begins(observed: Observed, now: datetime) -> bool:
    """Tell whether drift starts a run now: once from its begin to its end, where retraining.triggers names Drift."""
    since = drifts_since(observed, now)
    if since is None or _why_not(observed) or changed_data.labels_say_when(observed):
        return False
    due = facts.alarm_may_run_at(observed, attempts=0)
    begun = any(
        version.spec.trigger.reason == Reason.DRIFT and version.created_at >= since - _SLACK
        for version in observed.versions
    )
    return not begun and (due is None or due <= now)


def drifts_since(observed: Observed, now: datetime) -> datetime | None:
    """Return since when columns have drifted; None where none has."""
    wanted, known = stable(observed, now), find(observed.model.status.conditions, ConditionType.STABLE)
    if wanted is None or wanted.status is not ConditionStatus.FALSE:
        return None
    if known is None or known.status is not ConditionStatus.FALSE:
        return now
    return parse_time(known.last_transition_time) or now


def _shown(observed: Observed, drift: Drift, known: DriftStatus | None, read_at: float) -> DriftStatus:
    still = STILL * observed.model.spec.monitoring.drift.threshold
    before = () if known is None else known.drifted
    columns = (*drift.features, drift.prediction)
    drifted = [
        column.name
        for column in columns
        if column.drifted
        or (column.name in before and min(column.psi or 0.0, _or(column.psi_before, column.psi)) >= still)
    ]
    values = [column.psi for column in columns if column.psi is not None]
    return DriftStatus(
        version=drift.version,
        largest=round(max(values), 2) if values else None,
        features=tuple(
            ColumnDrift(name=column.name, psi=round(column.psi, 2))
            for column in drift.features
            if column.psi is not None
        ),
        prediction=None if drift.prediction.psi is None else round(drift.prediction.psi, 2),
        drifted=tuple(sorted(set(drifted))),
        problems=tuple(
            DataProblem(
                kind=problem.kind.value,
                column=problem.column,
                share=round(problem.share, 3),
                usual=round(problem.usual, 3),
            )
            for problem in _problems(drift, known)
        ),
        rows=drift.rows,
        judged=drift.judged,
        as_of=rfc3339(from_epoch(read_at)),
    )


def _problems(drift: Drift, known: DriftStatus | None) -> tuple[FoundProblem, ...]:
    """Return what is wrong with the data: what has begun, and of what was told before, what is not over."""
    told = set() if known is None else {(problem.kind, problem.column) for problem in known.problems}
    going_on = [problem for problem in drift.lingering if (problem.kind.value, problem.column) in told]
    found = sorted((*drift.problems, *going_on), key=lambda problem: -problem.share)
    return tuple(found[:MOST_PROBLEMS])


def _or(value: float | None, other: float | None) -> float:
    return (other or 0.0) if value is None else value


def _meaning(shown: DriftStatus) -> object:
    """Return what a person would act on: neither figures nor their order."""
    return shown.judged, shown.drifted, {(problem.kind, problem.column) for problem in shown.problems}


def _listed(shown: DriftStatus) -> str:
    psi = {feature.name: feature.psi for feature in shown.features}
    named = [f"{name} (PSI {psi[name]:g})" if name in psi else f"the {name}" for name in shown.drifted]
    text = f"{', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else named[0]
    return text[:1].upper() + text[1:] if text.startswith("the ") else text


def _what_follows(observed: Observed) -> str:
    return _why_not(observed) or "a run is started for it, once"


def _why_not(observed: Observed) -> str:
    """Say what keeps drift from starting a run at all; empty where nothing does."""
    spec = observed.model.spec
    if RetrainingTrigger.DRIFT not in spec.retraining.triggers:
        return "no run is started for it, since retraining.triggers does not name Drift"
    if spec.retraining.mode is not RetrainingMode.AUTOMATIC:
        return f"retraining.mode {spec.retraining.mode} keeps a run from starting"
    if not facts.can_train(observed):
        return "the model was imported and cannot be retrained: declare spec.training.estimator"
    if scheduling.nothing_can_be_new(observed):
        return "a run would learn from the same rows again: name a source that grows, or set includeFeedback"
    return ""


def _told(problem: DataProblem) -> str:
    share, usual = f"{problem.share:.1%}", f"{problem.usual:.1%}"
    match problem.kind:
        case DataProblemKind.MISSING:
            return f"{problem.column} is missing in {share} of the rows (in training {usual})"
        case DataProblemKind.OUTSIDE:
            return f"{share} of the values of {problem.column} are unlike any in training (usual are {usual})"
        case _:
            return f"{share} of the requests were refused, as the answers to them say"


def _wanted(kind: ConditionType, status: ConditionStatus, reason: Reason, message: str) -> Wanted:
    return Wanted(type=kind, status=status, reason=reason.value, message=message)
