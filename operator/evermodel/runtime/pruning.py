"""What the store keeps of an object: the rest only costs memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from evermodel.kube.kinds import JOB, POD, Kind

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


def prune(kind: Kind, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the parts of an object that plans are made from."""
    metadata = {field: manifest["metadata"][field] for field in _METADATA if field in manifest["metadata"]}
    annotations = metadata.get("annotations")
    if annotations:
        metadata["annotations"] = {key: text for key, text in annotations.items() if key not in _OF_OTHER_TOOLS}
    kept: dict[str, Any] = {"metadata": metadata}
    if kind not in _STATUS_ONLY and "spec" in manifest:
        kept["spec"] = manifest["spec"]
    if "status" in manifest:
        kept["status"] = manifest["status"]
    return kept
