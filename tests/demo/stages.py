"""The stages of the loop in their order, and what must be seen in the cluster for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from evermodel.api.conditions import Condition, ConditionStatus, ConditionType, Reason
from evermodel.api.modeldeployment import ModelDeploymentSpec, ModelDeploymentStatus
from evermodel.api.modelversion import SERVABLE_PHASES, ModelVersionSpec, ModelVersionStatus
from evermodel.core.conditions import find
from evermodel.core.names import MODEL_LABEL
from evermodel.core.timestamps import parse_time


class Metadata(msgspec.Struct, frozen=True):
    """What is read of an object's metadata."""

    name: str = ""
    labels: dict[str, str] = {}
    generation: int = 0


class Model(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="ModelDeployment"):
    """A ModelDeployment as the API server has it."""

    metadata: Metadata
    spec: ModelDeploymentSpec
    status: ModelDeploymentStatus = ModelDeploymentStatus()


class Version(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="ModelVersion"):
    """A ModelVersion as the API server has it."""

    metadata: Metadata
    spec: ModelVersionSpec
    status: ModelVersionStatus = ModelVersionStatus()


class Listing(msgspec.Struct, frozen=True):
    """What `kubectl get modeldeployments,modelversions -o json` prints."""

    items: list[Model | Version]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One look at the cluster and at the clients."""

    model: Model
    versions: tuple[Version, ...]
    answered_by: str | None
    """Version that gave the newest answer to a client."""
    now: datetime

    @property
    def status(self) -> ModelDeploymentStatus:
        """What the operator says."""
        return self.model.status

    def condition(self, kind: ConditionType) -> Condition | None:
        """Return the condition of a type."""
        return find(self.status.conditions, kind)

    def has(self, kind: ConditionType, status: ConditionStatus) -> bool:
        """Tell whether a condition has a status."""
        condition = self.condition(kind)
        return condition is not None and condition.status is status

    @property
    def retrained(self) -> tuple[Version, ...]:
        """The versions that were begun because of an accuracy alarm, or of the labels that came after it."""
        return tuple(version for version in self.versions if version.spec.trigger.reason in _AFTER_ALARM)


_AFTER_ALARM = frozenset({Reason.ACCURACY_ALARM, Reason.MORE_LABELS})
Predicate = Callable[[Snapshot], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One thing that must come to pass."""

    name: str
    what: str
    """The same in a sentence, for people."""
    seen: Predicate
    within: float
    """Seconds after the stage before it."""
    look: str
    """kubectl command that helps when it does not come to pass."""


def decoded(listing: str, *, model: str, answered_by: str | None, now: datetime) -> Snapshot:
    """Read what kubectl printed about a ModelDeployment, its versions, and others of the namespace."""
    items = msgspec.json.decode(listing, type=Listing).items
    declared = next(item for item in items if isinstance(item, Model) and item.metadata.name == model)
    own = (item for item in items if isinstance(item, Version) and item.metadata.labels.get(MODEL_LABEL) == model)
    return Snapshot(model=declared, versions=tuple(sorted(own, key=_number)), answered_by=answered_by, now=now)


def hopeless(snapshot: Snapshot) -> str | None:
    """Say why waiting is of no use: only a person can go on from here."""
    stalled = snapshot.condition(ConditionType.STALLED)
    return f"{stalled.reason}: {stalled.message}" if stalled is not None else None


def is_accepted(snapshot: Snapshot) -> bool:
    """The operator knows the spec as it is."""
    return snapshot.status.observed_generation == snapshot.model.metadata.generation


def is_training(snapshot: Snapshot) -> bool:
    """There is a first version."""
    return bool(snapshot.versions)


def is_trained(snapshot: Snapshot) -> bool:
    """The first version's artifact is stored."""
    return any(version.status.manifest is not None for version in snapshot.versions)


def is_serving(snapshot: Snapshot) -> bool:
    """The champion takes traffic, with the serving spec as it is."""
    return snapshot.status.champion is not None and snapshot.has(ConditionType.READY, ConditionStatus.TRUE)


def is_healthy(snapshot: Snapshot) -> bool:
    """The operator finds the live accuracy above the threshold."""
    live = snapshot.status.live
    above = live is not None and live.value is not None and live.value >= snapshot.model.spec.objective.threshold
    return above and snapshot.has(ConditionType.HEALTHY, ConditionStatus.TRUE)


def may_retrain(snapshot: Snapshot) -> bool:
    """The pause after the last run is over: from now on, an alarm starts a run at once."""
    due = parse_time(snapshot.status.retraining.next_eligible_time)
    return is_healthy(snapshot) and (due is None or snapshot.now >= due)


def has_fallen(snapshot: Snapshot) -> bool:
    """The live accuracy is below the threshold."""
    live = snapshot.status.live
    return live is not None and live.value is not None and live.value < snapshot.model.spec.objective.threshold


def is_alarmed(snapshot: Snapshot) -> bool:
    """The detector has raised its alarm."""
    return snapshot.has(ConditionType.HEALTHY, ConditionStatus.FALSE)


def collects_labels(snapshot: Snapshot) -> bool:
    """Records from since the fall are waited for; where labels come fast, they may all be there with the alarm."""
    healthy = snapshot.condition(ConditionType.HEALTHY)
    return is_retraining(snapshot) or (healthy is not None and healthy.reason == Reason.COLLECTING_LABELS)


def is_retraining(snapshot: Snapshot) -> bool:
    """A run was begun because of the alarm."""
    return bool(snapshot.retrained)


def is_retrained(snapshot: Snapshot) -> bool:
    """A model made after the alarm is stored, and it has learnt from production."""
    return any(version.status.manifest and version.status.feedback_rows for version in snapshot.retrained)


def passed_gate(snapshot: Snapshot) -> bool:
    """A model made after the alarm was better than the champion on rows that neither had seen."""
    return any(version.status.phase in SERVABLE_PHASES for version in snapshot.retrained)


def is_promoted(snapshot: Snapshot) -> bool:
    """A version made after the alarm is champion, and the clients get their answers from it."""
    champion = snapshot.status.champion
    if champion is None or champion.version not in map(_number, snapshot.retrained):
        return False
    return is_serving(snapshot) and snapshot.answered_by == str(champion.version)


def has_recovered(snapshot: Snapshot) -> bool:
    """The new champion's live accuracy is above the threshold again."""
    return is_promoted(snapshot) and is_healthy(snapshot)


def _number(version: Version) -> int:
    return version.spec.number


_MODEL = "describe model digits"
_JOBS = "describe jobs,pods"
_PODS = "get pods,events"
_VERSIONS = "get modelversions -o wide"


def _stage(name: str, what: str, seen: Predicate, *, within: float, look: str) -> Stage:
    return Stage(name=name, what=what, seen=seen, within=within, look=look)


FIRST_VERSION: tuple[Stage, ...] = (
    _stage("applied", "the operator knows the ModelDeployment", is_accepted, within=60, look=_MODEL),
    _stage("training", "the hub is up and a first version is being made", is_training, within=120, look=_PODS),
    _stage("evaluating", "it is trained, and compared on held-out rows", is_trained, within=180, look=_JOBS),
    _stage("serving", "it met the threshold and takes traffic", is_serving, within=180, look=_PODS),
)
"""From `kubectl apply` to a served model."""
IN_PRODUCTION: tuple[Stage, ...] = (
    _stage("healthy", "labels say that it keeps its accuracy", is_healthy, within=90, look=_MODEL),
    _stage("settled", "the pause after a run is over", may_retrain, within=90, look=_MODEL),
)
"""Under traffic, before anything goes wrong."""
AFTER_THE_TURN: tuple[Stage, ...] = (
    _stage("fell", "the live accuracy is below the threshold", has_fallen, within=60, look=_MODEL),
    _stage("alarm", "the detector is sure, and says so", is_alarmed, within=60, look=_MODEL),
    _stage("collecting", "labels from since the fall are collected", collects_labels, within=30, look=_MODEL),
    _stage("retraining", "a run is started by the alarm", is_retraining, within=90, look=_MODEL),
    _stage(
        "gate", "it is trained on production records, and compared on newer ones", is_retrained, within=180, look=_JOBS
    ),
    _stage("passed", "it is better than the champion", passed_gate, within=180, look=_VERSIONS),
    _stage("promoted", "the clients' answers come from it", is_promoted, within=120, look=_PODS),
    _stage("recovered", "the live accuracy is above the threshold again", has_recovered, within=360, look=_MODEL),
)
"""What must come to pass by itself once the camera is turned."""
