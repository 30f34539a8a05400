"""Every name, label and annotation that the operator gives, formatted in this one place."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from evermodel.contract import OfflineRun, TrainRun

DOMAIN: Final = "evermodel.dev"
MODEL_LABEL: Final = f"{DOMAIN}/model"
VERSION_LABEL: Final = f"{DOMAIN}/version"
COMPONENT_LABEL: Final = f"{DOMAIN}/component"
APP_NAME_LABEL: Final = "app.kubernetes.io/name"
APP_INSTANCE_LABEL: Final = "app.kubernetes.io/instance"
APP_COMPONENT_LABEL: Final = "app.kubernetes.io/component"
MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "evermodel"
"""Field manager of server-side apply and value of the managed-by label."""

RETRAIN_ANNOTATION: Final = f"{DOMAIN}/retrain"
"""A person asks for a run with a token that has not been handled."""
APPLIED_ANNOTATION: Final = f"{DOMAIN}/applied"
"""Digest of the manifest as it was built, to tell without a diff whether it must be applied."""

REPLICAS_ANNOTATION: Final = f"{DOMAIN}/replicas"
"""How many pods autoscaling left, on a Deployment whose number nobody declares."""
IN_FLIGHT_METRIC: Final = "evermodel_server_requests_in_flight"
"""Custom metric of a serving pod, as an adapter makes it from what the pod counts."""

HUB: Final = "evermodel-hub"
"""Name of the StatefulSet, of the Service and of the volume claim's owner."""
HUB_PORT: Final = 8080
SERVE_PORT: Final = 8080
SERVICE_PORT: Final = 80
GRPC_PORT: Final = 9000
"""Of serving pods, as in the serving runtimes of KServe; their Service may have another."""
HUB_KEY_ENTRY: Final = "key"
"""Entry of the hub's Secret that only its pod uses."""
UPLOAD_TOKEN_ENTRY: Final = "upload"  # noqa: S105 - the name of an entry
"""Entry of the hub's Secret that people take to upload data."""
CONTAINER: Final = "evermodel"
"""Name of the main container of every pod of ours: the one that reports."""
PREPARE_CONTAINER: Final = "prepare"
"""Name of the container that writes what those of the user's own read."""
TRAINER_CONTAINER: Final = "trainer"
"""Name of the user's container that makes a model."""
_METRIC: Final = "metric-"
OURS: Final = frozenset({CONTAINER, PREPARE_CONTAINER})
"""Containers whose reports and exit codes mean what the contract says; those of the user's own mean nothing."""


class Component(StrEnum):
    """What a pod is there for: value of the component label."""

    TRAIN = "train"
    SEARCH = "search"
    EVALUATE = "evaluate"
    OFFLINE = "offline"
    SERVE = "serve"
    HUB = "hub"


class SecretEntry(StrEnum):
    """Keys inside a model's Secret, one for each role that a pod may have."""

    TRAINER = "trainer"
    SERVER = "server"


def version_name(model: str, number: int) -> str:
    """Name of a ModelVersion and of its serving Deployment."""
    return f"{model}-v{number}"


def train_job_name(model: str, number: int, attempt: int = 1) -> str:
    """Name of a version's training Job."""
    return f"{version_name(model, number)}-train-{attempt}"


def search_job_name(model: str, number: int) -> str:
    """Name of the Job whose pods make trials beside a version's training Job."""
    return f"{version_name(model, number)}-search"


def evaluate_job_name(model: str, number: int, look: int = 1) -> str:
    """Name of a version's evaluation Job; a candidate that is looked at early is evaluated again, for more rows."""
    first = f"{version_name(model, number)}-evaluate"
    return first if look == 1 else f"{first}-{look}"


def offline_job_name(model: str, number: int, scheduled: datetime) -> str:
    """Name of the Job that scores a champion at a time of the schedule, told in minutes: names are short."""
    return f"{version_name(model, number)}-offline-{int(scheduled.timestamp()) // 60:x}"


def metric_container(metric: str) -> str:
    """Name of the user's container that measures a custom metric, and of its folders' volumes."""
    return f"{_METRIC}{metric}"


def metric_of(container: str) -> str | None:
    """Name of the custom metric that a container measures; None for any other container."""
    return container.removeprefix(_METRIC) if container.startswith(_METRIC) else None


def model_secret_name(model: str, fingerprint: str) -> str:
    """Name of the Secret with a model's role tokens, made from the hub key with this fingerprint."""
    return f"{model}-tokens-{fingerprint}"


def hub_secret_name(fingerprint: str) -> str:
    """Name of the Secret with the hub's key of this fingerprint."""
    return f"{HUB}-key-{fingerprint}"


def model_url(namespace: str, model: str) -> str:
    """Where a model answers inside the cluster."""
    return f"http://{model}.{namespace}.svc"


def component_of(run: object) -> Component:
    """Component of the Job that does a run."""
    if isinstance(run, OfflineRun):
        return Component.OFFLINE
    return Component.TRAIN if isinstance(run, TrainRun) else Component.EVALUATE


def labels(component: Component, *, model: str | None = None, version: int | None = None) -> dict[str, str]:
    """Labels of an object of ours; without a model it is the namespace's hub."""
    given = {
        APP_NAME_LABEL: "evermodel",
        APP_INSTANCE_LABEL: model or HUB,
        APP_COMPONENT_LABEL: component.value,
        MANAGED_BY_LABEL: MANAGER,
        COMPONENT_LABEL: component.value,
    }
    if model is not None:
        given[MODEL_LABEL] = model
    if version is not None:
        given[VERSION_LABEL] = str(version)
    return given


def serving_selector(model: str, version: int) -> dict[str, str]:
    """Labels that match the serving pods of one version and nothing else."""
    return {MODEL_LABEL: model, VERSION_LABEL: str(version), COMPONENT_LABEL: Component.SERVE.value}


def selector_text(selector: dict[str, str]) -> str:
    """Write a selector as the scale subresource and kubectl -l do."""
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
