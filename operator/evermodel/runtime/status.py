"""Status writes: one merge patch of what differs, guarded by the resourceVersion that the plan was made from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from evermodel.api.conditions import ConditionStatus, ConditionType, Reason
from evermodel.api.modeldeployment import ModelDeploymentStatus
from evermodel.api.modelversion import ModelVersionStatus
from evermodel.core.conditions import Wanted, set_conditions
from evermodel.core.observed import ModelView
from evermodel.kube.client import KubeClient, Object
from evermodel.kube.kinds import Kind

S = TypeVar("S", ModelDeploymentStatus, ModelVersionStatus)


async def write_status(
    client: KubeClient, kind: Kind, namespace: str, name: str, *, resource_version: str, known: S, wanted: S
) -> Object | None:
    """Patch a status when it differs; returns the object as it is then, or None when there was nothing to write."""
    if known == wanted:
        return None
    patch = {
        "metadata": {"resourceVersion": resource_version},
        "status": merge_patch(msgspec.to_builtins(known), msgspec.to_builtins(wanted)),
    }
    return await client.patch_status(kind, namespace, name, patch)


def merge_patch(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what turns one object into another (RFC 7386): null removes, lists are replaced whole."""
    patch: dict[str, Any] = {key: None for key in known if key not in wanted}
    for key, value in wanted.items():
        if key not in known:
            patch[key] = value
        elif known[key] != value:
            both = isinstance(value, dict) and isinstance(known[key], dict)
            patch[key] = merge_patch(known[key], value) if both else value
    return patch


def failing(model: ModelView, planned: ModelDeploymentStatus, message: str, now: datetime) -> ModelDeploymentStatus:
    """Return a planned status with the reason why the step failed that was to follow."""
    kept = [
        Wanted(type=condition.type, status=condition.status, reason=condition.reason, message=condition.message)
        for condition in planned.conditions
        if condition.type is not ConditionType.RECONCILING
    ]
    retrying = Wanted(
        type=ConditionType.RECONCILING, status=ConditionStatus.TRUE, reason=Reason.RETRYING, message=message
    )
    known = model.status.conditions
    conditions = set_conditions(known, [*kept, retrying], generation=model.generation, now=now)
    return msgspec.structs.replace(planned, conditions=conditions)
