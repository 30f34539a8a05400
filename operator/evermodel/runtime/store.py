"""What the operator knows of the cluster: pruned objects by kind and name, and by the ModelDeployment they belong to.

Informers, lists and the answers to the operator's own writes all end here. They come in any order, so an object is
replaced only by a newer state of itself, and one that was deleted does not come back.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from evermodel.core.names import COMPONENT_LABEL, MODEL_LABEL
from evermodel.core.observed import ModelKey
from evermodel.kube.kinds import (
    AUTOSCALER,
    DEPLOYMENT,
    JOB,
    MODEL,
    POD,
    SERVICE,
    STATEFUL_SET,
    VERSION,
    Kind,
)
from evermodel.runtime.pruning import prune

WATCHED: Final[Mapping[Kind, str]] = {
    MODEL: "",
    VERSION: "",
    JOB: COMPONENT_LABEL,
    DEPLOYMENT: COMPONENT_LABEL,
    STATEFUL_SET: COMPONENT_LABEL,
    SERVICE: COMPONENT_LABEL,
    AUTOSCALER: COMPONENT_LABEL,
    POD: COMPONENT_LABEL,
}
"""The kinds that are kept, each with its label selector."""

_REMEMBERED_DELETIONS: Final = 10_000


class ObjectKey(NamedTuple):
    """Names an object of a kind."""

    namespace: str
    name: str


class Change(StrEnum):
    """What became of a state that was put into the store."""

    STORED = "Stored"
    KNOWN = "Known"
    """The same state, or an older one, of what is there, or one that differs in nothing that is kept."""


Stored = dict[str, Any]


class Store:
    """Objects by kind and key. Not thread-safe: everything runs on one event loop."""

    def __init__(self) -> None:
        self._objects: dict[Kind, dict[ObjectKey, Stored]] = {kind: {} for kind in WATCHED}
        self._of_model: dict[Kind, defaultdict[ModelKey, set[ObjectKey]]] = {kind: defaultdict(set) for kind in WATCHED}
        self._deleted: OrderedDict[str, None] = OrderedDict()

    def put(self, kind: Kind, manifest: Mapping[str, Any]) -> Change:
        """Keep a state of an object, unless it is not newer than what is known."""
        key = key_of(manifest)
        metadata = manifest["metadata"]
        uid = metadata["uid"]
        if uid in self._deleted:
            return Change.KNOWN
        known = self._objects[kind].get(key)
        if known is not None and not _is_newer(metadata["resourceVersion"], known["metadata"]["resourceVersion"]):
            return Change.KNOWN
        if known is not None:
            self._unlink(kind, key, known)
        kept = prune(kind, manifest)
        self._objects[kind][key] = kept
        if kind is not MODEL and (owner := owner_of(kept)) is not None:
            self._of_model[kind][owner].add(key)
        if kind is AUTOSCALER and known is not None and _only_measured(known, kept):
            return Change.KNOWN
        return Change.STORED

    def remove(self, kind: Kind, key: ObjectKey, uid: str) -> Change:
        """Forget an object that was deleted; its UID never comes back."""
        self._deleted[uid] = None
        if len(self._deleted) > _REMEMBERED_DELETIONS:
            self._deleted.popitem(last=False)
        known = self._objects[kind].get(key)
        if known is None or known["metadata"]["uid"] != uid:
            return Change.KNOWN
        self._unlink(kind, key, known)
        del self._objects[kind][key]
        return Change.STORED

    def mark_deleting(self, kind: Kind, key: ObjectKey, uid: str, at: str) -> None:
        """Remember that a deletion was asked for, so that it is not asked for again before an informer tells of it."""
        known = self._objects[kind].get(key)
        if known is not None and known["metadata"]["uid"] == uid:
            known["metadata"].setdefault("deletionTimestamp", at)

    def get(self, kind: Kind, key: ObjectKey) -> Stored | None:
        """Return an object."""
        return self._objects[kind].get(key)

    def of_model(self, kind: Kind, model: ModelKey) -> list[Stored]:
        """Return what belongs to a ModelDeployment, by name."""
        return [self._objects[kind][key] for key in sorted(self._of_model[kind].get(model, ()))]

    def all(self, kind: Kind) -> Iterator[Stored]:
        """Go through all objects of a kind; the store must not be changed meanwhile."""
        return iter(self._objects[kind].values())

    def models(self, namespace: str | None = None) -> list[ModelKey]:
        """Return the names of all ModelDeployments, or of those of one namespace."""
        return [
            ModelKey(namespace=key.namespace, name=key.name)
            for key in self._objects[MODEL]
            if namespace is None or key.namespace == namespace
        ]

    def _unlink(self, kind: Kind, key: ObjectKey, known: Stored) -> None:
        owner = owner_of(known)
        if kind is MODEL or owner is None:
            return
        keys = self._of_model[kind].get(owner)
        if keys is None:
            return
        keys.discard(key)
        if not keys:
            del self._of_model[kind][owner]


def key_of(manifest: Mapping[str, Any]) -> ObjectKey:
    """Return the name of an object."""
    return ObjectKey(manifest["metadata"]["namespace"], manifest["metadata"]["name"])


def owner_of(manifest: Mapping[str, Any]) -> ModelKey | None:
    """Return the ModelDeployment that an object says it belongs to, by its label or else its owner."""
    metadata = manifest["metadata"]
    name = (metadata.get("labels") or {}).get(MODEL_LABEL)
    if not name:
        owners = (owner["name"] for owner in metadata.get("ownerReferences") or () if owner["kind"] == MODEL.name)
        name = next(owners, None)
    return ModelKey(namespace=metadata["namespace"], name=name) if name else None


def is_owned_by(manifest: Mapping[str, Any], uid: str) -> bool:
    """Tell whether an owner reference carries this UID: a name may have been given anew."""
    return any(owner["uid"] == uid for owner in manifest["metadata"].get("ownerReferences") or ())


def _only_measured(known: Stored, given: Stored) -> bool:
    """Tell whether an autoscaler has measured and found nothing to say: it writes its status every few seconds."""
    return _without_version(known) == _without_version(given)


def _without_version(manifest: Stored) -> Stored:
    metadata = {name: value for name, value in manifest["metadata"].items() if name != "resourceVersion"}
    return {**manifest, "metadata": metadata}


def _is_newer(given: str, known: str) -> bool:
    """Compare resourceVersions, which order as integers in Kubernetes; where they are none, the last to come wins."""
    if given.isdecimal() and known.isdecimal():
        return int(given) > int(known)
    return given != known
