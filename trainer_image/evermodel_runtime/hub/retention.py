"""How long things are kept: the newest captured rows of a model, none beyond its age, and no blob that was replaced."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from msgspec import UNSET

from evermodel.contract import CaptureRules
from evermodel_runtime.hub.blobs import BlobStore
from evermodel_runtime.hub.erasing import forget_erased
from evermodel_runtime.hub.metrics import Metrics
from evermodel_runtime.hub.operations import Transaction
from evermodel_runtime.hub.reading import Reader
from evermodel_runtime.hub.replaced import KEPT_SECONDS, Replaced, find_replaced
from evermodel_runtime.hub.writer import DiskFull, Stopped, Writer

ROWS_AT_ONCE = 1000
"""Rows deleted in one transaction at most: labels wait for it, a few milliseconds."""
SECONDS_BETWEEN = 10.0

logger = logging.getLogger(__name__)


def keep_rules(transaction: Transaction, model: int, rules: CaptureRules) -> None:
    """Remember what a pod says about its captures."""
    transaction.connection.execute(
        "INSERT INTO capture_rules (model, max_age, max_records, caller_ids) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
        "SET max_age = excluded.max_age, max_records = excluded.max_records, "
        "caller_ids = coalesce(excluded.caller_ids, caller_ids) WHERE (max_age, max_records, caller_ids) "
        "IS NOT (excluded.max_age, excluded.max_records, coalesce(excluded.caller_ids, caller_ids))",
        (model, rules.max_age, rules.max_records, None if rules.caller_ids is UNSET else rules.caller_ids.value),
    )


def captures_held(transaction: Transaction, model: int) -> int:
    """Return how many captures of a model there are, counting them when it is not known."""
    held = transaction.captures_held
    if model not in held:
        (held[model],) = transaction.connection.execute(
            "SELECT count(*) FROM captures WHERE model = ?", (model,)
        ).fetchone()
    return held[model]


def drop_oldest(transaction: Transaction, model: int, kept: int, most: int) -> int:
    """Delete the oldest captures beyond so many; returns how many went."""
    excess = min(captures_held(transaction, model) - kept, most)
    if excess <= 0:
        return 0
    transaction.connection.execute(
        "DELETE FROM captures WHERE n IN (SELECT n FROM captures WHERE model = ? ORDER BY predicted_at, n LIMIT ?)",
        (model, excess),
    )
    transaction.captures_held[model] -= excess
    return excess


@dataclass(frozen=True, slots=True)
class Dropped:
    """Result: what went of one model."""

    model: str
    aged: int
    """Captures that were too old."""
    oldest: int
    """Captures that were too many."""


@dataclass(frozen=True, slots=True)
class DropOutdated:
    """Operation: delete some captures of each model that are too old or too many."""

    at: float
    captures_kept: int

    def carry_out(self, transaction: Transaction) -> list[Dropped]:
        """Delete; the result has the models that lost any."""
        rules = transaction.connection.execute(
            "SELECT id, name, max_age, coalesce(max_records, ?) FROM capture_rules JOIN models ON id = model",
            (self.captures_kept,),
        ).fetchall()
        transaction.empty_log |= transaction.log_waits
        forget_erased(transaction.connection, self.at)
        dropped = []
        for model, name, max_age, max_records in rules:
            aged = 0 if max_age is None else self._drop_aged(transaction, model, self.at - max_age)
            oldest = drop_oldest(transaction, model, min(max_records, self.captures_kept), ROWS_AT_ONCE)
            if aged or oldest:
                dropped.append(Dropped(name, aged, oldest))
        return dropped

    def _drop_aged(self, transaction: Transaction, model: int, before: float) -> int:
        captures_held(transaction, model)  # counted before, or they would be subtracted twice
        aged = transaction.connection.execute(
            "DELETE FROM captures WHERE n IN "
            "(SELECT n FROM captures WHERE model = ? AND predicted_at < ? ORDER BY predicted_at LIMIT ?)",
            (model, before, ROWS_AT_ONCE),
        ).rowcount
        transaction.captures_held[model] -= aged
        transaction.empty_log |= aged > 0
        return aged


@dataclass(frozen=True, slots=True)
class ForgetReplaced:
    """Operation: what was looked at is removed, or kept because something names it."""

    found: Replaced

    def carry_out(self, transaction: Transaction) -> None:
        """Forget it, unless it was replaced once more."""
        transaction.connection.executemany(
            "DELETE FROM replaced WHERE sha256 = ? AND at <= ?",
            [(digest, self.found.at) for digest in self.found.digests],
        )


class Retention:
    """Deletes what is outdated, a little at a time, for as long as the hub runs.

    Parameters
    ----------
    writer : Writer
        Carries the deletions out, between labels.
    reader : Reader
        Looks what nothing names.
    blobs : BlobStore
        What the volume holds besides.
    clock : callable
        Seconds since the epoch.
    captures_kept : int
        Captures kept of a model at most.
    """

    def __init__(
        self,
        *,
        writer: Writer,
        reader: Reader,
        blobs: BlobStore,
        clock: Callable[[], float],
        metrics: Metrics,
        captures_kept: int,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._blobs = blobs
        self._clock = clock
        self._metrics = metrics
        self._captures_kept = captures_kept

    async def remove_replaced(self) -> None:
        """Remove blobs whose place another one took, and that nothing has named for a day."""
        until = self._clock() - KEPT_SECONDS
        found = await self._reader.ask(lambda connection: find_replaced(connection, self._blobs, until))
        if found is None:
            return
        for digest in found.unnamed:
            if await asyncio.to_thread(self._blobs.remove_unless_newer, digest, found.at):
                self._metrics.blobs_removed.inc()
                logger.info("a replaced blob was removed", extra={"blob": digest})
        await self._writer.submit(ForgetReplaced(found))

    async def run(self) -> None:
        """Delete every few seconds until cancelled."""
        while True:
            try:
                await self.remove_replaced()  # first: of a full volume, only files can be deleted without any room
                await self.sweep()
            except Stopped:
                return
            except DiskFull:
                logger.warning("the volume is full: outdated rows stay until it has room")
            except Exception:  # the task's outermost frame: it goes on
                logger.exception("what is outdated could not be deleted")
            await asyncio.sleep(SECONDS_BETWEEN)

    async def sweep(self) -> None:
        """Delete until nothing is outdated."""
        while dropped := await self._writer.submit(DropOutdated(self._clock(), self._captures_kept)):
            for one in dropped:
                self._metrics.captures_aged.labels(one.model).inc(one.aged)
                self._metrics.captures_dropped.labels(one.model).inc(one.oldest)
