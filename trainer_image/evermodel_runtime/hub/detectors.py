"""The detectors of all versions, kept in memory and written in the transaction of the labels that moved them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from evermodel_runtime.quality.detector import Detector, DetectorSettings

KEPT = 8
"""Detectors of one version: a threshold that was asked for long ago is replayed when it is asked for again."""
_VERSIONS_IN_MEMORY = 4096


@dataclass(slots=True)
class _Live:
    id: int
    detector: Detector


class Detectors:
    """Steps and stores detectors. Belongs to the writer's thread.

    Parameters
    ----------
    connection : sqlite3.Connection
        In a transaction whenever a method is called.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._live: dict[tuple[int, int], list[_Live]] = {}
        self._moved: set[tuple[int, int]] = set()

    def forget(self) -> None:
        """Read everything again from the database: the transaction was rolled back."""
        self._live.clear()
        self._moved.clear()

    def step(self, model: int, version: int, outcomes: Iterable[tuple[int, bool]]) -> None:
        """Take labels just written, in ledger order."""
        outcomes = list(outcomes)
        for live in self._of(model, version):
            live.detector.replay(outcomes)
            self._moved.add((model, version))

    def write(self) -> None:
        """Store the states that moved, before the transaction commits."""
        states = [(live.detector.dump(), live.id) for owner in self._moved for live in self._live[owner]]
        self._connection.executemany("UPDATE detectors SET state = ? WHERE id = ?", states)
        self._moved.clear()
        if len(self._live) > _VERSIONS_IN_MEMORY:
            self._live.clear()

    def ensure(self, model: int, version: int, replayed: Detector, through: int) -> None:
        """Add a detector that has taken the labels up to ledger number ``through``; it takes the rest here."""
        owned = self._of(model, version)
        settings = replayed.settings
        if any(live.detector.settings == settings for live in owned):
            return
        replayed.replay(outcomes_after(self._connection, model, version, through))
        if len(owned) >= KEPT:
            oldest = owned.pop(0)
            self._connection.execute("DELETE FROM detectors WHERE id = ?", (oldest.id,))
        (number,) = self._connection.execute(
            "INSERT INTO detectors (model, version, threshold, tolerance, false_alarm_every, state) "
            "VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            (model, version, settings.threshold, settings.tolerance, settings.false_alarm_every, replayed.dump()),
        ).fetchone()
        owned.append(_Live(number, replayed))

    def _of(self, model: int, version: int) -> list[_Live]:
        """Return the detectors of a version, the oldest first."""
        owned = self._live.get((model, version))
        if owned is None:
            found = self._connection.execute(
                "SELECT id, threshold, tolerance, false_alarm_every, state FROM detectors "
                "WHERE model = ? AND version = ? ORDER BY id",
                (model, version),
            ).fetchall()
            owned = [
                _Live(number, Detector.load(_settings(threshold, tolerance, every), state))
                for number, threshold, tolerance, every, state in found
            ]
            self._live[model, version] = owned
        return owned


def outcomes_after(connection: sqlite3.Connection, model: int, version: int, seq: int) -> Iterable[tuple[int, bool]]:
    """Return stored outcomes of a version after a ledger number, in ledger order."""
    return connection.execute(
        "SELECT seq, correct FROM labels WHERE model = ? AND version = ? AND seq > ? ORDER BY seq",
        (model, version, seq),
    )


def outcomes_before(
    connection: sqlite3.Connection, model: int, version: int, seq: int, limit: int
) -> list[tuple[int, bool]]:
    """Return the last stored outcomes of a version up to a ledger number, the newest first."""
    return connection.execute(
        # The + keeps SQLite from an index by version, which it would have to sort.
        "SELECT seq, correct FROM labels WHERE model = ? AND +version = ? AND seq <= ? ORDER BY seq DESC LIMIT ?",
        (model, version, seq, limit),
    ).fetchall()


def stored_detector(
    connection: sqlite3.Connection, model: int, version: int, settings: DetectorSettings
) -> Detector | None:
    """Return the detector as of the last commit, or None when nobody asked for it yet."""
    found = connection.execute(
        "SELECT state FROM detectors "
        "WHERE model = ? AND version = ? AND threshold = ? AND tolerance = ? AND false_alarm_every = ?",
        (model, version, settings.threshold, settings.tolerance, settings.false_alarm_every),
    ).fetchone()
    return None if found is None else Detector.load(settings, found[0])


def _settings(threshold: float, tolerance: float, false_alarm_every: float) -> DetectorSettings:
    return DetectorSettings(threshold=threshold, tolerance=tolerance, false_alarm_every=false_alarm_every)
