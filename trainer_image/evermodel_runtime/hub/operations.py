"""What the hub writes apart from labels, one operation a request. Each is done again without harm."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Protocol

import msgspec

from evermodel.contract import DatasetInfo, HeldoutUse, LineageEntry, Trial
from evermodel_runtime.hub.detectors import Detectors
from evermodel_runtime.hub.replaced import note_replaced, pages_of
from evermodel_runtime.quality.detector import Detector


class Transaction(Protocol):
    """What an operation may use while it is carried out."""

    connection: sqlite3.Connection
    detectors: Detectors
    captures_held: dict[int, int]
    """Captures of each model, as far as counted."""
    empty_log: bool
    """Whether what was deleted must go from the write-ahead log as well before the operation is answered."""
    log_waits: bool
    """Whether a reader was in the way of that."""

    def model_id(self, name: str) -> int:
        """Return the number of a model, giving it one when it has none."""


class Operation(Protocol):
    """One write."""

    def carry_out(self, transaction: Transaction) -> object:
        """Write, in an open transaction; the result goes to the caller once it is on disk."""


@dataclass(frozen=True, slots=True)
class EnsureDetector:
    """Watch a version against a threshold from its first label on."""

    model: str
    version: int
    replayed: Detector
    """Has taken the labels up to ledger number ``through``; used by nobody else from now on."""
    through: int

    def carry_out(self, transaction: Transaction) -> None:
        """Add the detector unless it is there."""
        model = transaction.model_id(self.model)
        replayed = Detector.load(self.replayed.settings, self.replayed.dump())  # a second attempt starts where this did
        transaction.detectors.ensure(model, self.version, replayed, self.through)


@dataclass(frozen=True, slots=True)
class UseHeldout:
    """Count one use of held-out rows; the result is k."""

    model: str
    use: HeldoutUse

    def carry_out(self, transaction: Transaction) -> int:
        """Answer as the first time when asked again, else count the versions that used any of these rows before."""
        model, use = transaction.model_id(self.model), self.use
        # Reference rows are one set, whatever range the question names.
        after, through = (use.after, use.through) if use.set == "fresh" else (0, 1)
        identity = (model, str(use.set), use.rows_key, use.version, after, through)
        known = transaction.connection.execute(
            "SELECT k FROM heldout_uses WHERE model = ? AND held_out = ? AND rows_key = ? AND version = ? "
            "AND after = ? AND through = ?",
            identity,
        ).fetchone()
        if known is not None:
            return int(known[0])
        (others,) = transaction.connection.execute(
            "SELECT count(DISTINCT version) FROM heldout_uses WHERE model = ? AND held_out = ? AND rows_key = ? "
            "AND version <> ? AND after < ? AND through > ?",
            (model, str(use.set), use.rows_key, use.version, through, after),
        ).fetchone()
        transaction.connection.execute(
            "INSERT INTO heldout_uses (model, held_out, rows_key, version, after, through, k) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*identity, others + 1),
        )
        return int(others) + 1


@dataclass(frozen=True, slots=True)
class PutRun:
    """Keep the report of a Job; that of a retry replaces it."""

    model: str
    version: int
    stage: str
    report: bytes
    at: float

    def carry_out(self, transaction: Transaction) -> None:
        """Write the report."""
        before = transaction.connection.execute(
            "SELECT report FROM runs WHERE model = ? AND version = ? AND stage = ?",
            (transaction.model_id(self.model), self.version, self.stage),
        ).fetchone()
        pages = pages_of(self.report)
        if before is not None and pages:  # those of the run before stay when this one failed
            note_replaced(transaction.connection, pages_of(before[0]), pages, self.at)
        transaction.connection.execute(
            "INSERT INTO runs (model, version, stage, report) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET report = excluded.report",
            (transaction.model_id(self.model), self.version, self.stage, self.report),
        )


@dataclass(frozen=True, slots=True)
class PutTrial:
    """Keep a trial of a search that is going on; those of earlier versions are beside their models by now."""

    model: str
    version: int
    run: str
    trial: Trial

    def carry_out(self, transaction: Transaction) -> None:
        """Write the trial unless it is there."""
        model = transaction.model_id(self.model)
        transaction.connection.execute("DELETE FROM trials WHERE model = ? AND version < ?", (model, self.version))
        transaction.connection.execute(
            "INSERT INTO trials (model, version, run, number, trial) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (model, self.version, self.run, self.trial.number, msgspec.json.encode(self.trial)),
        )


@dataclass(frozen=True, slots=True)
class AppendLineage:
    """Keep that a version became champion; one that becomes it again (a rollback) has its later time."""

    model: str
    entry: LineageEntry

    def carry_out(self, transaction: Transaction) -> None:
        """Write the entry unless a later one of the same version is there."""
        transaction.connection.execute(
            "INSERT INTO lineage (model, number, promoted_at, entry) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET promoted_at = excluded.promoted_at, entry = excluded.entry "
            "WHERE excluded.promoted_at >= promoted_at",
            (
                transaction.model_id(self.model),
                self.entry.number,
                self.entry.promoted_at,
                msgspec.json.encode(self.entry),
            ),
        )


@dataclass(frozen=True, slots=True)
class PointDataset:
    """Let a dataset's name mean a blob that is on disk."""

    dataset: DatasetInfo
    at: float

    def carry_out(self, transaction: Transaction) -> None:
        """Write the pointer."""
        before = transaction.connection.execute(
            "SELECT sha256 FROM datasets WHERE name = ?", (self.dataset.name,)
        ).fetchall()
        note_replaced(transaction.connection, {sha256 for (sha256,) in before}, {self.dataset.sha256}, self.at)
        transaction.connection.execute(
            "INSERT INTO datasets (name, sha256, size) VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET sha256 = excluded.sha256, size = excluded.size",
            (self.dataset.name, self.dataset.sha256, self.dataset.size),
        )
