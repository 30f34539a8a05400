"""The parts put together, and the order in which they start and stop.

Start: master key → first list → informers → lease → a second list when the lease was waited for → workers.
Stop (SIGTERM): workers finish what they are at → the lease is given back → informers end.
Anything that ends by itself (a lost lease, informers that gave up) ends the process with an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import signal
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp

from evermodel.core.observed import ModelKey
from evermodel.core.plan import plan
from evermodel.kube.aio import connect
from evermodel.kube.client import KubeClient
from evermodel.metrics.hub import HubClient
from evermodel.metrics.provider import QualityProvider
from evermodel.runtime.apply import Applier
from evermodel.runtime.controller import Controller
from evermodel.runtime.edge import start_watching
from evermodel.runtime.events import EventWriter
from evermodel.runtime.intake import Intake
from evermodel.runtime.leader import LeadersClient, Leadership
from evermodel.runtime.master_key import master_key
from evermodel.runtime.observe import Observer
from evermodel.runtime.quality import QualityCache
from evermodel.runtime.resync import Resync
from evermodel.runtime.settings import Settings
from evermodel.runtime.sources import SourceCache
from evermodel.runtime.store import Store
from evermodel.runtime.telemetry import Telemetry, serve_telemetry
from evermodel.runtime.workqueue import WorkQueue

logger = logging.getLogger(__name__)

_FINISH_SECONDS: Final = 8.0
"""How long a step that is under way may take after SIGTERM; steps are idempotent, so one that is cut off is redone."""


class Operator:
    """One replica."""

    def __init__(
        self, settings: Settings, client: KubeClient, provider: QualityProvider, master: bytes, telemetry: Telemetry
    ) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._store = store = Store()
        self._queue = queue = WorkQueue[ModelKey]()
        self._intake = Intake(store, queue)
        self._leadership = Leadership(client, settings.lease)
        leading = LeadersClient(client, self._leadership)
        self._resync = Resync(
            client=client, store=store, intake=self._intake, queue=queue, namespaces=settings.namespaces
        )
        self._controller = Controller(
            observer=Observer(
                store=store,
                provider=provider,
                quality=QualityCache(provider),
                sources=SourceCache(provider, client),
                settings=settings,
                master=master,
                telemetry=telemetry,
            ),
            decide=plan,
            applier=Applier(
                client=leading,
                store=store,
                provider=provider,
                master=master,
                telemetry=telemetry,
                monotonic=time.monotonic,
            ),
            client=leading,
            store=store,
            events=EventWriter(leading, telemetry, settings.lease.identity),
            queue=queue,
            telemetry=telemetry,
            clock=functools.partial(datetime.now, UTC),
        )
        self.is_warm = False
        """The first list is complete."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until asked to stop; raises when a part ends by itself."""
        stopping = asyncio.create_task(stop.wait(), name="stop")
        tasks: list[asyncio.Task[Any]] = [stopping]
        try:
            await _first(stopping, _started(tasks, self._resync.fill(), "first list"))
            if stop.is_set():
                return
            self.is_warm = True
            informers = await start_watching(self._intake, self._settings.namespaces, self._settings.lease.identity)
            tasks.append(informers)
            take_signals(stop)  # kopf took them
            await _first(stopping, informers, _started(tasks, self._lead(), "lease"))
            if not stop.is_set():
                await self._work(informers, stopping)
        finally:
            await self._leadership.release()
            self._telemetry.leader.set(0)
            await _cancel(*tasks)

    async def _lead(self) -> None:
        """Wait for the lease; what another replica wrote while it held it must be known before the first plan."""
        if not await self._leadership.acquire():
            await self._resync.fill()
        self._telemetry.leader.set(1)

    async def _work(self, informers: asyncio.Task[None], stopping: asyncio.Task[bool]) -> None:
        workers = [
            asyncio.create_task(self._queue.work(self._controller.handle), name=f"worker {number}")
            for number in range(self._settings.workers)
        ]
        keeping = asyncio.create_task(self._leadership.keep(), name="lease")
        resyncing = asyncio.create_task(self._resync.run(self._settings.resync), name="resync")
        try:
            await _first(*workers, keeping, resyncing, informers, stopping)
            self._queue.close()
            await asyncio.wait(workers, timeout=_FINISH_SECONDS)
        finally:
            await _cancel(*workers, keeping, resyncing)


async def run(settings: Settings) -> None:
    """Run one replica until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    take_signals(stop)
    telemetry = Telemetry()
    running: Operator | None = None
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(connect(telemetry.count_write))
        await stack.enter_async_context(
            serve_telemetry(telemetry, settings.port, lambda: running is not None and running.is_warm)
        )
        session = await stack.enter_async_context(aiohttp.ClientSession())
        keying = asyncio.create_task(master_key(client, settings.master_key_file, settings.lease.namespace))
        stopping = asyncio.create_task(stop.wait())
        await _first(keying, stopping)
        if stop.is_set():
            await _cancel(keying)
            return
        await _cancel(stopping)
        master = keying.result()
        running = Operator(settings, client, HubClient(session, master, settings.operator_hub_url), master, telemetry)
        await running.run(stop)
        logger.info("stopped")


async def _first(*tasks: asyncio.Task[Any]) -> None:
    """Wait until one of the tasks ends, and raise what it ended with."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


def _started(tasks: list[asyncio.Task[Any]], work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
    task = asyncio.create_task(work, name=name)
    tasks.append(task)
    return task


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def take_signals(stop: asyncio.Event) -> None:
    """Let SIGTERM and SIGINT ask for a graceful stop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
