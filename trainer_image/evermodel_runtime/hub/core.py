"""The parts of one hub, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from io import TextIOWrapper

from evermodel_runtime.hub.access import Access
from evermodel_runtime.hub.blobs import BlobStore
from evermodel_runtime.hub.metrics import Metrics
from evermodel_runtime.hub.progress import ProgressBoard
from evermodel_runtime.hub.reading import Reader
from evermodel_runtime.hub.references import References
from evermodel_runtime.hub.retention import Retention
from evermodel_runtime.hub.schema import open_for_writing
from evermodel_runtime.hub.settings import HubSettings
from evermodel_runtime.hub.store import HubStore
from evermodel_runtime.hub.trials import TrialBoard
from evermodel_runtime.hub.volume import BLOBS, VolumeError, refuse_half_restored, take
from evermodel_runtime.hub.writer import Writer


@dataclass(slots=True)
class Hub:
    """One volume and all that reads and writes it."""

    settings: HubSettings
    clock: Callable[[], float]
    """Seconds since the epoch."""
    access: Access
    blobs: BlobStore
    writer: Writer
    reader: Reader
    metrics: Metrics
    progress: ProgressBoard
    references: References
    trials: TrialBoard
    retention: Retention
    _sweeping: asyncio.Task[None] | None
    _lock: TextIOWrapper

    @classmethod
    def on_volume(cls, settings: HubSettings, clock: Callable[[], float]) -> Hub:
        """Take the volume; one process has it at a time.

        Raises
        ------
        VolumeError
            Another hub has it, or a restore into it was cut off.
        """
        lock = take(settings.data)
        try:
            refuse_half_restored(settings.data)
        except VolumeError:
            lock.close()
            raise
        blobs = BlobStore(settings.data / BLOBS, settings.max_blob_bytes)
        writer = Writer(lambda: HubStore(open_for_writing(settings.data, settings.synchronous)), settings.waiting_limit)
        reader, metrics = Reader(settings.data), Metrics()
        return cls(
            settings=settings,
            clock=clock,
            access=Access(settings.key),
            blobs=blobs,
            writer=writer,
            reader=reader,
            metrics=metrics,
            progress=ProgressBoard(),
            references=References(blobs),
            trials=TrialBoard(),
            retention=Retention(
                writer=writer,
                reader=reader,
                blobs=blobs,
                clock=clock,
                metrics=metrics,
                captures_kept=settings.captures_kept,
            ),
            _sweeping=None,
            _lock=lock,
        )

    async def start(self) -> None:
        """Open the database, and begin to delete what is outdated."""
        await self.writer.start()
        self._sweeping = asyncio.create_task(self.retention.run())

    async def stop(self) -> None:
        """Finish what was begun and give the volume back."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        self.reader.close()
        await self.writer.stop()
        self._lock.close()
