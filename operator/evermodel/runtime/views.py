"""Objects as JSON has them → the views that plans are made from. Pure: no store, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from evermodel.api.modeldeployment import ModelDeploymentSpec, ModelDeploymentStatus
from evermodel.api.modelversion import ModelVersionSpec, ModelVersionStatus
from evermodel.contract import FailureReason
from evermodel.core.names import (
    APPLIED_ANNOTATION,
    COMPONENT_LABEL,
    OURS,
    REPLICAS_ANNOTATION,
    RETRAIN_ANNOTATION,
    TRAINER_CONTAINER,
    VERSION_LABEL,
    Component,
    metric_of,
)
from evermodel.core.observed import (
    AutoscalerView,
    DeploymentView,
    JobState,
    JobView,
    ModelKey,
    ModelView,
    ServiceView,
    VersionView,
)
from evermodel.runtime import pods as pods_of
from evermodel.runtime.pruning import owns_number_of_pods

Object = Mapping[str, Any]

_RUNS: Final = frozenset({Component.TRAIN.value, Component.SEARCH.value, Component.EVALUATE.value})
_ENDING: Final = frozenset({"FailureTarget", "SuccessCriteriaMet"})
"""Conditions of a Job that will end when its pods have."""
_WORKS: Final = frozenset({"AbleToScale", "ScalingActive"})
"""Conditions of a HorizontalPodAutoscaler that are false where it can do nothing."""
_NO_POD_YET: Final = timedelta(seconds=10)
"""How long the Job controller may take before it is worth a word that there is no pod."""


def model_view(manifest: Object) -> ModelView:
    """Read a ModelDeployment."""
    metadata = manifest["metadata"]
    return ModelView(
        key=ModelKey(namespace=metadata["namespace"], name=metadata["name"]),
        uid=metadata["uid"],
        generation=metadata["generation"],
        resource_version=metadata["resourceVersion"],
        created_at=datetime.fromisoformat(metadata["creationTimestamp"]),
        spec=msgspec.convert(manifest["spec"], ModelDeploymentSpec),
        status=msgspec.convert(manifest.get("status") or {}, ModelDeploymentStatus),
        retrain_request=_annotation(manifest, RETRAIN_ANNOTATION),
        deleting="deletionTimestamp" in metadata,
    )


def version_view(manifest: Object) -> VersionView:
    """Read a ModelVersion."""
    metadata = manifest["metadata"]
    return VersionView(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        created_at=datetime.fromisoformat(metadata["creationTimestamp"]),
        spec=msgspec.convert(manifest["spec"], ModelVersionSpec),
        status=msgspec.convert(manifest.get("status") or {}, ModelVersionStatus),
        deleting="deletionTimestamp" in metadata,
    )


def job_view(manifest: Object, pods: Iterable[Object], now: datetime) -> JobView:
    """Read a Job and its pods; the newest pod speaks for it."""
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    own = [pod for pod in pods if _is_owned_by(pod, metadata["uid"])]
    pod = pods_of.newest(own)
    ended = pods_of.ending(pod) if pod is not None else None
    created_at = datetime.fromisoformat(metadata["creationTimestamp"])
    state, condition = _job_state(status, own)
    has_ended = state in (JobState.SUCCEEDED, JobState.FAILED)
    evicted = pods_of.why_evicted(pod) if pod is not None else ""
    overdue = pods_of.overdue(pod) if pod is not None else None
    failure = _job_failure(condition, ended, overdue) if state is JobState.FAILED else None
    if state is JobState.FAILED:
        message = evicted or _words_on_time(overdue) or _words_of(ended, failure) or str(condition.get("message") or "")
    elif has_ended:
        message = ""
    elif pod is not None:
        message = pods_of.why_not_running(pod)
    else:
        message = _why_no_pod(metadata["name"]) if now - created_at > _NO_POD_YET else ""
    return JobView(
        name=metadata["name"],
        uid=metadata["uid"],
        owner_uid=_owner_uid(manifest),
        state=state,
        created_at=created_at,
        deleting="deletionTimestamp" in metadata,
        report=ended.report if has_ended and ended is not None else None,
        exit_code=ended.exit_code if has_ended and ended is not None else None,
        failure=failure,
        message=message,
        missing_secret=not has_ended and pod is not None and pods_of.misses_secret(pod),
        live_pods=sum(pods_of.is_live(pod) for pod in own),
        pending_since=_pending_since(pod, now),
        finished_at=_time(condition.get("lastTransitionTime")),
    )


def orphaned(pods: Iterable[Object], jobs: Iterable[Object]) -> frozenset[int]:
    """Return the versions of pods that train or evaluate for a Job that is gone: they end some seconds after it."""
    owners = {job["metadata"]["uid"] for job in jobs}
    left = (pod for pod in pods if _component(pod) in _RUNS and pods_of.is_live(pod))
    numbers = (version_number(pod) for pod in left if not any(_is_owned_by(pod, uid) for uid in owners))
    return frozenset(number for number in numbers if number is not None)


def deployment_view(manifest: Object, pods: Sequence[Object], *, drifted: bool) -> DeploymentView:
    """Read a serving Deployment and the pods of its version."""
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    replicas = int(manifest["spec"].get("replicas", 1))
    updated = int(status.get("updatedReplicas") or 0)
    seen = int(status.get("observedGeneration") or 0) >= metadata.get("generation", 0)
    waiting = [pod for pod in pods if not pods_of.is_ready(pod)]
    messages = [message for pod in waiting if (message := pods_of.why_not_running(pod))]
    kept = _annotation(manifest, REPLICAS_ANNOTATION)
    return DeploymentView(
        name=metadata["name"],
        uid=metadata["uid"],
        version=version_number(manifest) or 0,
        replicas=replicas,
        ready_replicas=int(status.get("readyReplicas") or 0),
        updated=seen and updated == replicas == int(status.get("replicas") or 0),
        fingerprint=_annotation(manifest, APPLIED_ANNOTATION),
        drifted=drifted,
        owns_replicas=owns_number_of_pods(manifest),
        kept_replicas=int(kept) if kept.isdecimal() else None,
        message=messages[0] if messages else _deployment_failure(status),
        missing_secret=any(pods_of.misses_secret(pod) for pod in waiting),
        stuck=_has_given_up(status),
        deleting="deletionTimestamp" in metadata,
    )


def service_view(manifest: Object, *, drifted: bool) -> ServiceView:
    """Read the Service at a model's URL."""
    return ServiceView(
        name=manifest["metadata"]["name"],
        version=version_selected(manifest),
        fingerprint=_annotation(manifest, APPLIED_ANNOTATION),
        drifted=drifted,
    )


def autoscaler_view(manifest: Object, *, drifted: bool) -> AutoscalerView:
    """Read the HorizontalPodAutoscaler of a model; the first of its conditions that is false speaks for it."""
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    conditions = [one for one in status.get("conditions") or () if one["type"] in _WORKS]
    broken = next((one for one in conditions if one["status"] == "False"), None)
    return AutoscalerView(
        name=metadata["name"],
        uid=metadata["uid"],
        fingerprint=_annotation(manifest, APPLIED_ANNOTATION),
        drifted=drifted,
        deleting="deletionTimestamp" in metadata,
        works=broken is None if conditions else None,
        message=_sentence(str(broken.get("message") or broken.get("reason") or "")) if broken is not None else "",
        fails_since=_time(broken.get("lastTransitionTime")) if broken is not None else None,
    )


def version_number(manifest: Object) -> int | None:
    """Return the version that an object belongs to, by its label."""
    return _version_in(manifest["metadata"].get("labels"))


def version_selected(manifest: Object) -> int | None:
    """Return the version whose pods a Service's selector matches."""
    return _version_in(manifest["spec"].get("selector"))


def _version_in(labels: Mapping[str, str] | None) -> int | None:
    number = (labels or {}).get(VERSION_LABEL, "")
    return int(number) if number.isdecimal() else None


def _annotation(manifest: Object, name: str) -> str:
    return str((manifest["metadata"].get("annotations") or {}).get(name, ""))


def _component(manifest: Object) -> str:
    return str((manifest["metadata"].get("labels") or {}).get(COMPONENT_LABEL, ""))


def _pending_since(pod: Object | None, now: datetime) -> datetime | None:
    """Return since when the newest pod may wait; one that was disrupted is about to be made again."""
    if pod is None:
        return None
    return datetime.fromisoformat(pods_of.waits_since(pod)) if pods_of.is_live(pod) else now


def _owner_uid(manifest: Object) -> str:
    owners = manifest["metadata"].get("ownerReferences") or ()
    return str(next((owner["uid"] for owner in owners if owner.get("controller")), ""))


def _is_owned_by(manifest: Object, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in manifest["metadata"].get("ownerReferences") or ())


def _job_state(status: Object, pods: Iterable[Object]) -> tuple[JobState, Object]:
    """Return the state and the condition that says so. FailureTarget and SuccessCriteriaMet are not the end yet.

    Nor does a Job wait for its pod then, though the pod may be gone already.
    """
    ending = False
    for condition in status.get("conditions") or ():
        if condition["status"] == "True" and condition["type"] == "Complete":
            return JobState.SUCCEEDED, condition
        if condition["status"] == "True" and condition["type"] == "Failed":
            return JobState.FAILED, condition
        ending |= condition["status"] == "True" and condition["type"] in _ENDING
    running = ending or any(pods_of.is_live(pod) and pods_of.has_started(pod) for pod in pods)
    return (JobState.RUNNING if running else JobState.PENDING), {}


def _job_failure(condition: Object, ended: pods_of.Ending | None, overdue: str | None) -> FailureReason | None:
    if ended is not None and ended.reason == pods_of.OUT_OF_MEMORY:
        return FailureReason.OUT_OF_MEMORY
    if overdue is not None or condition.get("reason") == "DeadlineExceeded":
        return FailureReason.DEADLINE_EXCEEDED
    if ended is not None and ended.container == TRAINER_CONTAINER:
        return FailureReason.TRAINER_FAILED
    if ended is not None and metric_of(ended.container) is not None:
        return FailureReason.METRIC_FAILED
    return None


def _words_of(ended: pods_of.Ending | None, failure: FailureReason | None) -> str:
    """Say how the user's container failed, which no report does."""
    if ended is None or ended.container in OURS:
        return ""
    what = f"The container of {_declared_at(ended.container)} ended with exit code {ended.exit_code}"
    if failure is FailureReason.OUT_OF_MEMORY:
        return f"{what}, out of memory: raise {_declared_at(ended.container)}.resources.limits.memory."
    if failure in {FailureReason.TRAINER_FAILED, FailureReason.METRIC_FAILED}:
        return f"{what}. Its last words: {ended.said}" if ended.said else f"{what} and said nothing."
    return ""


def _words_on_time(overdue: str | None) -> str:
    """Say which container of the user's was not done when the deadline had passed."""
    if overdue is None or overdue in OURS:
        return ""
    return (
        f"The container of {_declared_at(overdue)} was not done when spec.training.deadline had passed, and was "
        "stopped: see its log, make it faster, or raise the deadline."
    )


def _declared_at(container: str) -> str:
    metric = metric_of(container)
    return "spec.training.container" if metric is None else f"spec.evaluation.customMetrics[{metric}]"


def _why_no_pod(job: str) -> str:
    return f"the Job has no pod: a quota or an admission policy may refuse it; see kubectl describe job {job}"


def _sentence(words: str) -> str:
    return words if words.endswith(".") else f"{words}."


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _has_given_up(status: Object) -> bool:
    return any(
        (condition["type"], condition["status"], condition.get("reason"))
        == ("Progressing", "False", "ProgressDeadlineExceeded")
        for condition in status.get("conditions") or ()
    )


def _deployment_failure(status: Object) -> str:
    for condition in status.get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return str(condition.get("message") or condition.get("reason") or "")
    return ""
