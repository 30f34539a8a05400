"""The informers: the only kopf handlers. They write nothing; kopf is used for its watching, and for nothing else.

Only ``on.event`` is used: every other kind of handler makes kopf patch objects with finalizers or its progress.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Any

import kopf

from evermodel.kube.kinds import Kind
from evermodel.runtime.intake import Intake
from evermodel.runtime.store import WATCHED

logger = logging.getLogger(__name__)

_PAGE_SIZE = 500
_REQUEST_SECONDS = 60.0
_WATCH_SECONDS = 300


class WatchEnded(Exception):  # noqa: N818 - what happened
    """kopf gave up: without informers the operator is blind."""


async def start_watching(intake: Intake, namespaces: Collection[str], identity: str) -> asyncio.Task[None]:
    """Start the informers; the task ends with WatchEnded should they ever stop.

    kopf takes the process's signals for itself while it starts: who wants them sets its handlers afterwards.
    """
    others = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=_registry(intake),
        settings=_settings(),
        standalone=True,
        identity=identity,  # type: ignore[arg-type]  # a NewType of kopf's own; else it asks for the user's name
        clusterwide=not namespaces,
        namespaces=tuple(namespaces),
    )

    async def watch() -> None:
        await kopf.run_tasks(tasks, ignored=others | {task for task in [asyncio.current_task()] if task is not None})
        raise WatchEnded("the informers ended")

    return asyncio.create_task(watch(), name="informers")


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.networking.request_timeout = _REQUEST_SECONDS
    settings.watching.server_timeout = _WATCH_SECONDS
    settings.watching.chunk_size = _PAGE_SIZE
    for kind, selector in WATCHED.items():
        if selector:
            settings.watching.label_selectors[kind.group, kind.version, kind.plural] = selector
    return settings


def _registry(intake: Intake) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry, id="service-account")(kopf.login_with_service_account)
    kopf.on.login(registry=registry, id="kubeconfig")(kopf.login_with_kubeconfig)
    for kind in WATCHED:
        _register(registry, kind, intake)
    return registry


def _register(registry: kopf.OperatorRegistry, kind: Kind, intake: Intake) -> None:
    @kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=kind.plural)
    async def noticed(event: Any, **_: Any) -> None:
        if event["type"] == "DELETED":
            intake.gone(kind, event["object"])
        else:
            intake.saw(kind, event["object"])
