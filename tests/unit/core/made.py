"""A valid object and what belongs to it, each to be made with one change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from evermodel.api.conditions import Condition, ConditionType
from evermodel.api.modeldeployment import ModelDeploymentSpec, ModelDeploymentStatus
from evermodel.api.modelversion import ModelVersionSpec, ModelVersionStatus, SetScore, VersionPhase, VersionTrigger
from evermodel.contract import Alarm, Quality, WindowStats
from evermodel.core import names
from evermodel.core.actions import Action, Plan
from evermodel.core.builders import fingerprint
from evermodel.core.hashing import training_hash
from evermodel.core.observed import (
    DeploymentView,
    HubView,
    JobState,
    JobView,
    ModelKey,
    ModelView,
    Observed,
    OperatorSettings,
    ServiceView,
    VersionView,
)
from evermodel.core.phases.hub import KINDS
from evermodel.core.plan import plan
from evermodel.core.timestamps import rfc3339
from evermodel.resources import BUILDERS

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
EARLIER = datetime(2030, 1, 1, 6, tzinfo=UTC)
"""When what is there was made: long ago, as pauses and deadlines go."""
MODEL = "digits"
SETTINGS = OperatorSettings(
    runtime_image="runtime:1",
    hub_url="http://evermodel-hub.team.svc:8080",
    hub_key_fingerprint="0a1b2c3d",
)
THRESHOLD = 0.92
ALARM = Alarm(seq=900, at=EARLIER.timestamp() + 3600, value=0.7, samples=210, changed_after=700)
READY_HUB = HubView(applied=KINDS, ready=True)
GOOD = SetScore(rows=500, candidate=0.96, dummy=0.1)
EQUAL = SetScore(rows=500, candidate=0.96, champion=0.96, dummy=0.1, candidate_only=10, champion_only=10)
BETTER = SetScore(rows=500, candidate=0.96, champion=0.90, dummy=0.1, candidate_only=40, champion_only=10)
_BASE: dict[str, Any] = {
    "objective": {"threshold": THRESHOLD},
    "data": {"train": {"uri": "sklearn://digits"}, "target": "target"},
    "training": {"estimator": "RandomForestClassifier"},
}


def make_spec(**change: Any) -> ModelDeploymentSpec:
    """Return a valid spec; parts are merged, so that one field can be named alone."""
    return msgspec.convert(_merged(_BASE, change), ModelDeploymentSpec)


def make_model(spec: ModelDeploymentSpec | None = None, **change: Any) -> ModelView:
    """Return a ModelDeployment that the operator has not written to."""
    model = ModelView(
        key=ModelKey(namespace="team", name=MODEL),
        uid="model-uid",
        generation=1,
        resource_version="1",
        created_at=EARLIER,
        spec=spec or make_spec(),
        status=ModelDeploymentStatus(),
    )
    return replace(model, **change)


def make_version(
    number: int = 1,
    phase: VersionPhase = VersionPhase.CHAMPION,
    *,
    spec: ModelDeploymentSpec | None = None,
    trigger: VersionTrigger | None = None,
    run: dict[str, Any] | None = None,
    **status: Any,
) -> VersionView:
    """Return a version made from a spec; ``run`` changes its own spec, everything else its status."""
    declared = spec or make_spec()
    made = ModelVersionSpec(
        number=number,
        trigger=trigger or VersionTrigger(reason="FirstVersion", message="The model has no version yet."),
        training_hash=training_hash(declared),
        image="runtime:1",
        data=declared.data,
        training=declared.training,
        task=declared.task,
        objective=declared.objective,
        parent=number - 1 or None,
    )
    return VersionView(
        name=names.version_name(MODEL, number),
        uid=f"v{number}-uid",
        resource_version=f"{number}00",
        created_at=EARLIER,
        spec=msgspec.structs.replace(made, **(run or {})),
        status=msgspec.structs.replace(_status(number, phase), **status),
    )


def make_job(version: VersionView, state: JobState, *, evaluates: bool = False, **change: Any) -> JobView:
    """Return a Job of a version."""
    name = names.evaluate_job_name if evaluates else names.train_job_name
    live = state in {JobState.PENDING, JobState.RUNNING}
    job = JobView(
        name=name(MODEL, version.number),
        uid=f"{version.name}-job-uid",
        owner_uid=version.uid,
        state=state,
        created_at=NOW,
        live_pods=int(live),
        finished_at=None if live else NOW,
    )
    return replace(job, **change)


def make_deployment(model: ModelView, version: VersionView, **change: Any) -> DeploymentView:
    """Return a version's Deployment with all its pods ready."""
    serving = model.spec.serving
    replicas = serving.replicas if serving.replicas is not None else 1
    deployment = DeploymentView(
        name=version.name,
        uid=f"{version.name}-deployment-uid",
        version=version.number,
        replicas=replicas,
        ready_replicas=replicas,
        updated=True,
        fingerprint=fingerprint(BUILDERS.deployment(model, version, SETTINGS, replicas)),
    )
    return replace(deployment, **change)


def make_service(model: ModelView, number: int, **change: Any) -> ServiceView:
    """Return the Service, with all traffic to one version."""
    return replace(
        ServiceView(name=MODEL, version=number, fingerprint=fingerprint(BUILDERS.service(model, number))), **change
    )


def make_quality(**change: Any) -> Quality:
    """Return the hub's answer about a champion that keeps its accuracy."""
    healthy = Quality(
        version=1,
        as_of=NOW.timestamp(),
        predictions=2000,
        labels=1000,
        window=WindowStats(value=0.95, lower=0.935, upper=0.962, samples=1000),
        coverage=0.5,
        alarm=None,
        last_seq=1000,
        records=0,
        records_counted=0,
    )
    return msgspec.structs.replace(healthy, **change)


def make_observed(*versions: VersionView, spec: ModelDeploymentSpec | None = None, **change: Any) -> Observed:
    """Return an object whose champion, version 1, serves and keeps its accuracy; or one with other versions.

    Champions are deployed, and the newest of them has the traffic. ``jobs`` may be a list; ``status``, ``generation``
    and ``retrain_request`` change the ModelDeployment, anything else the look at it.
    """
    about_model = {name: change.pop(name) for name in _OF_THE_MODEL & change.keys()}
    model = make_model(spec, **about_model)
    made = versions or (make_version(spec=spec),)
    champions = [version for version in made if version.status.phase is VersionPhase.CHAMPION]
    change["jobs"] = {job.name: job for job in change.get("jobs", ())}
    observed = Observed(
        model=model,
        versions=made,
        settings=SETTINGS,
        deployments={version.number: make_deployment(model, version) for version in champions},
        service=make_service(model, champions[-1].number) if champions else None,
        hub=READY_HUB,
        quality=make_quality(version=champions[-1].number) if champions else None,
    )
    return replace(observed, **change)


def make_new(spec: ModelDeploymentSpec | None = None, **change: Any) -> Observed:
    """Return an object that was just created, in a namespace with a hub that remembers nothing of it."""
    bare: dict[str, Any] = {"versions": (), "deployments": {}, "service": None, "quality": None, "lineage": ()}
    return make_observed(spec=spec, **{**bare, **change})


def planned(observed: Observed, now: datetime = NOW) -> Plan:
    """Plan with the manifests of the product."""
    return plan(observed, now, BUILDERS)


def actions_of(observed: Observed, kind: type[Action], now: datetime = NOW) -> list[Any]:
    """Return the actions of one kind."""
    return [action for action in planned(observed, now).actions if isinstance(action, kind)]


def known(observed: Observed, now: datetime = NOW) -> Observed:
    """Return the same look after the status was written."""
    return replace(observed, model=replace(observed.model, status=planned(observed, now).status))


def condition(observed: Observed, kind: ConditionType, now: datetime = NOW) -> Condition:
    """Return a condition that must be there."""
    return next(one for one in planned(observed, now).status.conditions if one.type is kind)


_OF_THE_MODEL = frozenset({"status", "generation", "retrain_request", "deleting"})


def _status(number: int, phase: VersionPhase) -> ModelVersionStatus:
    """Return what a version says that came this far."""
    status = ModelVersionStatus(phase=phase)
    if phase is VersionPhase.TRAINING:
        return status
    status = msgspec.structs.replace(
        status, started_at=rfc3339(EARLIER), manifest=f"manifest-{number}", data_sha256="data-1", rows=1200
    )
    if phase in {VersionPhase.AWAITING_LABELS, VersionPhase.EVALUATING}:
        return status
    status = msgspec.structs.replace(
        status, finished_at=rfc3339(EARLIER), holdout=0.96, holdout_set="reference", reference=GOOD
    )
    if phase is VersionPhase.REJECTED:
        return msgspec.structs.replace(status, reference=EQUAL)
    if phase in {VersionPhase.CHAMPION, VersionPhase.ARCHIVED}:
        return msgspec.structs.replace(status, promoted_at=rfc3339(EARLIER))
    return status


def _merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in change.items():
        both = isinstance(value, dict) and isinstance(base.get(name), dict)
        merged[name] = _merged(base[name], value) if both else value
    return merged
