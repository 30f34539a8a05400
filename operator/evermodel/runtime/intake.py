"""Where news of the cluster comes in: into the store, and the names of the models concerned into the work queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evermodel.core.names import COMPONENT_LABEL, Component
from evermodel.core.observed import ModelKey
from evermodel.kube.kinds import MODEL, Kind
from evermodel.runtime.store import Change, Store, key_of, owner_of
from evermodel.runtime.workqueue import WorkQueue


class Intake:
    """Writes nothing to the cluster."""

    def __init__(self, store: Store, queue: WorkQueue[ModelKey]) -> None:
        self._store = store
        self._queue = queue

    def saw(self, kind: Kind, manifest: Mapping[str, Any]) -> None:
        """Take a state of an object; one that is known concerns nobody."""
        if self._store.put(kind, manifest) is Change.STORED:
            self._enqueue(kind, manifest)

    def gone(self, kind: Kind, manifest: Mapping[str, Any]) -> None:
        """Take that an object was deleted."""
        if self._store.remove(kind, key_of(manifest), manifest["metadata"]["uid"]) is Change.STORED:
            self._enqueue(kind, manifest)

    def _enqueue(self, kind: Kind, manifest: Mapping[str, Any]) -> None:
        for key in self._concerned(kind, manifest):
            self._queue.add(key)

    def _concerned(self, kind: Kind, manifest: Mapping[str, Any]) -> list[ModelKey]:
        metadata = manifest["metadata"]
        if kind is MODEL:
            return [ModelKey(namespace=metadata["namespace"], name=metadata["name"])]
        if (metadata.get("labels") or {}).get(COMPONENT_LABEL) == Component.HUB:
            return self._store.models(metadata["namespace"])  # the hub serves them all
        owner = owner_of(manifest)
        return [owner] if owner is not None else []
