"""What builders take: valid, to be changed in one place."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from evermodel.api.modeldeployment import (
    Data,
    Estimator,
    ModelDeploymentSpec,
    ModelDeploymentStatus,
    Objective,
    TrainData,
    Training,
)
from evermodel.api.modelversion import ModelVersionSpec, ModelVersionStatus, VersionTrigger
from evermodel.contract import DataSource, TrainRun
from evermodel.core.observed import ModelKey, ModelView, OperatorSettings, VersionView

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
SETTINGS = OperatorSettings(
    runtime_image="evermodel-runtime:2", hub_url="http://evermodel-hub.team.svc:8080", hub_key_fingerprint="f00dcafe"
)
SPEC = ModelDeploymentSpec(
    objective=Objective(threshold=0.9),
    data=Data(train=TrainData(uri="sklearn://iris"), target="target"),
    training=Training(estimator=Estimator.LOGISTIC_REGRESSION),
)


def model(spec: ModelDeploymentSpec = SPEC) -> ModelView:
    return ModelView(
        key=ModelKey(namespace="team", name="iris"),
        uid="uid-of-iris",
        generation=1,
        resource_version="7",
        created_at=NOW,
        spec=spec,
        status=ModelDeploymentStatus(),
    )


def version(spec: ModelDeploymentSpec = SPEC, *, image: str = "evermodel-runtime:1") -> VersionView:
    return VersionView(
        name="iris-v1",
        uid="uid-of-iris-v1",
        resource_version="8",
        created_at=NOW,
        spec=ModelVersionSpec(
            number=1,
            trigger=VersionTrigger(reason="FirstVersion", message="The model has no version yet."),
            training_hash="1:abc",
            image=image,
            data=spec.data,
            training=spec.training,
        ),
        status=ModelVersionStatus(manifest="a" * 64),
    )


def train_run(uri: str = "sklearn://iris") -> TrainRun:
    return TrainRun(
        namespace="team",
        model="iris",
        version=1,
        hub_url=SETTINGS.hub_url,
        data=DataSource(uri=uri, target="target"),
        estimator="LogisticRegression",
    )


def changed(**fields: object) -> ModelDeploymentSpec:
    return msgspec.structs.replace(SPEC, **fields)
