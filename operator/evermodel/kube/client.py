"""What the operator asks of the API server, in JSON objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from evermodel.kube.kinds import Kind

Object = dict[str, Any]
"""A Kubernetes object as JSON has it."""

FIELD_MANAGER = "evermodel"
"""Owner of the fields that the operator applies."""
REPLICAS_MANAGER = "evermodel-handed-over"
"""Owner of a Deployment's ``replicas`` from when the operator lets go until an autoscaler sets them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list."""

    items: tuple[Object, ...]
    resource_version: str
    """The state of the cluster that all pages of this list show."""
    next_page: str | None


class KubeClient(Protocol):
    """Requests to the API server. Each has a timeout of its own and raises a KubeError when it is not fulfilled."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Read one object."""
        ...

    async def page(self, kind: Kind, namespace: str | None, *, selector: str, start: str | None) -> Page:
        """Read one page of a namespace's objects, or (None) of all; ``start`` is the last page's ``next_page``."""
        ...

    async def create(self, kind: Kind, namespace: str, manifest: Object) -> Object:
        """Create an object; AlreadyExists when one of its name is there."""
        ...

    async def apply(
        self, kind: Kind, namespace: str, name: str, manifest: Object, *, manager: str = FIELD_MANAGER
    ) -> Object:
        """Server-side apply: the fields of the manifest become as it says, and the manager's."""
        ...

    async def patch(self, kind: Kind, namespace: str, name: str, patch: Object) -> Object:
        """JSON merge patch; Conflict when it names a resourceVersion that is not the object's."""
        ...

    async def patch_status(self, kind: Kind, namespace: str, name: str, patch: Object) -> Object:
        """JSON merge patch of the status; Conflict when it names a resourceVersion that is not the object's."""
        ...

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str) -> None:
        """Delete an object and, in the background, what it owns; Conflict when its UID is another."""
        ...
