"""Which of the replicas works: the one that holds the Lease.

A holder that cannot renew within the renew deadline ends its process, well before another replica may take the Lease
over. Until it has ended, and should it have stood still for a while (a paused machine, a starved process), its client
refuses to write: what it would go on with was decided from a state that is no longer. A Lease is no fence all the same,
for a request may be on its way: actions are idempotent and status writes are guarded by resourceVersion.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from evermodel.kube.client import FIELD_MANAGER, KubeClient, Object, Page
from evermodel.kube.errors import Conflict, KubeError, NotFound, Transient
from evermodel.kube.kinds import LEASE, Kind
from evermodel.runtime.settings import LeaseSettings

logger = logging.getLogger(__name__)


class LeaseLost(Exception):  # noqa: N818 - what happened, not what is wrong
    """Another replica may be working: this process must end at once."""


class Leadership:
    """Takes, keeps and gives back the Lease."""

    def __init__(self, client: KubeClient, settings: LeaseSettings) -> None:
        self._client = client
        self._settings = settings
        self._seen: tuple[str, float] = ("", 0.0)
        """State of somebody else's Lease and when it was first seen, by this process's own clock."""
        self._held: Object | None = None
        self._renewed = 0.0
        """When the request began that took or renewed the Lease last, by this process's own clock."""

    def check(self) -> None:
        """Raise LeaseLost unless this process surely holds the Lease at this moment."""
        age = asyncio.get_running_loop().time() - self._renewed
        if self._held is None or age > self._settings.renew_deadline.total_seconds():
            raise LeaseLost("the lease has run out")

    async def acquire(self) -> bool:
        """Wait until this process holds the Lease; returns whether it did so at once."""
        logger.info("waiting for the lease", extra={"identity": self._settings.identity})
        waited = False
        while self._held is None:
            try:
                began = asyncio.get_running_loop().time()
                self._held = await self._try_to_take()
                self._renewed = began
            except KubeError as error:
                logger.warning("the lease could not be taken", extra={"error": str(error)})
            if self._held is None:
                waited = True
                await asyncio.sleep(self._settings.retry_period.total_seconds())
        logger.info("leading", extra={"identity": self._settings.identity})
        return not waited

    async def keep(self) -> None:
        """Renew until that fails for too long; raises LeaseLost then."""
        while True:
            await asyncio.sleep(self._settings.renew_interval.total_seconds())
            try:
                async with asyncio.timeout(self._settings.renew_deadline.total_seconds()):
                    await self._renew()
            except TimeoutError as error:
                self._held = None
                raise LeaseLost("the lease could not be renewed in time") from error

    async def release(self) -> None:
        """Give the Lease back, so that another replica need not wait for it to run out."""
        if self._held is None:
            return
        held, self._held = self._held, None
        try:
            await self._write(held, {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _now()})
        except KubeError as error:
            logger.warning("the lease could not be given back", extra={"error": str(error)})

    async def _try_to_take(self) -> Object | None:
        namespace, name = self._settings.namespace, self._settings.name
        try:
            lease = await self._client.get(LEASE, namespace, name)
        except NotFound:
            manifest = {
                "apiVersion": LEASE.api_version,
                "kind": LEASE.name,
                "metadata": {"name": name},
                "spec": self._claim(0),
            }
            return await self._client.create(LEASE, namespace, manifest)
        spec = lease.get("spec") or {}
        if spec.get("holderIdentity") and not self._has_run_out(lease):
            return None
        return await self._write(lease, self._claim(int(spec.get("leaseTransitions") or 0) + 1))

    def _has_run_out(self, lease: Object) -> bool:
        """Judge by this process's own clock how long the Lease has not changed: clocks of nodes differ."""
        now = asyncio.get_running_loop().time()
        version = lease["metadata"]["resourceVersion"]
        if self._seen[0] != version:
            self._seen = (version, now)
        duration = float(lease["spec"].get("leaseDurationSeconds") or self._settings.duration.total_seconds())
        return now - self._seen[1] > duration

    async def _renew(self) -> None:
        """Renew once, trying again until the caller's deadline."""
        while self._held is not None:
            began = asyncio.get_running_loop().time()
            try:
                self._held = await self._write(self._held, {"renewTime": _now()})
                self._renewed = began
            except Conflict as error:
                self._held = await self._reread()
                if self._held is None:
                    raise LeaseLost("another replica took the lease") from error
            except NotFound as error:
                raise LeaseLost("the lease was deleted") from error
            except KubeError as error:
                logger.warning("the lease was not renewed", extra={"error": str(error)})
            else:
                return
            await asyncio.sleep(self._settings.retry_period.total_seconds())

    async def _reread(self) -> Object | None:
        """Look after a conflict whether the Lease is still ours, as when an answer was lost on its way."""
        try:
            lease = await self._client.get(LEASE, self._settings.namespace, self._settings.name)
        except Transient:
            return self._held  # not known: the next attempt conflicts again and asks again
        except KubeError:
            return None
        ours = (lease.get("spec") or {}).get("holderIdentity") == self._settings.identity
        return lease if ours else None

    async def _write(self, lease: Object, spec: dict[str, Any]) -> Object:
        guard = {"resourceVersion": lease["metadata"]["resourceVersion"]}
        patch = {"metadata": guard, "spec": spec}
        return await self._client.patch(LEASE, self._settings.namespace, self._settings.name, patch)

    def _claim(self, transitions: int) -> dict[str, Any]:
        now = _now()
        return {
            "holderIdentity": self._settings.identity,
            "leaseDurationSeconds": max(1, round(self._settings.duration.total_seconds())),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }


class LeadersClient:
    """A KubeClient that writes only while its process holds the Lease, and raises LeaseLost otherwise."""

    def __init__(self, client: KubeClient, leadership: Leadership) -> None:
        self._client = client
        self._leadership = leadership

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Read one object."""
        return await self._client.get(kind, namespace, name)

    async def page(self, kind: Kind, namespace: str | None, *, selector: str, start: str | None) -> Page:
        """Read one page of a list."""
        return await self._client.page(kind, namespace, selector=selector, start=start)

    async def create(self, kind: Kind, namespace: str, manifest: Object) -> Object:
        """Create an object."""
        self._leadership.check()
        return await self._client.create(kind, namespace, manifest)

    async def apply(
        self, kind: Kind, namespace: str, name: str, manifest: Object, *, manager: str = FIELD_MANAGER
    ) -> Object:
        """Server-side apply."""
        self._leadership.check()
        return await self._client.apply(kind, namespace, name, manifest, manager=manager)

    async def patch(self, kind: Kind, namespace: str, name: str, patch: Object) -> Object:
        """JSON merge patch."""
        self._leadership.check()
        return await self._client.patch(kind, namespace, name, patch)

    async def patch_status(self, kind: Kind, namespace: str, name: str, patch: Object) -> Object:
        """JSON merge patch of the status."""
        self._leadership.check()
        return await self._client.patch_status(kind, namespace, name, patch)

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str) -> None:
        """Delete an object and what it owns."""
        self._leadership.check()
        await self._client.delete(kind, namespace, name, uid=uid)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
