"""What a plan may ask for. Each action is idempotent: done twice, the second does nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from evermodel.api.conditions import Reason
from evermodel.api.modeldeployment import ModelDeploymentStatus
from evermodel.api.modelversion import ModelVersionSpec, ModelVersionStatus
from evermodel.contract import FailureReason, LineageEntry, RunConfig, TrainRun

Manifest = dict[str, Any]
"""A Kubernetes object as the builders of `resources` make it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateVersion:
    """Create a ModelVersion; 409 is success when the owner is the same."""

    name: str
    spec: ModelVersionSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteVersionStatus:
    """Patch a ModelVersion's status, guarded by its resourceVersion."""

    name: str
    resource_version: str
    status: ModelVersionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteVersion:
    """Delete a ModelVersion that the history limit no longer keeps."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateJob:
    """Create the Job of a run; 409 is success when the owner is the same."""

    name: str
    version: str
    """Name of the ModelVersion that owns it."""
    run: RunConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSearchJob:
    """Create the Job whose pods make trials beside a training Job; 409 is success when the owner is the same."""

    name: str
    version: str
    """Name of the ModelVersion that owns it."""
    run: TrainRun
    """As the training Job has it."""
    workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteJob:
    """Delete a Job and, in the background, its pods."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyDeployment:
    """Server-side apply the serving Deployment of a version."""

    version: int
    manifest: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class HandReplicasOver:
    """Give the number of a Deployment's pods to another field manager, so that the operator may leave it out."""

    version: int
    name: str
    uid: str
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyAutoscaler:
    """Server-side apply the HorizontalPodAutoscaler of the version that takes the traffic."""

    version: int
    manifest: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteAutoscaler:
    """Delete a HorizontalPodAutoscaler that is no longer asked for."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteDeployment:
    """Delete the serving Deployment of a version that takes no traffic."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyService:
    """Server-side apply the Service at the model's URL; its selector decides which version takes traffic."""

    version: int
    manifest: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsureSecrets:
    """Create the Secrets of the hub and of the model's roles; 409 is success, for they are immutable."""

    hub: bool
    model: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyHub:
    """Server-side apply what of the namespace's hub is missing."""

    kinds: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLineage:
    """Tell the hub that a version became champion; done before the status says so."""

    entry: LineageEntry


Action = (
    CreateVersion
    | WriteVersionStatus
    | DeleteVersion
    | CreateJob
    | CreateSearchJob
    | DeleteJob
    | ApplyDeployment
    | HandReplicasOver
    | ApplyAutoscaler
    | DeleteAutoscaler
    | DeleteDeployment
    | ApplyService
    | EnsureSecrets
    | ApplyHub
    | RecordLineage
)


class EventType(StrEnum):
    """Kubernetes knows two."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One Event on the ModelDeployment, in a sentence with the figure and the next step."""

    type: EventType
    reason: Reason | FailureReason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do now, what to say, and when to look again. Actions are done in order; one that fails stops the rest."""

    actions: tuple[Action, ...]
    status: ModelDeploymentStatus
    events: tuple[Event, ...] = ()
    requeue_after: timedelta | None = None
