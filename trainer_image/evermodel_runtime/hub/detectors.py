"""The detectors of all versions, kept in memory and written in the transaction of the labels that moved them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from evermodel.contract import Measure
from evermodel_runtime.quality.detector import Detector, DetectorSettings
from evermodel_runtime.quality.outcomes import Labelled, Outcomes, outcomes_of

KEPT = 8
"""Detectors of one version: a threshold that was asked for long ago is replayed when it is asked for again."""
_VERSIONS_IN_MEMORY = 4096
SETTINGS = "measure, threshold, tolerance, false_alarm_every"
"""Columns of what ``settings_of`` takes."""
_MEASURE = msgspec.json.Decoder(Measure)


@dataclass(slots=True)
class _Live:
    id: int
    detector: Detector
    outcomes: Outcomes
    """What makes rows of the ledger the outcomes that it takes."""


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

    def step(self, model: int, version: int, rows: Sequence[Labelled]) -> None:
        """Take labels just written, in ledger order."""
        for live in self._of(model, version):
            live.detector.replay(live.outcomes(rows))
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
        outcomes = outcomes_of(settings.measure, settings.threshold)
        replayed.replay(outcomes(rows_after(self._connection, model, version, through)))
        if len(owned) >= KEPT:
            oldest = owned.pop(0)
            self._connection.execute("DELETE FROM detectors WHERE id = ?", (oldest.id,))
        (number,) = self._connection.execute(
            "INSERT INTO detectors (model, version, measure, threshold, tolerance, false_alarm_every, state) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (*_identity(model, version, settings), replayed.dump()),
        ).fetchone()
        owned.append(_Live(number, replayed, outcomes))

    def _of(self, model: int, version: int) -> list[_Live]:
        """Return the detectors of a version, the oldest first."""
        owned = self._live.get((model, version))
        if owned is None:
            found = self._connection.execute(
                f"SELECT id, {SETTINGS}, state FROM detectors WHERE model = ? AND version = ? ORDER BY id",  # noqa: S608
                (model, version),
            ).fetchall()
            owned = [_live(number, settings_of(*stored), state) for number, *stored, state in found]
            self._live[model, version] = owned
        return owned


def rows_after(connection: sqlite3.Connection, model: int, version: int, seq: int) -> Iterator[Labelled]:
    """Return stored labels of a version after a ledger number, in ledger order."""
    return connection.execute(
        "SELECT seq, correct, label, predicted FROM labels WHERE model = ? AND version = ? AND seq > ? ORDER BY seq",
        (model, version, seq),
    )


def rows_before(connection: sqlite3.Connection, model: int, version: int, seq: int) -> Iterator[Labelled]:
    """Return stored labels of a version up to a ledger number, the newest first."""
    return connection.execute(
        # The + keeps SQLite from an index by version, which it would have to sort.
        "SELECT seq, correct, label, predicted FROM labels WHERE model = ? AND +version = ? AND seq <= ? "
        "ORDER BY seq DESC",
        (model, version, seq),
    )


def stored_detector(
    connection: sqlite3.Connection, model: int, version: int, settings: DetectorSettings
) -> Detector | None:
    """Return the detector as of the last commit, or None when nobody asked for it yet."""
    found = connection.execute(
        "SELECT state FROM detectors WHERE model = ? AND version = ? AND measure = ? "
        "AND threshold = ? AND tolerance = ? AND false_alarm_every = ?",
        _identity(model, version, settings),
    ).fetchone()
    return None if found is None else Detector.load(settings, found[0])


def settings_of(measure: str, threshold: float, tolerance: float, false_alarm_every: float) -> DetectorSettings:
    """Return the settings of a stored detector, from the columns ``SETTINGS``."""
    return DetectorSettings(
        measure=_MEASURE.decode(measure),
        threshold=threshold,
        tolerance=tolerance,
        false_alarm_every=false_alarm_every,
    )


def _live(number: int, settings: DetectorSettings, state: bytes) -> _Live:
    return _Live(number, Detector.load(settings, state), outcomes_of(settings.measure, settings.threshold))


def _identity(model: int, version: int, settings: DetectorSettings) -> tuple[object, ...]:
    measure = msgspec.json.encode(settings.measure, order="deterministic").decode()
    return model, version, measure, settings.threshold, settings.tolerance, settings.false_alarm_every
