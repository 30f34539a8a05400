"""What all our pods have in common: Pod Security `restricted`, no token of the API server, the user's pod settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from evermodel.api.template import EnvVar, PodTemplate, Resources
from evermodel.core import names

USER: Final = 65532
"""User and group of the images."""
HTTP: Final = "http"
"""Name of the port of what answers requests."""
GRPC: Final = "grpc"
"""Name of the port of what answers them by gRPC."""
RESTRICTED: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
"""Security context of every container."""
TMP_MOUNT: Final = "/tmp"  # noqa: S108 - an emptyDir of the pod's own
_TMP: Final = "tmp"

Part = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What runs in a pod, one container after the other.

    Attributes
    ----------
    main : dict
        The container that reports.
    before : tuple of dict
        Those that have to succeed before it, in their order.
    volumes : tuple of dict
        What they share.
    """

    main: Part
    before: tuple[Part, ...] = ()
    volumes: tuple[Part, ...] = ()


def pod_template(
    *,
    labels: dict[str, str],
    settings: PodTemplate,
    container: Part,
    before: tuple[Part, ...] = (),
    volumes: tuple[Part, ...] = (),
    grace_seconds: int,
    **spec: Any,
) -> Part:
    """Return the pod template of a workload.

    Parameters
    ----------
    labels : dict
        Labels of the operator, which those of the user do not replace.
    settings : PodTemplate
        What the user chose.
    container : dict
        The main container, as ``container`` makes it.
    before : tuple of dict
        Containers that have to succeed before it.
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
            **({"initContainers": list(before)} if before else {}),
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
    name: str = names.CONTAINER,
    **more: Any,
) -> Part:
    """Return a container of ours.

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
    name : str
        Name of the container.
    **more
        Further fields of the container.
    """
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": [command],
        "env": [*chosen_variables(settings.env), *env],
        "resources": chosen_resources(settings.resources, requests),
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": _TMP, "mountPath": TMP_MOUNT}, *mounts],
        **more,
    }


def chosen_variables(env: tuple[EnvVar, ...]) -> list[Part]:
    """Return the user's variables."""
    return [{"name": one.name, "value": one.value} for one in env]


def chosen_resources(chosen: Resources, requests: dict[str, str]) -> Part:
    """Return the user's resources, with ``requests`` where the user names none."""
    limits = {"limits": dict(chosen.limits)} if chosen.limits else {}
    return {"requests": requests | chosen.requests, **limits}


def from_secret(variable: str, secret: str, entry: str) -> Part:
    """Return an environment variable whose value only the kubelet reads."""
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": entry}}}


def serves_http(port: int, *, ready: str, live: str, grpc_port: int | None = None) -> Part:
    """Return the fields of a container that answers at a port, with the paths that say whether it can."""
    ports = {HTTP: port} if grpc_port is None else {HTTP: port, GRPC: grpc_port}
    return {
        "ports": [{"name": name, "containerPort": each, "protocol": "TCP"} for name, each in ports.items()],
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
