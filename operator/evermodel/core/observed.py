"""What the operator saw, as values: the only input of `plan` besides the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from evermodel.api.modeldeployment import ModelDeploymentSpec, ModelDeploymentStatus
from evermodel.api.modelversion import ModelVersionSpec, ModelVersionStatus
from evermodel.contract import FailureReason, LineageEntry, Quality, QualityQuery, RunReport


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ModelKey:
    """Names a ModelDeployment."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Write it as kubectl's messages do."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """A ModelDeployment as the API server has it."""

    key: ModelKey
    uid: str
    generation: int
    resource_version: str
    created_at: datetime
    spec: ModelDeploymentSpec
    status: ModelDeploymentStatus
    retrain_request: str = ""
    """Value of the annotation evermodel.dev/retrain."""
    deleting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView:
    """A ModelVersion as the API server has it."""

    name: str
    uid: str
    resource_version: str
    created_at: datetime
    spec: ModelVersionSpec
    status: ModelVersionStatus
    deleting: bool = False

    @property
    def number(self) -> int:
        """The version's number."""
        return self.spec.number


class JobState(StrEnum):
    """What a Job is doing."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Pods of a search Job, by what became of them; of others nobody has heard yet."""

    running: int = 0
    succeeded: int = 0
    failed: int = 0
    """Those that are not started again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A Job and what its newest pod said; of a search Job, the newest that failed."""

    name: str
    uid: str
    owner_uid: str
    state: JobState
    created_at: datetime
    deleting: bool = False
    report: RunReport | None = None
    """From the termination message or, when that was lost, from the hub."""
    exit_code: int | None = None
    failure: FailureReason | None = None
    """What Kubernetes itself says: out of memory, deadline exceeded, cannot start."""
    message: str = ""
    """Why a pod is not running (unschedulable, image, quota, missing Secret), or why the Job failed."""
    missing_secret: bool = False
    """A pod waits for a Secret that is not there."""
    live_pods: int = 0
    """Pods that have not ended; a run that supersedes this one waits for 0."""
    pending_since: datetime | None = None
    """When the newest pod was made, which may be long after the Job: one that was disrupted is made again."""
    workers: Workers = Workers()
    """Of a search Job, the only one of several pods."""
    finished_at: datetime | None = None
    """When the Job's Complete or Failed condition became true; a report that does not come is waited for from then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentView:
    """A serving Deployment."""

    name: str
    uid: str
    version: int
    replicas: int
    ready_replicas: int
    updated: bool
    """The Deployment controller has seen the newest template and all Ready replicas run it."""
    fingerprint: str
    """Value of the annotation evermodel.dev/applied: digest of what the operator last applied."""
    drifted: bool = False
    """An owned field other than ``replicas`` differs from what was applied: somebody edited it by hand."""
    owns_replicas: bool = True
    """The operator owns ``replicas``: were it left out of what is applied, the API server would make it 1."""
    kept_replicas: int | None = None
    """Value of the annotation evermodel.dev/replicas: what autoscaling left."""
    message: str = ""
    missing_secret: bool = False
    stuck: bool = False
    """The Deployment controller gave up: Progressing is False with ProgressDeadlineExceeded."""
    deleting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """The Service at the model's URL."""

    name: str
    version: int | None
    """Version whose pods the selector matches."""
    fingerprint: str
    drifted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalerView:
    """The HorizontalPodAutoscaler of a model."""

    name: str
    uid: str
    fingerprint: str
    drifted: bool = False
    deleting: bool = False
    works: bool | None = None
    """Whether it can tell how many pods are needed, and set them; None: it has not tried yet."""
    message: str = ""
    """Why it cannot, in its own words."""
    fails_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HubView:
    """The namespace's hub."""

    applied: frozenset[str] = frozenset()
    """Kinds of the hub's objects that are there and as they should be: StatefulSet, Service."""
    ready: bool = False
    missing_secret: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """What the declared source contains now, where it can be watched."""

    sha256: str | None = None
    """Digest of its bytes; None: it is not watched, not there, or was not looked at yet."""
    error: str = ""
    """Why it cannot be looked at, where a person has to act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings:
    """What the operator's own configuration gives to plans."""

    runtime_image: str
    hub_url: str
    """Of this namespace's hub, as pods reach it."""
    hub_key_fingerprint: str
    drain: timedelta = timedelta(seconds=5)
    """How long the predecessor's pods stay after the Service points to the successor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One look at everything that concerns one ModelDeployment."""

    model: ModelView
    versions: tuple[VersionView, ...]
    """By number, oldest first; without those that other owners hold."""
    settings: OperatorSettings
    jobs: Mapping[str, JobView] = field(default_factory=dict)
    """By name."""
    orphaned: frozenset[int] = frozenset()
    """Versions with live pods whose Job is gone already: its deletion does not wait for them, the next run does."""
    deployments: Mapping[int, DeploymentView] = field(default_factory=dict)
    """By version."""
    service: ServiceView | None = None
    autoscaler: AutoscalerView | None = None
    hub: HubView = field(default_factory=HubView)
    source: SourceView = field(default_factory=SourceView)
    quality: Quality | None = None
    """Newest answer of the hub about the champion; None: not asked yet, or not reachable."""
    quality_query: QualityQuery | None = None
    """The question that ``quality`` answers: an answer to another one than ``quality_query(observed)`` is not used."""
    quality_error: str = ""
    progress: str = ""
    """What the Job of the run that is under way says; empty: nothing yet."""
    lineage: tuple[LineageEntry, ...] | None = None
    """Champions that the hub remembers under this name; None: not asked (only asked when ``needs_lineage`` says so)."""
