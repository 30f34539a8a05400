"""What the store keeps of an object: the rest only costs memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from evermodel.kube.client import FIELD_MANAGER
from evermodel.kube.kinds import AUTOSCALER, DEPLOYMENT, JOB, POD, Kind

_METADATA: Final = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    "annotations",
    "ownerReferences",
)
_STATUS_ONLY: Final = frozenset({JOB, POD})
"""Kinds whose spec nobody reads: Jobs and pods never change theirs."""
_OF_OTHER_TOOLS: Final = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})
_NUMBER_OF_PODS: Final[Mapping[str, Any]] = {"f:spec": {"f:replicas": {}}}
"""All that is kept of who owns which field."""


def prune(kind: Kind, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the parts of an object that plans are made from."""
    metadata = {field: manifest["metadata"][field] for field in _METADATA if field in manifest["metadata"]}
    annotations = metadata.get("annotations")
    if annotations:
        metadata["annotations"] = {key: text for key, text in annotations.items() if key not in _OF_OTHER_TOOLS}
    if kind is DEPLOYMENT:
        metadata["managedFields"] = [
            {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": _NUMBER_OF_PODS}
            for entry in manifest["metadata"].get("managedFields") or ()
            if _gives_number_of_pods(entry)
        ]
    kept: dict[str, Any] = {"metadata": metadata}
    if kind not in _STATUS_ONLY and "spec" in manifest:
        kept["spec"] = manifest["spec"]
    if kind is AUTOSCALER:  # what it measures changes every few seconds, and concerns nobody
        kept["status"] = {"conditions": (manifest.get("status") or {}).get("conditions") or []}
    elif "status" in manifest:
        kept["status"] = manifest["status"]
    return kept


def owns_number_of_pods(pruned: Mapping[str, Any]) -> bool:
    """Tell whether the operator, by what it applied, is an owner of a Deployment's ``replicas``."""
    return any(_gives_number_of_pods(entry) for entry in pruned["metadata"].get("managedFields") or ())


def _gives_number_of_pods(entry: Mapping[str, Any]) -> bool:
    applied = (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply")
    return applied and "f:replicas" in (entry.get("fieldsV1") or {}).get("f:spec", {})
