"""Moments in the life of one ModelDeployment, as the operator sees them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace
from tests.unit.api.schemas import MINIMAL

from evermodel.api.conditions import Reason
from evermodel.api.modeldeployment import ModelDeploymentSpec, ModelDeploymentStatus, RetrainingData
from evermodel.api.modelversion import (
    ModelVersionSpec,
    ModelVersionStatus,
    VersionFailure,
    VersionPhase,
    VersionTrigger,
)
from evermodel.contract import Alarm, Quality, WindowStats
from evermodel.core import names
from evermodel.core.builders import fingerprint
from evermodel.core.hashing import training_hash
from evermodel.core.observed import (
    DeploymentView,
    HubView,
    ModelKey,
    ModelView,
    Observed,
    OperatorSettings,
    ServiceView,
    VersionView,
)
from evermodel.resources import BUILDERS

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
EARLIER = "2026-01-01T10:00:00Z"
GENERATION = 3
SETTINGS = OperatorSettings(
    runtime_image="runtime:1", hub_url="http://evermodel-hub.ml.svc:8080", hub_key_fingerprint="01234567"
)
_MINIMAL = msgspec.convert(MINIMAL, ModelDeploymentSpec)
DECLARED = replace(_MINIMAL, retraining=replace(_MINIMAL.retraining, data=RetrainingData(include_feedback=True)))
GOOD = Quality(
    version=1,
    as_of=NOW.timestamp(),
    predictions=2000,
    labels=1000,
    window=WindowStats(value=0.95, lower=0.93, upper=0.96, samples=1000),
    coverage=0.5,
    alarm=None,
    last_seq=1000,
    records=1000,
    records_counted=0,
)
ALARM = Alarm(seq=900, at=NOW.timestamp() - 3600, value=0.7, samples=200)
FALLEN = replace(GOOD, alarm=ALARM, window=WindowStats(value=0.7, lower=0.67, upper=0.73, samples=1000))


def version(number: int, phase: VersionPhase, failure: str | None = None) -> VersionView:
    """Return a version: the first one, or one that an alarm began."""
    trigger = VersionTrigger(reason=Reason.FIRST_VERSION.value, message="The model has no version yet.")
    if number > 1:
        trigger = VersionTrigger(
            reason=Reason.ACCURACY_ALARM.value, message="Accuracy fell.", alarm_seq=ALARM.seq, alarm_at=ALARM.at
        )
    return VersionView(
        name=names.version_name("iris", number),
        uid=f"uid-{number}",
        resource_version="1",
        created_at=NOW,
        spec=ModelVersionSpec(
            number=number,
            trigger=trigger,
            training_hash=training_hash(DECLARED),
            image="runtime:1",
            data=DECLARED.data,
            training=DECLARED.training,
            parent=1 if number > 1 else None,
        ),
        status=ModelVersionStatus(
            phase=phase,
            manifest="f" * 64,
            failure=VersionFailure(reason=failure, message="The table has no column target.") if failure else None,
            finished_at=EARLIER if failure else None,
            promoted_at=EARLIER if phase is VersionPhase.CHAMPION else None,
        ),
    )


CHAMPION = version(1, VersionPhase.CHAMPION)


def look(
    *versions: VersionView,
    spec: ModelDeploymentSpec = DECLARED,
    deployed: ModelDeploymentSpec = DECLARED,
    ready_replicas: int = 1,
    quality: Quality | None = None,
) -> Observed:
    """Return what the operator sees: a hub that is ready, versions, and the champion as it was deployed earlier."""
    model = ModelView(
        key=ModelKey(namespace="ml", name="iris"),
        uid="uid",
        generation=GENERATION,
        resource_version="1",
        created_at=NOW,
        spec=spec,
        status=ModelDeploymentStatus(),
    )
    earlier = dataclasses.replace(model, spec=deployed)
    champions = [one.number for one in versions if one.status.phase is VersionPhase.CHAMPION]
    return Observed(
        model=model,
        versions=versions,
        settings=SETTINGS,
        hub=HubView(ready=True),
        lineage=(),
        quality=quality,
        deployments={
            one.number: DeploymentView(
                name=one.name,
                uid=f"uid-{one.name}",
                version=one.number,
                replicas=deployed.serving.replicas,
                ready_replicas=ready_replicas,
                updated=True,
                fingerprint=fingerprint(BUILDERS.deployment(earlier, one, SETTINGS)),
            )
            for one in versions
            if one.number in champions
        },
        service=ServiceView(
            name="iris", version=champions[-1], fingerprint=fingerprint(BUILDERS.service(model, champions[-1]))
        )
        if champions
        else None,
    )
