"""What sources contain, by digest: asked of the hub, or read from a ConfigMap, no more often than declared."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta
from typing import Protocol, assert_never

from evermodel.core.observed import ModelKey, SourceView
from evermodel.core.sources import ConfigMapKey, Upload, WatchedSource
from evermodel.kube.client import Object
from evermodel.kube.errors import Forbidden, KubeError, NotFound
from evermodel.kube.kinds import CONFIG_MAP, Kind
from evermodel.metrics.provider import ProviderUnavailable


class Datasets(Protocol):
    """Who knows what was uploaded."""

    async def dataset(self, key: ModelKey, name: str) -> str | None:
        """Return the sha256 of an uploaded file; None when there is none of that name."""
        ...


class Objects(Protocol):
    """Who reads one object of the cluster."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Read one object."""
        ...


class SourceCache:
    """The newest look at the source of each model whose source can be watched."""

    def __init__(self, datasets: Datasets, objects: Objects) -> None:
        self._datasets = datasets
        self._objects = objects
        self._known: dict[ModelKey, tuple[WatchedSource, SourceView, datetime]] = {}

    async def read(self, key: ModelKey, source: WatchedSource, *, interval: timedelta, now: datetime) -> SourceView:
        """Return what is known of a source; another source is looked at at once."""
        known, view, ask_at = self._known.get(key, (None, SourceView(), now))
        if known != source:
            view, ask_at = SourceView(), now
        if now >= ask_at:
            view = await self._look(key, source, view)
            ask_at = now + interval
        self._known[key] = (source, view, ask_at)
        return view

    def forget(self, key: ModelKey) -> None:
        """Drop what was known: the source is not watched any more."""
        self._known.pop(key, None)

    async def _look(self, key: ModelKey, source: WatchedSource, known: SourceView) -> SourceView:
        """Ask; where there is no answer for now, what was known stays."""
        try:
            match source:
                case Upload():
                    return SourceView(sha256=await self._datasets.dataset(key, source.name))
                case ConfigMapKey():
                    return SourceView(sha256=await self._digest(key, source))
                case _:
                    assert_never(source)
        except ProviderUnavailable:  # the quality's business to report
            return known
        except Forbidden:
            error = "the operator may not read ConfigMaps here; bind it the ClusterRole of this release"
            return SourceView(error=error)
        except KubeError:  # the next look says more
            return known

    async def _digest(self, key: ModelKey, source: ConfigMapKey) -> str | None:
        try:
            found = await self._objects.get(CONFIG_MAP, key.namespace, source.name)
        except NotFound:
            return None
        content = content_of(found, source.key)
        return hashlib.sha256(content).hexdigest() if content is not None else None


def content_of(config_map: Object, key: str) -> bytes | None:
    """Return the bytes that a Job finds under a key of a mounted ConfigMap."""
    text = (config_map.get("data") or {}).get(key)
    if text is not None:
        return str(text).encode()
    encoded = (config_map.get("binaryData") or {}).get(key)
    return base64.b64decode(encoded) if encoded is not None else None
