"""The Service at a model's URL: its selector alone decides which version takes traffic."""

from __future__ import annotations

from evermodel.api.modeldeployment import Grpc
from evermodel.core import names
from evermodel.core.actions import Manifest
from evermodel.core.observed import ModelView
from evermodel.resources.ownership import owned_by_model
from evermodel.resources.pods import GRPC, HTTP
from evermodel.resources.stamp import stamped


def build_service(model: ModelView, version: int) -> Manifest:
    """Return the Service that sends all traffic to one version."""
    return stamped(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": model.key.name,
                "labels": names.labels(names.Component.SERVE, model=model.key.name),
                "ownerReferences": owned_by_model(model),
            },
            "spec": {
                "type": "ClusterIP",
                "selector": names.serving_selector(model.key.name, version),
                "ports": [
                    {"name": HTTP, "port": names.SERVICE_PORT, "targetPort": names.SERVE_PORT, "protocol": "TCP"},
                    *_grpc(model.spec.serving.grpc),
                ],
            },
        }
    )


def _grpc(declared: Grpc | None) -> list[Manifest]:
    if declared is None:
        return []
    port = {"name": GRPC, "port": declared.port, "targetPort": names.GRPC_PORT, "protocol": "TCP"}
    return [port | {"appProtocol": "kubernetes.io/h2c"}]  # what gateways and meshes must know to speak HTTP/2
