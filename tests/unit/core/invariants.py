"""What must hold at every moment, whatever happens and wherever the operator ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from evermodel.api.conditions import ConditionStatus, ConditionType
from evermodel.api.modeldeployment import ModelDeploymentStatus
from evermodel.api.modelversion import ACTIVE_PHASES, SERVABLE_PHASES, VersionPhase
from evermodel.core.actions import Plan, WriteVersionStatus
from evermodel.core.names import version_name
from evermodel.core.observed import JobState, Observed, VersionView
from evermodel.core.plan import plan
from evermodel.core.questions import looks_at
from evermodel.resources import BUILDERS

if TYPE_CHECKING:
    from tests.unit.core.world import World

_LIVE = frozenset({JobState.PENDING, JobState.RUNNING})
_TRANSIENT = frozenset({ConditionType.RECONCILING, ConditionType.STALLED})


def after_plan(observed: Observed, decision: Plan, now: datetime) -> None:
    """Check a decision by itself."""
    assert plan(observed, now, BUILDERS) == decision, "the same look gives another plan"
    written = [action.name for action in decision.actions if isinstance(action, WriteVersionStatus)]
    assert len(written) == len(set(written)), "one plan writes a status twice"
    told = replace(observed, model=replace(observed.model, status=decision.status))
    again = plan(told, now, BUILDERS)
    assert again.status == decision.status, "a status that was written leads to another one"
    assert again.events == (), "an Event is repeated"
    assert again.actions == decision.actions, "what is done depends on what was said"


def after_status(known: ModelDeploymentStatus, written: ModelDeploymentStatus) -> None:
    """Check what one write of the status changes."""
    before = {condition.type: condition for condition in known.conditions}
    kinds = [condition.type for condition in written.conditions]
    assert len(kinds) == len(set(kinds))
    assert {ConditionType.READY, ConditionType.HEALTHY, ConditionType.TRAINED} <= set(kinds)
    for condition in written.conditions:
        old = before.get(condition.type)
        if old is not None:
            moved = old.last_transition_time != condition.last_transition_time
            assert not moved or old.status is not condition.status, "a transition time moved without a transition"
        assert condition.type not in _TRANSIENT or condition.status is ConditionStatus.TRUE
    assert len(_TRANSIENT.intersection(kinds)) < 2, "Reconciling and Stalled at once"


def after_action(world: World) -> None:
    """Check the world after one write."""
    running = {job.version for job in world.jobs.values() if job.view.state in _LIVE} | set(world.terminating)
    assert len(running) <= 1, f"versions {sorted(running)} run at once"
    for job in world.jobs.values():
        assert not job.workers or version_name(world.model.key.name, job.version) in world.versions
    active = [version.number for version in world.versions.values() if version.status.phase in ACTIVE_PHASES]
    assert len(active) <= 1, f"versions {sorted(active)} are made at once"
    for alarm, runs in world.attempts.items():
        _runs_are_few(world, alarm, runs)
    for number, begun in world.hub.drift_runs.items():
        assert begun <= world.hub.drifts[number], f"version {number} drifts, and {begun} runs began for it"
    for version in world.versions.values():
        _looks_are_taken_once(version)
    if world.service is not None:
        _traffic_is_right(world)


def _runs_are_few(world: World, alarm: int, runs: int) -> None:
    """After maxAttempts the pauses double: so many labels allow few runs, however long it goes on."""
    spec = world.model.spec
    more = runs - spec.retraining.max_attempts
    labels = world.hub.last_seq - alarm
    paused = sum(spec.monitoring.min_samples * 2**number for number in range(more))
    assert paused <= labels, f"{runs} runs for the alarm at {alarm} within {labels} labels"


def _looks_are_taken_once(version: VersionView) -> None:
    """The gate decides at a quarter, a half and all of minSamples (100), each at most once; futile ones end."""
    bounds = (25, 50, 100)
    seen, taken = 0, 0
    for rows in version.status.looks:
        reached = sum(rows >= bound for bound in bounds)
        taken += reached > seen
        seen = max(seen, reached)
    assert taken <= len(bounds)
    assert len(version.status.looks) <= 20, "evaluated again and again"
    again = [rows for rows in version.status.looks[:-1] if rows >= bounds[-1]]
    assert again == [], "looked at again after the last look"


def _traffic_is_right(world: World) -> None:
    assert world.service is not None
    number = world.service.version
    serving = next((version for version in world.versions.values() if version.number == number), None)
    assert serving is not None, f"traffic goes to version {number}, which is not there"
    assert serving.status.phase in SERVABLE_PHASES, f"traffic goes to a version that is {serving.status.phase}"
    deployment = world.deployments.get(serving.number)
    assert deployment is not None, "traffic goes to a version without a Deployment"
    assert deployment.ready_replicas or not deployment.replicas, "traffic goes to a version without ready pods"
    if serving.spec.adopted_manifest is None:
        _was_let_through(world, serving.number, after_alarm=bool(looks_at(serving)))
    champions = [version for version in world.versions.values() if version.status.phase is VersionPhase.CHAMPION]
    assert len(champions) <= 2, "more than the predecessor is still called champion"


def _was_let_through(world: World, number: int, *, after_alarm: bool) -> None:
    """Check by plain arithmetic, without the gate's code, that a version with traffic is better than its champion."""
    report = world.scores.get(number)
    assert report is not None, f"version {number} takes traffic and was never judged"
    enough = 25 if after_alarm else 100
    fresh = report.fresh if report.fresh is not None and report.fresh.rows >= enough else None
    score = fresh or report.reference
    assert score is not None
    assert fresh is not None or not after_alarm, "after an alarm only fresh rows decide"
    if score.champion is not None:
        assert score.candidate_only > score.champion_only, f"version {number} is not better than its champion"
    else:
        assert score.candidate > 0.9, f"version {number}, the first, is worse than the lowest threshold"
