"""Events on ModelDeployments, for people who look with kubectl describe. Each is written once."""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from datetime import datetime
from typing import Final

from evermodel.api import API_VERSION
from evermodel.core.actions import Event
from evermodel.core.observed import ModelView
from evermodel.core.timestamps import rfc3339
from evermodel.kube.client import KubeClient, Object
from evermodel.kube.errors import AlreadyExists, KubeError
from evermodel.kube.kinds import EVENT, MODEL
from evermodel.runtime.telemetry import Telemetry

logger = logging.getLogger(__name__)

_COMPONENT: Final = "evermodel-operator"
_LONGEST_MESSAGE: Final = 1024
_REMEMBERED: Final = 4096


class EventWriter:
    """Writes what plans say, after the status that records it."""

    def __init__(self, client: KubeClient, telemetry: Telemetry, identity: str) -> None:
        self._client = client
        self._telemetry = telemetry
        self._identity = identity
        self._written: OrderedDict[str, None] = OrderedDict()

    async def emit(self, model: ModelView, events: tuple[Event, ...], now: datetime) -> None:
        """Write Events; one that cannot be written is counted and left, for nothing depends on it."""
        for event in events:
            name = _name(model, event)
            if name in self._written:
                continue
            try:
                await self._client.create(EVENT, model.key.namespace, self._manifest(model, event, name, now))
            except AlreadyExists:
                pass  # written by a process that ended before it could go on
            except KubeError as error:
                self._telemetry.events_dropped.inc()
                logger.warning("an Event was not written", extra={"object": str(model.key), "error": str(error)})
                continue
            self._remember(name)
            extra = {"object": str(model.key), "reason": event.reason.value, "said": event.message}
            logger.info("announced", extra=extra)

    def _remember(self, name: str) -> None:
        self._written[name] = None
        if len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)

    def _manifest(self, model: ModelView, event: Event, name: str, now: datetime) -> Object:
        at = rfc3339(now)
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {"name": name},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": MODEL.name,
                "namespace": model.key.namespace,
                "name": model.key.name,
                "uid": model.uid,
            },
            "type": event.type.value,
            "reason": event.reason.value,
            "message": event.message[:_LONGEST_MESSAGE],
            "source": {"component": _COMPONENT},
            "reportingComponent": _COMPONENT,
            "reportingInstance": self._identity,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }


def _name(model: ModelView, event: Event) -> str:
    """Name an Event after what it says and the state that it was said of, so that it is written once at most."""
    said = f"{model.uid}\n{model.resource_version}\n{event.reason}\n{event.message}"
    return f"{model.key.name}.{hashlib.sha256(said.encode()).hexdigest()[:16]}"
