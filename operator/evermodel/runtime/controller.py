"""The loop's middle: look, decide, do, write the status, tell."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from time import perf_counter
from typing import Final

from evermodel.api.modeldeployment import ModelDeploymentStatus
from evermodel.core.actions import Plan
from evermodel.core.builders import Builders
from evermodel.core.observed import ModelKey, ModelView, Observed
from evermodel.kube.client import KubeClient
from evermodel.kube.errors import (
    Conflict,
    KubeError,
    NamespaceEnding,
    NotFound,
    Rejected,
    TooManyRequests,
    Transient,
)
from evermodel.kube.kinds import MODEL
from evermodel.metrics.provider import ProviderUnavailable
from evermodel.resources import BUILDERS
from evermodel.runtime.apply import Applier, Failure
from evermodel.runtime.events import EventWriter
from evermodel.runtime.leader import LeaseLost
from evermodel.runtime.observe import Observer
from evermodel.runtime.status import failing, write_status
from evermodel.runtime.store import Store
from evermodel.runtime.telemetry import Telemetry
from evermodel.runtime.workqueue import WorkQueue

logger = logging.getLogger(__name__)

Decide = Callable[[Observed, datetime, Builders], Plan]

_SILENT_FAILURES: Final = 2
"""Failures in a row that may pass by themselves before the status speaks of them."""
_ENDING_PAUSE: Final = timedelta(seconds=30)
"""How long a namespace that is being deleted is left alone: what is missing there is missing for good."""
_WRITES_IN_A_ROW: Final = 12
"""Looks in a row that wrote something, after which they back off: no chain of decisions is that long."""


class Controller:
    """Brings one ModelDeployment at a time closer to what is declared."""

    def __init__(
        self,
        *,
        observer: Observer,
        decide: Decide,
        applier: Applier,
        client: KubeClient,
        store: Store,
        events: EventWriter,
        queue: WorkQueue[ModelKey],
        telemetry: Telemetry,
        clock: Callable[[], datetime],
    ) -> None:
        self._observer = observer
        self._decide = decide
        self._applier = applier
        self._client = client
        self._store = store
        self._events = events
        self._queue = queue
        self._telemetry = telemetry
        self._clock = clock
        self._writes: dict[ModelKey, int] = {}
        self._ending: dict[str, datetime] = {}
        """Namespaces that are being deleted, and when to look again whether they are."""

    async def handle(self, key: ModelKey) -> None:
        """Reconcile and schedule the next look; the worker's outermost frame, so nothing is raised."""
        began = perf_counter()
        result = "ok"
        about = {"object": str(key)}
        try:
            requeue_after = await self._reconcile(key)
        except Conflict:
            result = "conflict"
            self._queue.back_off(key)
        except NamespaceEnding:
            result = "ending"
            self._ending[key.namespace] = self._clock() + _ENDING_PAUSE
            self._queue.add_after(key, _ENDING_PAUSE.total_seconds())
            logger.info("left alone: the namespace is being deleted", extra=about)
        except TooManyRequests as error:
            result = "throttled"
            self._queue.back_off(key, error.retry_after)
        except (KubeError, ProviderUnavailable) as error:
            result = "failed"
            seconds = self._queue.back_off(key)
            logger.warning("a step failed", extra={**about, "error": str(error), "retry_after": seconds})
        except LeaseLost:  # the process is about to end
            result = "lease lost"
            self._queue.back_off(key)
        except Exception:
            result = "error"
            seconds = self._queue.back_off(key)
            logger.exception("reconciling failed", extra={**about, "retry_after": seconds})
        else:
            self._queue.succeeded(key)
            if requeue_after is not None:
                self._queue.add_after(key, requeue_after.total_seconds())
        self._telemetry.reconcile_seconds.labels(result).observe(perf_counter() - began)
        self._telemetry.queue_depth.set(len(self._queue))

    async def _reconcile(self, key: ModelKey) -> timedelta | None:
        now = self._clock()
        observed = await self._observer.observe(key, now)
        if observed is None:  # deleted in the meantime; owner references clean up
            self._forget(key)
            return None
        if (ends := self._ending.get(key.namespace, now)) > now:
            return ends - now
        decision = self._decide(observed, now, BUILDERS)
        outcome = await self._applier.apply(observed, decision.actions, now)
        if outcome.failure is not None:
            await self._say(observed, decision, outcome.failure, now)
            raise outcome.failure  # the work queue backs off by its type
        if outcome.changed and self._writes_in_a_row(key) < _WRITES_IN_A_ROW:
            return timedelta(0)  # the status tells what is, and that has just changed
        written = await self._write_status(observed, decision.status)
        await self._events.emit(observed.model, decision.events, now)  # last: they tell what the status records
        if outcome.changed or written:
            return self._look_again(key)
        self._writes.pop(key, None)
        if decision.requeue_after is not None:
            self._observer.expect(key, now + decision.requeue_after)
        return decision.requeue_after

    async def _write_status(self, observed: Observed, wanted: ModelDeploymentStatus) -> bool:
        model = observed.model
        after = await write_status(
            self._client,
            MODEL,
            model.key.namespace,
            model.key.name,
            resource_version=model.resource_version,
            known=model.status,
            wanted=wanted,
        )
        if after is None:
            return False
        self._store.put(MODEL, after)
        logger.info("the status was written", extra=_about(model, wanted))
        return True

    async def _say(self, observed: Observed, decision: Plan, failure: Failure, now: datetime) -> None:
        """Record in the status why a step failed, when that is not about to pass."""
        model = observed.model
        passing = isinstance(failure, Transient | ProviderUnavailable | NotFound)
        if isinstance(failure, Conflict | NamespaceEnding) or (
            passing and self._queue.failures(model.key) < _SILENT_FAILURES
        ):
            return
        try:
            written = await self._write_status(observed, failing(model, decision.status, _sentence(failure), now))
        except KubeError as error:  # the step's own failure is the one to raise
            extra = {"object": str(model.key), "error": str(error)}
            logger.warning("the status was not written", extra=extra)
            return
        if written:
            await self._events.emit(model, decision.events, now)

    def _writes_in_a_row(self, key: ModelKey) -> int:
        self._writes[key] = self._writes.get(key, 0) + 1
        return self._writes[key]

    def _look_again(self, key: ModelKey) -> timedelta:
        """Look again at once after a write: its own news is known already, so no informer will bring it.

        A plan that writes without end would be a mistake; it backs off instead of flooding the API server.
        """
        beyond = self._writes_in_a_row(key) - _WRITES_IN_A_ROW
        return timedelta(seconds=min(2.0**beyond, 300.0) if beyond > 0 else 0.0)

    def _forget(self, key: ModelKey) -> None:
        self._observer.forget(key)
        self._applier.forget(key)
        self._telemetry.forget(key)
        self._writes.pop(key, None)
        self._ending.pop(key.namespace, None)


def _about(model: ModelView, status: ModelDeploymentStatus) -> dict[str, object]:
    """Return what a line of the log says of a status: of which object, at which version, and why."""
    return {
        "object": str(model.key),
        "version": status.champion.version if status.champion is not None else None,
        "candidate": status.candidate.version if status.candidate is not None else None,
        "phase": status.phase.value,
        "reason": {condition.type.value: condition.reason for condition in status.conditions},
    }


def _sentence(failure: Failure) -> str:
    hint = "; the operator tries again" if not isinstance(failure, Rejected) else ""
    return f"{failure}{hint}"[:1024]
