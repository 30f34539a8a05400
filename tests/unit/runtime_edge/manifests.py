"""Objects as the API server sends them: each valid, to be changed in one place."""

from __future__ import annotations

from typing import Any

from evermodel.core import names

NAMESPACE = "team"
MODEL = "digits"
MODEL_UID = "11111111-0000-0000-0000-000000000000"
VERSION_UID = "22222222-0000-0000-0000-000000000000"
JOB_UID = "33333333-0000-0000-0000-000000000000"
CREATED = "2026-11-24T08:00:00Z"

Object = dict[str, Any]


def metadata(name: str, uid: str, *, version: int = 1, **more: Any) -> Object:
    return {
        "name": name,
        "namespace": NAMESPACE,
        "uid": uid,
        "resourceVersion": str(version),
        "generation": 1,
        "creationTimestamp": CREATED,
        "managedFields": [{"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {}}}],
        **more,
    }


def owned_by(kind: str, name: str, uid: str) -> list[Object]:
    return [{"apiVersion": "evermodel.dev/v1alpha1", "kind": kind, "name": name, "uid": uid, "controller": True}]


def model(**more: Any) -> Object:
    return {
        "apiVersion": "evermodel.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": metadata(MODEL, MODEL_UID, **more),
        "spec": {
            "objective": {"threshold": 0.93},
            "data": {"train": {"uri": "sklearn://digits"}, "target": "target"},
            "training": {"estimator": "LogisticRegression", "parameters": {"C": 1}},
        },
        "status": {"observedGeneration": -1, "phase": "Pending"},
    }


def version(number: int = 1, *, uid: str = VERSION_UID, owner: str = MODEL_UID, **status: Any) -> Object:
    return {
        "apiVersion": "evermodel.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": metadata(
            names.version_name(MODEL, number),
            uid,
            labels={names.MODEL_LABEL: MODEL, names.VERSION_LABEL: str(number)},
            ownerReferences=owned_by("ModelDeployment", MODEL, owner),
        ),
        "spec": {
            "number": number,
            "trigger": {"reason": "FirstVersion", "message": "There is no version yet."},
            "trainingHash": "1:abc",
            "image": "runtime",
            "data": {"train": {"uri": "sklearn://digits"}, "target": "target"},
            "training": {"estimator": "LogisticRegression"},
        },
        "status": {"phase": "Training", **status},
    }


def job(*conditions: Object, number: int = 1) -> Object:
    name = names.train_job_name(MODEL, number)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(
            name,
            JOB_UID,
            labels=names.labels(names.Component.TRAIN, model=MODEL, version=number),
            ownerReferences=owned_by("ModelVersion", names.version_name(MODEL, number), VERSION_UID),
        ),
        "spec": {"template": {"spec": {"containers": [{"name": "evermodel"}]}}},
        "status": {"conditions": list(conditions)} if conditions else {},
    }


def condition(kind: str, reason: str = "", message: str = "") -> Object:
    return {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-11-24T08:05:00Z",
    }


def pod(
    name: str = "digits-v1-train-1-abcde", *, component: names.Component = names.Component.TRAIN, **status: Any
) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(
            name,
            f"uid-of-{name}",
            labels=names.labels(component, model=MODEL, version=1),
            ownerReferences=[{"apiVersion": "batch/v1", "kind": "Job", "name": "x", "uid": JOB_UID}],
        ),
        "spec": {"containers": [{"name": "evermodel", "env": [{"name": "EVERMODEL_RUN", "value": "{}"}]}]},
        "status": {"phase": "Pending", **status},
    }


def container(state: Object, **more: Any) -> list[Object]:
    return [{"name": "evermodel", "image": "evermodel-runtime:0.1.0", "state": state, **more}]


def custom(prepare: Object, trainer: Object | None = None, publish: Object | None = None, **more: Any) -> Object:
    """Return the statuses of a pod in which a container of the user's own makes the model."""
    waits = {"waiting": {"reason": "PodInitializing"}}
    init = container(prepare, name="prepare") + container(trainer or waits, name="trainer", image="own:1")
    return {"initContainerStatuses": init, "containerStatuses": container(publish or waits), **more}


def ended(exit_code: int, message: str = "", *, reason: str = "", at: str = CREATED) -> Object:
    why = reason or ("Error" if exit_code else "Completed")
    return {"terminated": {"exitCode": exit_code, "reason": why, "message": message, "finishedAt": at}}


def waiting(reason: str, message: str = "", **more: Any) -> list[Object]:
    return container({"waiting": {"reason": reason, "message": message}}, **more)


def terminated(exit_code: int, *, reason: str = "Completed", message: str = "") -> list[Object]:
    return container({"terminated": {"exitCode": exit_code, "reason": reason, "message": message}})


def deployment(number: int = 1, *, wanted: int = 2, generation: int = 1, **status: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(
            names.version_name(MODEL, number),
            "44444444-0000-0000-0000-000000000000",
            labels=names.labels(names.Component.SERVE, model=MODEL, version=number),
            annotations={names.APPLIED_ANNOTATION: "f00d", "deployment.kubernetes.io/revision": "1"},
            ownerReferences=owned_by("ModelDeployment", MODEL, MODEL_UID),
        )
        | {"generation": generation},
        "spec": {"replicas": wanted},
        "status": status,
    }


def autoscaler(**status: Any) -> Object:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(
            MODEL,
            "55555555-0000-0000-0000-000000000000",
            labels=names.labels(names.Component.SERVE, model=MODEL),
            ownerReferences=owned_by("ModelDeployment", MODEL, MODEL_UID),
        ),
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": names.version_name(MODEL, 1)}},
        "status": status,
    }
