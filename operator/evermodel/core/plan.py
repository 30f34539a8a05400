"""The decision: everything that was observed in, everything to do and to say out.

Each phase adds what it wants done, from what is there and never from what was done before, so that a plan after a crash
at any point goes on to the same end. The status reports only what was observed: what is planned shows in the next one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from evermodel.api.modelversion import VersionPhase
from evermodel.core import facts
from evermodel.core.actions import Plan
from evermodel.core.builders import Builders
from evermodel.core.durations import parse_duration
from evermodel.core.events import events
from evermodel.core.observed import Observed, VersionView
from evermodel.core.phases import (
    evaluation,
    history,
    hub,
    jobs,
    monitoring,
    offline,
    retraining,
    rollout,
    scaling,
    superseding,
    training,
    workers,
)
from evermodel.core.phases.status import status
from evermodel.core.questions import current_quality, quality_query
from evermodel.core.step import NOTHING, Step

SOONEST = timedelta(seconds=1)
"""No plan asks to be made again earlier than this: what is due at once was done at once."""


def plan(observed: Observed, now: datetime, build: Builders) -> Plan:
    """Decide what to do, what to say and when to look again.

    Parameters
    ----------
    observed : Observed
        One look at everything that concerns one ModelDeployment.
    now : datetime
        The time, with its zone.
    build : Builders
        How manifests are written: ``evermodel.resources.BUILDERS``.
    """
    if observed.model.deleting:  # owner references clean up
        return Plan(actions=(), status=observed.model.status)
    steps = _steps(observed, now, build)
    written = status(observed, now, build)
    return Plan(
        actions=tuple(action for step in steps for action in step.actions),
        status=written,
        events=events(observed, written),
        requeue_after=_requeue_after(observed, steps, now),
    )


def _steps(observed: Observed, now: datetime, build: Builders) -> tuple[Step, ...]:
    """Go through the phases in the order in which their actions are done.

    What serves comes first: a hub that cannot be applied must not keep the champion from being repaired. What needs the
    hub comes after it: a promotion is recorded there.
    """
    return (
        rollout.serve(observed, build),
        hub.step(observed),
        _run(observed, now, build),
        rollout.promote(observed, build, now),
        superseding.clean_up(observed, now),
        _begin(observed, now),
        rollout.drain(observed, now),
        offline.step(observed, now),
        history.step(observed),
        workers.begin(observed),
    )


def _begin(observed: Observed, now: datetime) -> Step:
    """Take up a rejected version that the changed rules let through; else begin a run when there is a reason."""
    judged = evaluation.judge_again(observed)
    return judged if judged.actions else retraining.step(observed, now)


def _run(observed: Observed, now: datetime, build: Builders) -> Step:
    version = facts.active(observed)
    if version is None or version.deleting:
        return NOTHING
    if superseding.is_outdated(observed, version):
        return superseding.supersede(version, now, superseding.why_outdated(observed, version))
    if retraining.overtakes(observed, version, now):
        return superseding.supersede(version, now, superseding.PUT_OFF)
    return _advance(observed, version, now, build)


def _advance(observed: Observed, version: VersionView, now: datetime, build: Builders) -> Step:
    """Take the version that is being made one step further."""
    match version.status.phase:
        case VersionPhase.TRAINING:
            return training.step(observed, version, now)
        case VersionPhase.AWAITING_LABELS:
            return evaluation.wait_for_labels(observed, version, version.status)
        case VersionPhase.EVALUATING:
            return evaluation.step(observed, version, now)
        case VersionPhase.CANDIDATE:
            if not evaluation.still_passes(observed, version):
                return evaluation.withdraw(observed, version)
            return rollout.give_up(observed, version, build, now)
        case (
            VersionPhase.CHAMPION
            | VersionPhase.ARCHIVED
            | VersionPhase.REJECTED
            | VersionPhase.SUPERSEDED
            | VersionPhase.FAILED
        ):
            return NOTHING
        case _:
            assert_never(version.status.phase)


def _requeue_after(observed: Observed, steps: tuple[Step, ...], now: datetime) -> timedelta | None:
    """Return the time to whatever is due first: a poll of the hub, the end of a pause or of a deadline."""
    dues = [step.due for step in steps if step.due is not None]
    if (patient_until := scaling.due(observed, now)) is not None:
        dues.append(patient_until)
    health = monitoring.assess(observed, now)
    if health.due is not None:
        dues.append(health.due)
    query = quality_query(observed)
    if query is not None:
        stale = current_quality(observed) is not None and observed.quality_query not in {None, query}
        dues.append(now + (jobs.SOON if stale else parse_duration(observed.model.spec.monitoring.interval)))
    return max(min(dues) - now, SOONEST) if dues else None
