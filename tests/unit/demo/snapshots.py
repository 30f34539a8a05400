"""A ModelDeployment in production, and the same with one change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from tests.demo.stages import Metadata, Model, Snapshot, Version

from evermodel.api.conditions import Condition, ConditionStatus, ConditionType, Reason
from evermodel.api.modeldeployment import (
    ChampionStatus,
    Data,
    Estimator,
    LiveStatus,
    ModelDeploymentSpec,
    ModelDeploymentStatus,
    Objective,
    RetrainingStatus,
    TrainData,
    Training,
)
from evermodel.api.modelversion import (
    ModelVersionSpec,
    ModelVersionStatus,
    VersionPhase,
    VersionTrigger,
)
from evermodel.core.names import MODEL_LABEL

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
MODEL = "digits"
GENERATION = 3
SPEC = ModelDeploymentSpec(
    objective=Objective(threshold=0.93),
    data=Data(train=TrainData(uri="sklearn://digits?rows=0:1000"), target="target"),
    training=Training(estimator=Estimator.RANDOM_FOREST),
)


def condition(kind: ConditionType, status: ConditionStatus, reason: Reason, message: str = "") -> Condition:
    return Condition(
        type=kind,
        status=status,
        reason=reason.value,
        message=message,
        last_transition_time="2026-01-01T11:59:00Z",
        observed_generation=GENERATION,
    )


SERVING = condition(ConditionType.READY, ConditionStatus.TRUE, Reason.SERVING)
ROLLING_OUT = condition(ConditionType.READY, ConditionStatus.FALSE, Reason.ROLLING_OUT)
HEALTHY = condition(ConditionType.HEALTHY, ConditionStatus.TRUE, Reason.ABOVE_THRESHOLD)
TOO_FEW_LABELS = condition(ConditionType.HEALTHY, ConditionStatus.UNKNOWN, Reason.INCONCLUSIVE)
COLLECTING = condition(ConditionType.HEALTHY, ConditionStatus.FALSE, Reason.COLLECTING_LABELS)
RETRAINING = condition(ConditionType.HEALTHY, ConditionStatus.FALSE, Reason.RETRAINING)


def live(value: float | None, samples: int = 400) -> LiveStatus:
    return LiveStatus(value=value, lower=value, upper=value, samples=samples)


def champion(version: int) -> ChampionStatus:
    return ChampionStatus(version=version, holdout=0.96, training_hash="a", promoted_at="2026-01-01T11:59:00Z")


def make_version(number: int, *, reason: Reason = Reason.FIRST_VERSION, **status: Any) -> Version:
    """Return a version that was trained; keywords change its status."""
    trained = ModelVersionStatus(phase=VersionPhase.CHAMPION, manifest="b" * 64)
    return Version(
        metadata=Metadata(name=f"{MODEL}-v{number}", labels={MODEL_LABEL: MODEL}),
        spec=ModelVersionSpec(
            number=number,
            trigger=VersionTrigger(reason=reason.value, message="why"),
            training_hash="a",
            image="evermodel-runtime:dev",
            data=SPEC.data,
            training=SPEC.training,
        ),
        status=msgspec.structs.replace(trained, **status),
    )


def after_alarm(number: int, **status: Any) -> Version:
    """Return a version that an alarm began, trained on production records; keywords change its status."""
    return make_version(number, reason=Reason.ACCURACY_ALARM, **({"feedback_rows": 300} | status))


def make_snapshot(*versions: Version, answered_by: str | None = "1", **status: Any) -> Snapshot:
    """Return a look at a healthy model in production; keywords change its status."""
    healthy = ModelDeploymentStatus(
        observed_generation=GENERATION,
        conditions=(SERVING, HEALTHY),
        champion=champion(1),
        live=live(0.96),
        retraining=RetrainingStatus(next_eligible_time="2026-01-01T11:59:30Z"),
    )
    return Snapshot(
        model=Model(
            metadata=Metadata(name=MODEL, generation=GENERATION),
            spec=SPEC,
            status=msgspec.structs.replace(healthy, **status),
        ),
        versions=versions or (make_version(1),),
        answered_by=answered_by,
        now=NOW,
    )
