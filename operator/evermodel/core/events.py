"""Events as the difference of two statuses: one for each transition, none for a repetition, none that status denies."""

from __future__ import annotations

from collections.abc import Iterator

from evermodel.api.conditions import Condition, ConditionStatus, ConditionType, Reason
from evermodel.api.modeldeployment import ModelDeploymentStatus, RetrainingMode, RetrainingTrigger
from evermodel.contract import FailureReason
from evermodel.core import facts
from evermodel.core.actions import Event, EventType
from evermodel.core.conditions import find
from evermodel.core.observed import Observed
from evermodel.core.phases import changed_data, scheduling

_TURNING_POINTS = frozenset(
    {Reason.WOULD_RETRAIN, Reason.RETRAINING_EXHAUSTED, Reason.NOTHING_NEW, Reason.NO_ESTIMATOR}
)
"""Reasons of Healthy=False that tell a person to act: said once more than the alarm itself."""
_REASONS: dict[str, Reason | FailureReason] = {
    **{reason.value: reason for reason in Reason},
    **{reason.value: reason for reason in FailureReason},
}


def events(observed: Observed, status: ModelDeploymentStatus) -> tuple[Event, ...]:
    """Return what to announce once the status is written, in the order of the loop."""
    known = observed.model.status
    found = (
        _healthy(known, status),
        _offline(known, status),
        _turned(known, status, ConditionType.STABLE),
        _turned(known, status, ConditionType.DATA_QUALITY),
        _turned(known, status, ConditionType.AUTOSCALED),
        _drift_would_have_begun(observed, known, status),
        _run_started(observed, known, status),
        *_warned(observed, known, status),
        _run_ended(known, status),
        _promoted(observed, known, status),
        _would_have_begun(observed, known, status),
        _new_data_would_have_begun(observed, known, status),
        _pin_not_found(known, status),
    )
    return tuple(event for event in found if event is not None)


def _run_started(observed: Observed, known: ModelDeploymentStatus, status: ModelDeploymentStatus) -> Event | None:
    if status.candidate is None:
        return None
    number = status.candidate.version
    if known.candidate is not None and known.candidate.version == number:
        return None
    version = facts.version_of(observed, number)
    if version is None:
        return None
    if version.status.finished_at is not None and version.spec.adopted_manifest is None:
        message = f"Version {number} passes the gate by the changed rules: {version.status.message}"
        return _event(EventType.NORMAL, Reason.PROGRESSING, message)
    what = "is adopted" if version.spec.adopted_manifest is not None else "is being made"
    trigger = version.spec.trigger
    return _event(EventType.NORMAL, trigger.reason, f"Version {number} {what}: {trigger.message}")


def _warned(observed: Observed, known: ModelDeploymentStatus, status: ModelDeploymentStatus) -> Iterator[Event]:
    """Announce what a training warns of, once: a version that the changed rules let through was warned of before."""
    candidate, before = status.candidate, known.candidate
    if candidate is None:
        return
    told = before.warnings if before is not None and before.version == candidate.version else ()
    version = facts.version_of(observed, candidate.version)
    if version is None or version.status.finished_at is not None:
        return
    for warning in (one for one in candidate.warnings if one not in told):
        message = f"Version {candidate.version}: {warning}"
        yield _event(EventType.WARNING, Reason.TRAINING_WARNING, message)


def _run_ended(known: ModelDeploymentStatus, status: ModelDeploymentStatus) -> Event | None:
    """Announce a run without a model; a promotion is announced when traffic has moved."""
    before, after = find(known.conditions, ConditionType.TRAINED), find(status.conditions, ConditionType.TRAINED)
    if after is None or after.status is not ConditionStatus.FALSE or (before and before.message == after.message):
        return None
    return _event(EventType.WARNING, after.reason, after.message)


def _promoted(observed: Observed, known: ModelDeploymentStatus, status: ModelDeploymentStatus) -> Event | None:
    if status.champion is None:
        return None
    before = (known.champion.version, known.champion.promoted_at) if known.champion is not None else None
    if before == (status.champion.version, status.champion.promoted_at):
        return None
    version = facts.version_of(observed, status.champion.version)
    why = version.status.message if version is not None else ""
    return _event(EventType.NORMAL, Reason.PROMOTED, f"Version {status.champion.version} takes traffic: {why}")


def _would_have_begun(observed: Observed, known: ModelDeploymentStatus, status: ModelDeploymentStatus) -> Event | None:
    """Say in mode Observe that a time of the schedule has passed."""
    before, after = known.retraining.next_scheduled_time, status.retraining.next_scheduled_time
    retraining = observed.model.spec.retraining
    same_spec = known.observed_generation == status.observed_generation
    passed = same_spec and before is not None and after is not None and before < after
    if not passed or retraining.mode is not RetrainingMode.OBSERVE or scheduling.nothing_can_be_new(observed):
        return None
    message = f"The schedule {retraining.schedule} called for a run at {before}: mode Observe keeps it from starting."
    return _event(EventType.NORMAL, Reason.WOULD_RETRAIN, message)


def _new_data_would_have_begun(
    observed: Observed, known: ModelDeploymentStatus, status: ModelDeploymentStatus
) -> Event | None:
    """Say in mode Observe that the source has new content."""
    message = status.retraining.data_changed
    if not message or message == known.retraining.data_changed or changed_data.new_content(observed) is None:
        return None
    if observed.model.spec.retraining.mode is not RetrainingMode.OBSERVE:
        return None
    return _event(EventType.NORMAL, Reason.WOULD_RETRAIN, message)


def _healthy(known: ModelDeploymentStatus, status: ModelDeploymentStatus) -> Event | None:
    before, after = find(known.conditions, ConditionType.HEALTHY), find(status.conditions, ConditionType.HEALTHY)
    if after is None:
        return None
    was_false = before is not None and before.status is ConditionStatus.FALSE
    if after.status is ConditionStatus.FALSE:
        if was_false and (before is None or before.reason == after.reason or after.reason not in _TURNING_POINTS):
            return None
        reason = after.reason if after.reason in _TURNING_POINTS else Reason.BELOW_THRESHOLD
        return _event(EventType.WARNING, reason, after.message)
    if was_false and after.status is ConditionStatus.TRUE:
        return _event(EventType.NORMAL, Reason.ABOVE_THRESHOLD, after.message)
    return None


def _offline(known: ModelDeploymentStatus, status: ModelDeploymentStatus) -> Event | None:
    """Announce what production records show to be missed, that it holds again, and Jobs that fail: each once."""
    kind = ConditionType.OFFLINE_HEALTHY
    before, after = find(known.conditions, kind), find(status.conditions, kind)
    if after is None or (before is not None and before.reason == after.reason):
        return None
    if after.status is ConditionStatus.FALSE or after.reason == Reason.OFFLINE_FAILED:
        return _event(EventType.WARNING, after.reason, after.message)
    was_false = before is not None and before.status is ConditionStatus.FALSE
    if was_false and after.status is ConditionStatus.TRUE:
        return _event(EventType.NORMAL, Reason.ABOVE_THRESHOLD, after.message)
    return None


def _turned(known: ModelDeploymentStatus, status: ModelDeploymentStatus, kind: ConditionType) -> Event | None:
    """Announce that a condition became false, and that it is true again."""
    before, after = find(known.conditions, kind), find(status.conditions, kind)
    was_false = before is not None and before.status is ConditionStatus.FALSE
    if after is None or was_false == (after.status is ConditionStatus.FALSE):
        return None
    if not was_false:
        return _event(EventType.WARNING, after.reason, after.message)
    return _event(EventType.NORMAL, after.reason, after.message) if after.status is ConditionStatus.TRUE else None


def _drift_would_have_begun(
    observed: Observed, known: ModelDeploymentStatus, status: ModelDeploymentStatus
) -> Event | None:
    """Say in mode Observe that columns began to drift."""
    drift, retraining = _turned(known, status, ConditionType.STABLE), observed.model.spec.retraining
    asked = retraining.mode is RetrainingMode.OBSERVE and RetrainingTrigger.DRIFT in retraining.triggers
    if drift is None or drift.type is not EventType.WARNING or not asked:
        return None
    return _event(EventType.NORMAL, Reason.WOULD_RETRAIN, drift.message)


def _pin_not_found(known: ModelDeploymentStatus, status: ModelDeploymentStatus) -> Event | None:
    before: Condition | None = find(known.conditions, ConditionType.STALLED)
    after = find(status.conditions, ConditionType.STALLED)
    if after is None or after.reason != Reason.PIN_NOT_FOUND or (before and before.message == after.message):
        return None
    return _event(EventType.WARNING, after.reason, after.message)


def _event(kind: EventType, reason: str, message: str) -> Event:
    return Event(type=kind, reason=_REASONS.get(reason, Reason.RUN_FAILED), message=message)
