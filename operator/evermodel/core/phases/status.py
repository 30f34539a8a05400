"""The status as a whole, made from what was observed and never from what is only planned."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from evermodel.api.conditions import Condition, ConditionStatus, ConditionType, Reason
from evermodel.api.modeldeployment import (
    CandidateStatus,
    ChampionStatus,
    LiveStatus,
    ModelDeploymentStatus,
    Objective,
    Phase,
    RetrainingMode,
    RetrainingStatus,
)
from evermodel.api.modelversion import VersionPhase
from evermodel.contract import WARNING, Quality
from evermodel.core import facts, names
from evermodel.core.builders import Builders
from evermodel.core.conditions import Wanted, find, set_conditions, shortened
from evermodel.core.objectives import notable, rounded
from evermodel.core.observed import Observed, VersionView
from evermodel.core.phases import changed_data, drifting, monitoring, offline, reporting, rollout, scaling, scheduling
from evermodel.core.questions import current_quality
from evermodel.core.timestamps import from_epoch, parse_time, rfc3339

REFRESH = timedelta(minutes=10)
"""Moving figures are written anew after this long, or when the metric has moved notably, or with another change."""
_PHASES = {
    VersionPhase.TRAINING: Phase.TRAINING,
    VersionPhase.AWAITING_LABELS: Phase.COLLECTING_LABELS,
    VersionPhase.EVALUATING: Phase.EVALUATING,
    VersionPhase.CANDIDATE: Phase.DEPLOYING,
}


def status(observed: Observed, now: datetime, build: Builders) -> ModelDeploymentStatus:
    """Return the status to write; equal to the known one when nothing of meaning changed."""
    known = observed.model.status
    quality = current_quality(observed)
    shown = _still_shown(observed)
    kept = _assembled(observed, now, build, shown)
    if quality is None or (kept == known and not _is_due(shown, quality, observed.model.spec.objective, now)):
        return kept
    return msgspec.structs.replace(kept, live=_live(quality, observed.model.spec.objective))


def _assembled(observed: Observed, now: datetime, build: Builders, live: LiveStatus | None) -> ModelDeploymentStatus:
    model = observed.model
    champion = facts.champion(observed)
    conditions = _conditions(observed, now, build)
    deployment = observed.deployments.get(champion.number) if champion is not None else None
    selector = names.serving_selector(model.key.name, champion.number) if champion is not None else {}
    return ModelDeploymentStatus(
        observed_generation=model.generation,
        phase=_phase(observed, conditions),
        conditions=conditions,
        latest_version=facts.latest_number(observed),
        champion=_champion(champion, model.spec.objective),
        candidate=_candidate(observed),
        live=live,
        offline=offline.result(observed, now),
        drift=drifting.result(observed, now),
        retraining=_retraining(observed, now),
        url=names.model_url(model.key.namespace, model.key.name) if champion is not None else "",
        replicas=deployment.replicas if deployment is not None else 0,
        selector=names.selector_text(selector),
    )


def _conditions(observed: Observed, now: datetime, build: Builders) -> tuple[Condition, ...]:
    health = monitoring.assess(observed, now)
    healthy = Wanted(
        type=ConditionType.HEALTHY, status=health.status, reason=health.reason.value, message=health.message
    )
    wanted = [reporting.ready(observed, build), healthy, reporting.trained(observed)]
    further = (
        offline.condition(observed, now),
        drifting.stable(observed, now),
        drifting.data_quality(observed, now),
        scaling.condition(observed, now),
        reporting.progress(observed, build),
    )
    wanted += [condition for condition in further if condition is not None]
    model = observed.model
    return set_conditions(model.status.conditions, wanted, generation=model.generation, now=now)


def _phase(observed: Observed, conditions: tuple[Condition, ...]) -> Phase:
    champion, run = facts.champion(observed), facts.active(observed)
    if observed.model.spec.paused:
        return Phase.PAUSED
    if find(conditions, ConditionType.STALLED) is not None:
        return Phase.FAILED if champion is None else Phase.DEGRADED
    if run is not None:
        return _PHASES[run.status.phase]
    if champion is None:
        return Phase.PENDING
    return _phase_of_champion(find(conditions, ConditionType.READY), find(conditions, ConditionType.HEALTHY))


def _phase_of_champion(ready: Condition | None, healthy: Condition | None) -> Phase:
    if ready is not None and ready.status is not ConditionStatus.TRUE:
        return Phase.DEPLOYING if ready.reason == Reason.ROLLING_OUT else Phase.DEGRADED
    if healthy is None or healthy.status is not ConditionStatus.FALSE:
        return Phase.READY
    return Phase.COLLECTING_LABELS if healthy.reason == Reason.COLLECTING_LABELS else Phase.DEGRADED


def _champion(champion: VersionView | None, objective: Objective) -> ChampionStatus | None:
    if champion is None:
        return None
    return ChampionStatus(
        version=champion.number,
        holdout=rounded(objective, champion.status.holdout or 0.0, 4),
        training_hash=champion.spec.training_hash,
        promoted_at=champion.status.promoted_at or "",
    )


def _candidate(observed: Observed) -> CandidateStatus | None:
    run = facts.active(observed)
    if run is None:
        return None
    message = shortened(reporting.run_message(observed, run))
    if run.status.phase is VersionPhase.CANDIDATE and rollout.target(observed) != run:
        message = "Passed its gate; waits until spec.paused or spec.version lets traffic move."
    warnings = tuple(note.removeprefix(WARNING) for note in run.status.notes if note.startswith(WARNING))
    return CandidateStatus(version=run.number, phase=run.status.phase.value, message=message, warnings=warnings)


def _retraining(observed: Observed, now: datetime) -> RetrainingStatus:
    """Count the runs of versions newer than those counted before: versions go, the count stays."""
    known, counted = observed.model.status.retraining, observed.model.status.latest_version
    runs = [
        version
        for version in observed.versions
        if version.spec.parent is not None and version.spec.adopted_manifest is None and version.number > counted
    ]
    requested = observed.model.retrain_request
    handled = any(version.spec.trigger.request == requested for version in observed.versions if requested)
    newest = runs[-1] if runs else None
    scheduled = scheduling.next_time(observed, now)
    return RetrainingStatus(
        count=known.count + len(runs),
        attempt=len(facts.current_attempts(observed)),
        last_trigger=newest.spec.trigger.reason if newest is not None else known.last_trigger,
        last_message=newest.spec.trigger.message if newest is not None else known.last_message,
        last_time=rfc3339(newest.created_at) if newest is not None else known.last_time,
        next_eligible_time=_next_eligible(observed),
        next_scheduled_time=rfc3339(scheduled) if scheduled is not None else None,
        nothing_new=shortened(scheduling.why_nothing_runs(observed)),
        data_changed=shortened(changed_data.why_it_waits(observed, now)),
        handled_request=requested if handled else known.handled_request,
    )


def _next_eligible(observed: Observed) -> str | None:
    retraining = observed.model.spec.retraining
    if facts.champion(observed) is None or retraining.mode is not RetrainingMode.AUTOMATIC:
        return None
    due = facts.alarm_may_run_at(observed, len(facts.current_attempts(observed)))
    return rfc3339(due) if due is not None and retraining.data.include_feedback else None


def _still_shown(observed: Observed) -> LiveStatus | None:
    """Return the figures of this champion that the status shows; another champion's would mislead."""
    champion, known = facts.champion(observed), observed.model.status
    same = champion is not None and known.champion is not None and known.champion.version == champion.number
    return known.live if same else None


def _live(quality: Quality, objective: Objective) -> LiveStatus:
    window = quality.window
    return LiveStatus(
        value=rounded(objective, window.value, 3) if window is not None else None,
        lower=rounded(objective, window.lower, 3) if window is not None else None,
        upper=rounded(objective, window.upper, 3) if window is not None else None,
        samples=window.samples if window is not None else 0,
        coverage=round(quality.coverage, 3) if quality.coverage is not None else None,
        as_of=rfc3339(from_epoch(quality.as_of)),
    )


def _is_due(shown: LiveStatus | None, quality: Quality, objective: Objective, now: datetime) -> bool:
    if shown is None:
        return True
    live = _live(quality, objective)
    if (live.value is None) != (shown.value is None):
        return True
    if live.value is not None and shown.value is not None and abs(live.value - shown.value) >= notable(objective):
        return True
    read_at = parse_time(shown.as_of)
    moved = msgspec.structs.replace(live, as_of=shown.as_of) != shown
    return moved and (read_at is None or now - read_at >= REFRESH)
