"""Which sources can be watched: those whose digest the operator may learn."""

from __future__ import annotations

from dataclasses import dataclass

from evermodel.api.modeldeployment import ModelDeploymentSpec, RetrainingTrigger
from evermodel.core import facts

_HUB = "hub://"
_CONFIG_MAP = "configmap://"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was uploaded to the namespace's hub."""

    name: str


@dataclass(frozen=True, slots=True)
class ConfigMapKey:
    """A file in a ConfigMap of the namespace."""

    name: str
    key: str


WatchedSource = Upload | ConfigMapKey


def watched_source(spec: ModelDeploymentSpec) -> WatchedSource | None:
    """Return the source to look at; None where it cannot change, cannot be watched, or would start nothing.

    Claims are mounted by Jobs alone, and what is on a web server only they fetch: the operator is no way around the
    checks of either.
    """
    if spec.data.train.sha256 is not None or not facts.is_started_by(spec, RetrainingTrigger.DATA):
        return None
    uri = spec.data.train.uri
    if uri.startswith(_HUB):
        return Upload(uri.removeprefix(_HUB))
    if uri.startswith(_CONFIG_MAP):
        name, _, key = uri.removeprefix(_CONFIG_MAP).partition("/")
        return ConfigMapKey(name, key)
    return None
