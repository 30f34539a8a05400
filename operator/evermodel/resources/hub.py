"""The hub of a namespace: one pod on one volume, and the Service that it is reached at. No model owns it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from evermodel.api.template import PodTemplate
from evermodel.contract import HUB_KEY_ENV
from evermodel.core import names
from evermodel.core.actions import Manifest
from evermodel.core.observed import OperatorSettings
from evermodel.resources.pods import HTTP, container, from_secret, pod_template, serves_http
from evermodel.resources.stamp import stamped

POD: Final = f"{names.HUB}-0"
"""Name of the one pod."""
REQUESTS: Final = {"cpu": "100m", "memory": "256Mi"}
STORAGE: Final = "10Gi"
"""Asked of the default StorageClass; a claim can be enlarged, never made smaller."""
_DATA: Final = "data"
_DATA_MOUNT: Final = "/data"
_GRACE_SECONDS: Final = 30
_SELECTOR: Final = {names.APP_INSTANCE_LABEL: names.HUB, names.COMPONENT_LABEL: names.Component.HUB.value}


def build_hub_stateful_set(settings: OperatorSettings) -> Manifest:
    """Return the StatefulSet: a second pod on the same volume would be a second owner of what is counted once."""
    labels = names.labels(names.Component.HUB)
    pod_settings = PodTemplate()
    return stamped(
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": names.HUB, "labels": labels},
            "spec": {
                "serviceName": names.HUB,
                "replicas": 1,
                "selector": {"matchLabels": _SELECTOR},
                "template": pod_template(
                    labels=labels,
                    settings=pod_settings,
                    container=container(
                        image=settings.runtime_image,
                        command=names.Component.HUB.value,
                        settings=pod_settings,
                        env=(
                            from_secret(
                                HUB_KEY_ENV,
                                names.hub_secret_name(settings.hub_key_fingerprint),
                                names.HUB_KEY_ENTRY,
                            ),
                        ),
                        requests=REQUESTS,
                        mounts=({"name": _DATA, "mountPath": _DATA_MOUNT},),
                        **serves_http(names.HUB_PORT, ready="/readyz", live="/healthz"),
                    ),
                    grace_seconds=_GRACE_SECONDS,
                ),
                "volumeClaimTemplates": [
                    {
                        "apiVersion": "v1",
                        "kind": "PersistentVolumeClaim",
                        "metadata": {"name": _DATA},
                        "spec": {
                            "accessModes": ["ReadWriteOnce"],
                            "resources": {"requests": {"storage": STORAGE}},
                        },
                    }
                ],
            },
        }
    )


def build_hub_service(_settings: OperatorSettings) -> Manifest:
    """Return the Service."""
    return stamped(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": names.HUB, "labels": names.labels(names.Component.HUB)},
            "spec": {
                "type": "ClusterIP",
                "selector": _SELECTOR,
                "ports": [{"name": HTTP, "port": names.HUB_PORT, "targetPort": names.HUB_PORT, "protocol": "TCP"}],
            },
        }
    )


HUB_BUILDERS: Final[Mapping[str, Callable[[OperatorSettings], Manifest]]] = {
    "StatefulSet": build_hub_stateful_set,
    "Service": build_hub_service,
}
"""The hub's objects by kind, in the order in which they are applied."""
