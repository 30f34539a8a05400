"""What all our pods have in common: Pod Security `restricted`, no token of the API server, the user's pod settings."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from evermodel.api.template import PodTemplate
from evermodel.core import names

USER: Final = 65532
"""User and group of the images."""
HTTP: Final = "http"
"""Name of the port of what answers requests."""
_TMP: Final = "tmp"

Part = dict[str, Any]


def pod_template(
    *,
    labels: dict[str, str],
    settings: PodTemplate,
    container: Part,
    volumes: tuple[Part, ...] = (),
    grace_seconds: int,
    **spec: Any,
) -> Part:
    """Return the pod template of a workload with one container.

    Parameters
    ----------
    labels : dict
        Labels of the operator, which those of the user do not replace.
    settings : PodTemplate
        What the user chose.
    container : dict
        The container as ``container`` makes it.
    volumes : tuple of dict
        Volumes besides the folder for temporary files.
    grace_seconds : int
        Time between SIGTERM and SIGKILL.
    **spec
        Further fields of the pod's spec.
    """
    metadata: Part = {"labels": settings.labels | labels}
    if settings.annotations:
        metadata["annotations"] = dict(settings.annotations)
    return {
        "metadata": metadata,
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": grace_seconds,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [{"name": _TMP, "emptyDir": {}}, *volumes],
            **_placement(settings),
            **spec,
        },
    }


def container(
    *,
    image: str,
    command: str,
    settings: PodTemplate,
    env: tuple[Part, ...],
    requests: dict[str, str],
    mounts: tuple[Part, ...] = (),
    **more: Any,
) -> Part:
    """Return the container of a pod.

    Parameters
    ----------
    image : str
        The image unless the user chose one.
    command : str
        Entry point of the runtime image: train, evaluate, serve or hub.
    settings : PodTemplate
        What the user chose.
    env : tuple of dict
        The operator's variables, which come last, so that no other of their names counts.
    requests : dict
        Compute resources that are set aside where the user names none.
    mounts : tuple of dict
        Mounted volumes besides the folder for temporary files.
    **more
        Further fields of the container.
    """
    chosen = [{"name": one.name, "value": one.value} for one in settings.env]
    return {
        "name": names.CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": [command],
        "env": [*chosen, *env],
        "resources": {
            "requests": requests | settings.resources.requests,
            **({"limits": dict(settings.resources.limits)} if settings.resources.limits else {}),
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": _TMP, "mountPath": "/tmp"}, *mounts],  # noqa: S108 - an emptyDir of the pod's own
        **more,
    }


def from_secret(variable: str, secret: str, entry: str) -> Part:
    """Return an environment variable whose value only the kubelet reads."""
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": entry}}}


def serves_http(port: int, *, ready: str, live: str) -> Part:
    """Return the fields of a container that answers at a port, with the paths that say whether it can."""
    return {
        "ports": [{"name": HTTP, "containerPort": port, "protocol": "TCP"}],
        "readinessProbe": _probe(ready, period=2, failures=3),
        "livenessProbe": _probe(live, period=10, failures=6),
    }


def _probe(path: str, *, period: int, failures: int) -> Part:
    return {
        "httpGet": {"path": path, "port": HTTP},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _placement(settings: PodTemplate) -> Part:
    wanted: Part = {
        "priorityClassName": settings.priority_class_name,
        "nodeSelector": dict(settings.node_selector),
        "tolerations": [_toleration(msgspec.structs.asdict(one)) for one in settings.tolerations],
        "imagePullSecrets": [{"name": name} for name in settings.image_pull_secrets],
    }
    return {field: value for field, value in wanted.items() if value}


def _toleration(fields: Part) -> Part:
    return {field: value for field, value in fields.items() if value}
