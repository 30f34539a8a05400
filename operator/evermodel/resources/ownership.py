"""Owner references: what Kubernetes deletes together with what."""

from __future__ import annotations

from typing import Any

from evermodel.api import API_VERSION
from evermodel.core.observed import ModelView, VersionView


def owned_by_model(model: ModelView) -> list[dict[str, Any]]:
    """Return the owner references of what lives as long as a ModelDeployment."""
    return [_reference("ModelDeployment", model.key.name, model.uid)]


def owned_by_version(version: VersionView) -> list[dict[str, Any]]:
    """Return the owner references of what lives as long as a ModelVersion."""
    return [_reference("ModelVersion", version.name, version.uid)]


def _reference(kind: str, name: str, uid: str) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
