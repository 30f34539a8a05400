"""Which version takes traffic: Deployments, the Service's selector, promotion, and what is left of the predecessor."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from evermodel.api.modelversion import ModelVersionStatus, VersionPhase
from evermodel.contract import FailureReason, LineageEntry
from evermodel.core import facts
from evermodel.core.actions import (
    Action,
    ApplyDeployment,
    ApplyService,
    DeleteDeployment,
    EnsureSecrets,
    RecordLineage,
)
from evermodel.core.builders import Builders, fingerprint
from evermodel.core.observed import DeploymentView, Observed, VersionView
from evermodel.core.phases import jobs, scaling
from evermodel.core.phases.evaluation import still_passes
from evermodel.core.phases.superseding import is_outdated
from evermodel.core.step import NOTHING, Step
from evermodel.core.timestamps import parse_time, rfc3339

_ROUNDING = timedelta(seconds=1)
"""promotedAt is written in whole seconds: a drain counted from it must not end early."""


def target(observed: Observed) -> VersionView | None:
    """Return the version that should take traffic: the pinned one, else a candidate, else the champion.

    While the object is paused, that is the champion, unless the traffic had already moved.
    """
    spec = observed.model.spec
    champion = facts.champion(observed)
    run = facts.active(observed)
    wanted = champion
    if spec.version is not None:
        wanted = facts.pinned(observed) or champion
    elif run is not None and _may_take_traffic(observed, run):
        wanted = run
    if spec.paused and wanted is not None and wanted.number != facts.traffic_of(observed):
        return champion
    return wanted


def is_ready(observed: Observed, version: VersionView, build: Builders) -> bool:
    """Tell whether a version's pods, as the spec asks for them today, can take all the traffic."""
    deployment = observed.deployments.get(version.number)
    if deployment is None or not is_as_built(observed, version, build):
        return False
    needed = scaling.needed(observed, version)
    return needed == 0 or (deployment.updated and deployment.ready_replicas >= needed)


def is_as_built(observed: Observed, version: VersionView, build: Builders) -> bool:
    """Tell whether a version's Deployment is what would be built for it now."""
    deployment: DeploymentView | None = observed.deployments.get(version.number)
    if deployment is None or deployment.deleting or deployment.drifted:
        return False
    replicas = scaling.replicas_of(observed, version)
    if not scaling.holds(deployment, replicas):
        return False
    return deployment.fingerprint == fingerprint(build.deployment(observed.model, version, observed.settings, replicas))


def serve(observed: Observed, build: Builders) -> Step:
    """Keep champion and target deployed, Service and autoscaler on the version that can answer."""
    actions: list[Action] = []
    wanted = target(observed)
    served = {version.number: version for version in (facts.champion(observed), wanted) if version is not None}
    deployments = [observed.deployments.get(number) for number in served]
    if any(deployment is not None and deployment.missing_secret for deployment in deployments):
        actions.append(EnsureSecrets(hub=False, model=True))
    for version in served.values():
        deployment = observed.deployments.get(version.number)
        if deployment is not None and (deployment.deleting or is_as_built(observed, version, build)):
            continue
        actions += scaling.hand_over(observed, version)
        replicas = scaling.replicas_of(observed, version)
        manifest = build.deployment(observed.model, version, observed.settings, replicas)
        actions.append(ApplyDeployment(version=version.number, manifest=manifest))
    number = _traffic(observed, wanted, build)
    if number is not None:
        actions += _point(observed, number, build)
    actions += scaling.autoscale(observed, build)
    return Step(actions=tuple(actions))


def promote(observed: Observed, build: Builders, now: datetime) -> Step:
    """Record the version that traffic goes to as the champion: in the hub first, then in its own status."""
    wanted, champion = target(observed), facts.champion(observed)
    if wanted is None or _traffic(observed, wanted, build) != wanted.number or not observed.hub.ready:
        return NOTHING
    actions: list[Action] = []
    if champion is None or wanted.number != champion.number:
        status = msgspec.structs.replace(wanted.status, phase=VersionPhase.CHAMPION, promoted_at=rfc3339(now))
        actions += [RecordLineage(entry=_entry(observed, wanted, status, now)), jobs.write(wanted, status)]
    for version in observed.versions:
        if version.status.phase is VersionPhase.CHAMPION and version.number != wanted.number:
            archived = msgspec.structs.replace(version.status, phase=VersionPhase.ARCHIVED)
            actions.append(jobs.write(version, archived))
    return Step(actions=tuple(actions))


def give_up(observed: Observed, version: VersionView, build: Builders, now: datetime) -> Step:
    """Fail a candidate whose pods do not become ready within the Deployment's progress deadline."""
    deployment = observed.deployments.get(version.number)
    if deployment is None or not deployment.stuck or target(observed) != version:
        return NOTHING
    if version.number == facts.traffic_of(observed) or is_ready(observed, version, build):
        return NOTHING
    why = deployment.message or "its serving pods do not become ready"
    return jobs.failure(version, FailureReason.CANNOT_START, f"The version could not be rolled out: {why}", now)


def drain(observed: Observed, now: datetime) -> Step:
    """Delete Deployments that no traffic goes to, once the requests under way have had time to end."""
    wanted, champion, run = target(observed), facts.champion(observed), facts.active(observed)
    kept = {version.number for version in (wanted, champion, run) if version is not None}
    kept.add(facts.traffic_of(observed) or 0)
    idle = [view for number, view in observed.deployments.items() if number not in kept and not view.deleting]
    if not idle:
        return NOTHING
    promoted_at = parse_time(champion.status.promoted_at) if champion is not None else None
    due = promoted_at + _ROUNDING + observed.settings.drain if promoted_at is not None else now
    if now < due:
        return Step(due=due)
    return Step(actions=tuple(DeleteDeployment(name=view.name, uid=view.uid) for view in idle))


def _may_take_traffic(observed: Observed, run: VersionView) -> bool:
    """Tell whether a run has passed its gate, and is still what the spec asks for by today's rules."""
    passed = run.status.phase is VersionPhase.CANDIDATE
    return passed and not is_outdated(observed, run) and still_passes(observed, run)


def _traffic(observed: Observed, wanted: VersionView | None, build: Builders) -> int | None:
    """Return the version that the Service should point to now; None while nothing can answer."""
    current = facts.traffic_of(observed)
    champion = facts.champion(observed)
    if wanted is None:
        return current
    if observed.model.spec.paused and current in observed.deployments:
        return current
    may_move = observed.hub.ready or wanted == champion  # a promotion is recorded in the hub
    if wanted.number == current or (may_move and is_ready(observed, wanted, build)):
        return wanted.number
    return champion.number if champion is not None else current


def _point(observed: Observed, number: int, build: Builders) -> list[Action]:
    manifest = build.service(observed.model, number)
    service = observed.service
    points = service is not None and service.version == number and not service.drifted
    if service is not None and points and service.fingerprint == fingerprint(manifest):
        return []
    return [ApplyService(version=number, manifest=manifest)]


def _entry(observed: Observed, version: VersionView, status: ModelVersionStatus, now: datetime) -> LineageEntry:
    return LineageEntry(
        number=version.number,
        training_hash=version.spec.training_hash,
        manifest=status.manifest or "",
        holdout=status.holdout or 0.0,
        holdout_set="fresh" if status.holdout_set == "fresh" else "reference",
        promoted_at=now.timestamp(),
        data_sha256=facts.source_learnt(observed, version) or "",
        feedback_through=version.spec.feedback_through,
        parent=version.spec.parent,
    )
