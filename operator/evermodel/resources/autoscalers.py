"""The HorizontalPodAutoscaler of a model: it follows the version that takes the traffic."""

from __future__ import annotations

from typing import Any, Final

from evermodel.api.modeldeployment import Autoscaling
from evermodel.core import names
from evermodel.core.actions import Manifest
from evermodel.core.observed import ModelView
from evermodel.resources.ownership import owned_by_model
from evermodel.resources.stamp import stamped

_STABLE_SECONDS: Final = 300
"""Pods go when they were not needed all this time: a lull does not cost a cold start."""
_MOST_AT_ONCE: Final = {"type": "Percent", "value": 50, "periodSeconds": 60}
"""And then at most half of them a minute, so that a wrong measurement does not take all of them."""


def build_autoscaler(model: ModelView, version: int, autoscaling: Autoscaling) -> Manifest:
    """Return the HorizontalPodAutoscaler that scales the Deployment of one version; up it scales as it always does."""
    return stamped(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {
                "name": model.key.name,
                "labels": names.labels(names.Component.SERVE, model=model.key.name),
                "ownerReferences": owned_by_model(model),
            },
            "spec": {
                "scaleTargetRef": {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": names.version_name(model.key.name, version),
                },
                "minReplicas": autoscaling.min_replicas,
                "maxReplicas": autoscaling.max_replicas,
                "metrics": _metrics(autoscaling),
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": _STABLE_SECONDS, "policies": [_MOST_AT_ONCE]}},
            },
        }
    )


def _metrics(autoscaling: Autoscaling) -> list[dict[str, Any]]:
    metrics: list[dict[str, Any]] = []
    if autoscaling.cpu_utilization is not None:
        target = {"type": "Utilization", "averageUtilization": autoscaling.cpu_utilization}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    if autoscaling.in_flight is not None:
        target = {"type": "AverageValue", "averageValue": str(autoscaling.in_flight)}
        metrics.append({"type": "Pods", "pods": {"metric": {"name": names.IN_FLIGHT_METRIC}, "target": target}})
    return metrics
