"""What the hub answers from the database. Each question sees one commit."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from evermodel.contract import (
    DatasetInfo,
    Lineage,
    LineageEntry,
    Quality,
    QualityQuery,
    Trial,
    Trials,
)
from evermodel_runtime.hub.detectors import SETTINGS, rows_after, settings_of, stored_detector
from evermodel_runtime.hub.figures import read_alarm, read_window
from evermodel_runtime.hub.schema import BUCKET_SECONDS, open_for_reading
from evermodel_runtime.quality.detector import Detector, DetectorSettings
from evermodel_runtime.quality.outcomes import outcomes_of

T = TypeVar("T")
_ENTRY = msgspec.json.Decoder(LineageEntry)
_TRIAL = msgspec.json.Decoder(Trial)
_UNKNOWN_MODEL = -1


class Reader:
    """Answers questions in threads of their own, beside the writer.

    Parameters
    ----------
    folder : Path
        Where the database is.
    threads : int
        Questions answered at once.
    """

    def __init__(self, folder: Path, threads: int = 2) -> None:
        self._folder = folder
        self._own = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="hub-reader")

    async def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Answer one question from one commit."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, question)

    def close(self) -> None:
        """Wait for the questions being answered and close."""
        self._pool.shutdown()
        for connection in self._connections:
            connection.close()

    def _answer(self, question: Callable[[sqlite3.Connection], T]) -> T:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = open_for_reading(self._folder)
            self._connections.append(connection)
        connection.execute("BEGIN")
        try:
            return question(connection)
        finally:
            connection.execute("COMMIT")


def model_id(connection: sqlite3.Connection, name: str) -> int:
    """Return the number of a model; one that has no data yet has a number without rows."""
    found = connection.execute("SELECT id FROM models WHERE name = ?", (name,)).fetchone()
    return _UNKNOWN_MODEL if found is None else int(found[0])


def last_seq(connection: sqlite3.Connection, model: int) -> int:
    """Largest ledger number of a model, 0 without labels."""
    (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM labels WHERE model = ?", (model,)).fetchone()
    return int(last)


def replay_if_new(
    connection: sqlite3.Connection, name: str, version: int, settings: DetectorSettings
) -> tuple[Detector, int] | None:
    """Replay a missing detector from the stored outcomes, with the last ledger number; None when it is there."""
    model = model_id(connection, name)
    if stored_detector(connection, model, version, settings) is not None:
        return None
    detector = Detector(settings)
    outcomes = outcomes_of(settings.measure, settings.threshold)
    detector.replay(outcomes(rows_after(connection, model, version, 0)))
    return detector, last_seq(connection, model)


def read_quality(
    connection: sqlite3.Connection, name: str, query: QualityQuery, settings: DetectorSettings, now: float
) -> Quality:
    """Answer how a version does."""
    model = model_id(connection, name)
    detector = stored_detector(connection, model, query.version, settings)
    crossing = None if detector is None else detector.crossing
    predictions, labels = _totals(connection, model, query.version)
    records, counted = connection.execute(
        "SELECT count(*), coalesce(sum(label_seq > ?2 AND predicted_at > ?3), 0) FROM captures "
        "WHERE model = ?1 AND label_seq IS NOT NULL AND withheld IS NULL",
        (model, query.records_after, query.predicted_after),
    ).fetchone()
    return Quality(
        version=query.version,
        as_of=now,
        predictions=predictions,
        labels=labels,
        window=read_window(connection, model, query, now),
        coverage=_coverage(connection, model, query, now),
        alarm=None if crossing is None else read_alarm(connection, model, query.version, crossing, settings),
        last_seq=last_seq(connection, model),
        records=records,
        records_counted=counted,
    )


def _totals(connection: sqlite3.Connection, model: int, version: int) -> tuple[int, int]:
    found = connection.execute(
        "SELECT predictions, labels FROM totals WHERE model = ? AND version = ?", (model, version)
    ).fetchone()
    return (0, 0) if found is None else (int(found[0]), int(found[1]))


def _coverage(connection: sqlite3.Connection, model: int, query: QualityQuery, now: float) -> float | None:
    """Share of predictions that have their label, leaving out those too young to have one."""
    predictions, labels = _totals(connection, model, query.version)
    if query.label_delay > 0:
        too_young = int((now - query.label_delay) // BUCKET_SECONDS)
        young = connection.execute(
            "SELECT coalesce(sum(predictions), 0), coalesce(sum(labels), 0) FROM traffic "
            "WHERE model = ? AND version = ? AND bucket >= ?",
            (model, query.version, too_young),
        ).fetchone()
        predictions, labels = predictions - young[0], labels - young[1]
    # A label may overtake its pod's next heartbeat.
    return min(1.0, labels / predictions) if predictions > 0 else None


def read_run(connection: sqlite3.Connection, name: str, version: int, stage: str) -> bytes | None:
    """Answer the report of a Job as it was put."""
    found = connection.execute(
        "SELECT report FROM runs WHERE model = ? AND version = ? AND stage = ?",
        (model_id(connection, name), version, stage),
    ).fetchone()
    return None if found is None else bytes(found[0])


def read_trials(connection: sqlite3.Connection, name: str, version: int, run: str) -> Trials:
    """Answer the trials of a search that have ended, by number."""
    found = connection.execute(
        "SELECT trial FROM trials WHERE model = ? AND version = ? AND run = ? ORDER BY number",
        (model_id(connection, name), version, run),
    ).fetchall()
    return Trials(trials=tuple(_TRIAL.decode(trial) for (trial,) in found))


def read_lineage(connection: sqlite3.Connection, name: str) -> Lineage:
    """Answer the versions that became champion, by the time at which they last did."""
    found = connection.execute(
        "SELECT entry FROM lineage WHERE model = ? ORDER BY promoted_at, number", (model_id(connection, name),)
    ).fetchall()
    return Lineage(entries=tuple(_ENTRY.decode(entry) for (entry,) in found))


def read_dataset(connection: sqlite3.Connection, name: str) -> DatasetInfo | None:
    """Answer which blob a dataset's name means."""
    found = connection.execute("SELECT sha256, size FROM datasets WHERE name = ?", (name,)).fetchone()
    return None if found is None else DatasetInfo(name=name, sha256=found[0], size=found[1])


def count_alarms_and_records(connection: sqlite3.Connection) -> tuple[int, int]:
    """Answer the gauges of the metrics."""
    found = connection.execute(f"SELECT {SETTINGS}, state FROM detectors").fetchall()  # noqa: S608 - names only
    alarms = sum(Detector.load(settings_of(*stored), state).crossing is not None for *stored, state in found)
    (records,) = connection.execute(
        "SELECT count(*) FROM captures WHERE label_seq IS NOT NULL AND withheld IS NULL"
    ).fetchone()
    return alarms, int(records)
