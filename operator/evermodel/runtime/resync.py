"""Lists everything in pages: before the first plan, so that the store is surely full, and now and then after that.

Informers miss deletions when they list anew after a gap (410); a list shows these ghosts, and they are evicted.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from evermodel.core.observed import ModelKey
from evermodel.kube.client import KubeClient, Object
from evermodel.kube.errors import Expired, KubeError, NotFound
from evermodel.kube.kinds import Kind
from evermodel.runtime.intake import Intake
from evermodel.runtime.store import WATCHED, ObjectKey, Store, key_of
from evermodel.runtime.workqueue import WorkQueue

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 2.0


class Resync:
    """Makes the store agree with lists of the API server."""

    def __init__(
        self,
        *,
        client: KubeClient,
        store: Store,
        intake: Intake,
        queue: WorkQueue[ModelKey],
        namespaces: tuple[str, ...],
    ) -> None:
        self._client = client
        self._store = store
        self._intake = intake
        self._queue = queue
        self._namespaces: tuple[str | None, ...] = namespaces or (None,)

    async def fill(self) -> None:
        """List until it succeeds once; the CRDs may not be there yet when operator and CRDs are installed together."""
        while True:
            try:
                await self.once()
            except NotFound as error:
                logger.warning("a kind is not there: install the CRDs", extra={"error": str(error)})
            except KubeError as error:
                logger.warning("the first list failed", extra={"error": str(error)})
            else:
                return
            await asyncio.sleep(_RETRY_SECONDS)

    async def run(self, interval: timedelta) -> None:
        """List again and again, for ever."""
        while True:
            await asyncio.sleep(interval.total_seconds())
            try:
                await self.once()
            except KubeError as error:
                logger.warning("a list failed; the next will make up for it", extra={"error": str(error)})

    async def once(self) -> None:
        """List all kinds, evict what is gone, and have every model looked at."""
        for kind in WATCHED:
            for namespace in self._namespaces:
                await self._agree(kind, namespace)
        for key in self._store.models():
            self._queue.add(key)

    async def _agree(self, kind: Kind, namespace: str | None) -> None:
        before = {
            key_of(known): (known["metadata"]["uid"], known["metadata"]["resourceVersion"])
            for known in self._store.all(kind)
            if namespace is None or known["metadata"]["namespace"] == namespace
        }
        listed = await self._list(kind, namespace)
        for manifest in listed:
            self._intake.saw(kind, manifest)
        there = {key_of(manifest) for manifest in listed}
        for key, (uid, version) in before.items():
            if key not in there:
                self._evict(kind, key, uid, version)

    def _evict(self, kind: Kind, key: ObjectKey, uid: str, version: str) -> None:
        """Forget an object that no list shows, unless it changed since the list began."""
        known = self._store.get(kind, key)
        if known is None or (known["metadata"]["uid"], known["metadata"]["resourceVersion"]) != (uid, version):
            return
        logger.info("evicted what a watch missed", extra={"kind": kind.name, "object": "/".join(key)})
        self._intake.gone(kind, known)

    async def _list(self, kind: Kind, namespace: str | None) -> list[Object]:
        while True:
            try:
                return await self._pages(kind, namespace)
            except Expired:
                logger.info("a list took too long and begins anew", extra={"kind": kind.name})

    async def _pages(self, kind: Kind, namespace: str | None) -> list[Object]:
        found: list[Object] = []
        start: str | None = None
        while True:
            page = await self._client.page(kind, namespace, selector=WATCHED[kind], start=start)
            found.extend(page.items)
            if page.next_page is None:
                return found
            start = page.next_page
