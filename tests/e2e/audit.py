"""What the operator wrote, from the API server's own record of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tests.cluster.profiles import FULL
from tests.demo.clusters import SYSTEM

from evermodel.core.timestamps import parse_time

OPERATOR_USER: Final = f"system:serviceaccount:{SYSTEM}:evermodel-operator"
_CREATED: Final = frozenset({"jobs", "deployments", "services"})
"""What a model is made of: its creation is no cost of the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One request that was to change something."""

    at: datetime
    verb: str
    resource: str
    name: str
    body: str

    @property
    def is_overhead(self) -> bool:
        """Neither an Event nor a part of the model itself."""
        return self.resource not in _CREATED | {"events", "leases"}


def writes(namespace: str, since: datetime | None = None) -> list[Write]:
    """Return the operator's writes to a namespace of the local cluster, in order."""
    with (FULL.state / "audit.log").open(encoding="utf-8") as log:
        records = [json.loads(line) for line in log if namespace in line]
    own = [_write(record) for record in records if _is_of(record, namespace)]
    return [write for write in own if since is None or write.at > since]


async def first_writes(namespace: str, *, since: datetime, until: datetime) -> list[Write]:
    """Return what the operator writes up to a time, as soon as that is anything."""
    while not (found := writes(namespace, since)) and datetime.now(UTC) < until:  # noqa: ASYNC110 - a file
        await asyncio.sleep(1)
    return found


def _is_of(record: dict[str, Any], namespace: str) -> bool:
    return (record["user"]["username"], record["objectRef"].get("namespace")) == (OPERATOR_USER, namespace)


def _write(record: dict[str, Any]) -> Write:
    target, body = record["objectRef"], record.get("requestObject") or {}
    at = parse_time(record["requestReceivedTimestamp"])
    assert at is not None, record
    return Write(
        at=at,
        verb=record["verb"],
        resource="/".join(target[part] for part in ("resource", "subresource") if target.get(part)),
        name=target.get("name") or body.get("metadata", {}).get("name", ""),
        body=json.dumps(body, sort_keys=True),
    )
