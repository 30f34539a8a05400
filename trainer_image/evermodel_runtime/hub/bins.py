"""How the values that came in were spread, added up over pods, in buckets of time that grow with age."""

from __future__ import annotations

import sqlite3
import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import sub

from evermodel_runtime.hub.operations import Transaction
from evermodel_runtime.hub.settings import DAY

MINUTE = 60
HOUR = 3600
MINUTES_KEPT = 2 * HOUR
"""Age at which the minutes of an hour become one bucket: windows of an hour end to the minute."""
BINS_KEPT = 35 * DAY
"""Two windows of the longest kind and some more."""
POD_KEPT = 7 * DAY
LARGEST = 1 << 40
"""Rows that a pod may say to have counted: sums of so many stay within 64 bits."""


@dataclass(frozen=True, slots=True)
class AddBins:
    """Operation: add what a pod counted since it last told. Totals that are sent again add nothing."""

    model: str
    at: float
    pod: str
    version: int
    reference: str
    totals: tuple[int, ...]

    def carry_out(self, transaction: Transaction) -> None:
        """Add to the minute's bucket."""
        model = transaction.model_id(self.model)
        new = self._since_last_told(transaction.connection, model)
        if any(new):
            self._add(transaction.connection, model, new)

    def _since_last_told(self, connection: sqlite3.Connection, model: int) -> array[int]:
        totals = array("q", self.totals)
        known = connection.execute(
            "SELECT counts FROM bin_totals WHERE model = ? AND version = ? AND pod = ? AND reference = ?",
            (model, self.version, self.pod, self.reference),
        ).fetchone()
        told = array("q", bytes(totals.itemsize * len(totals))) if known is None else _numbers(known[0])
        highest = array("q", map(max, totals, told))  # heartbeats may overtake one another
        connection.execute(
            "INSERT INTO bin_totals (model, version, pod, reference, counts, seen_at) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET reference = excluded.reference, counts = excluded.counts, "
            "seen_at = excluded.seen_at",
            (model, self.version, self.pod, self.reference, highest.tobytes(), self.at),
        )
        return array("q", map(sub, highest, told))

    def _add(self, connection: sqlite3.Connection, model: int, new: array[int]) -> None:
        bucket = (model, self.version, self.reference, int(self.at // MINUTE) * MINUTE, MINUTE)
        held = connection.execute(
            "SELECT counts FROM bins WHERE model = ? AND version = ? AND reference = ? AND start = ? AND seconds = ?",
            bucket,
        ).fetchone()
        if held is None:
            self._tidy(connection, model)
        counts = new if held is None else total((held[0], new.tobytes()))
        connection.execute("INSERT OR REPLACE INTO bins VALUES (?, ?, ?, ?, ?, ?)", (*bucket, counts.tobytes()))

    def _tidy(self, connection: sqlite3.Connection, model: int) -> None:
        """Put the minutes of past hours together, and drop what no window reaches; done once a minute."""
        of = (model, self.version, self.reference)
        connection.execute("DELETE FROM bins WHERE model = ? AND start < ?", (model, self.at - BINS_KEPT))
        connection.execute("DELETE FROM bin_totals WHERE model = ? AND seen_at < ?", (model, self.at - POD_KEPT))
        whole = int((self.at - MINUTES_KEPT) // HOUR) * HOUR
        past = connection.execute(
            "SELECT start, counts FROM bins WHERE model = ? AND version = ? AND reference = ? AND seconds = ? "
            "AND start < ? ORDER BY start",
            (*of, MINUTE, whole),
        ).fetchall()
        for hour, minutes in groupby(past, key=lambda row: row[0] // HOUR * HOUR):
            connection.execute(
                "INSERT INTO bins VALUES (?, ?, ?, ?, ?, ?)",
                (*of, hour, HOUR, total(counts for _, counts in minutes).tobytes()),
            )
        connection.execute(
            "DELETE FROM bins WHERE model = ? AND version = ? AND reference = ? AND seconds = ? AND start < ?",
            (*of, MINUTE, whole),
        )


@dataclass(frozen=True, slots=True)
class BinWindow:
    """What came in during some time."""

    since: float
    until: float
    requests: int
    refused: int
    counts: Sequence[int]


def newest_version(connection: sqlite3.Connection, model: int) -> int | None:
    """Return the version whose pods counted last; None where none did."""
    found = connection.execute(
        "SELECT version FROM bins WHERE model = ? ORDER BY start DESC, version DESC LIMIT 1", (model,)
    ).fetchone()
    return None if found is None else int(found[0])


def newest_reference(connection: sqlite3.Connection, model: int, version: int) -> str | None:
    """Return which bins the version's pods count over; None where they counted none."""
    found = connection.execute(
        "SELECT reference FROM bins WHERE model = ? AND version = ? ORDER BY start DESC LIMIT 1", (model, version)
    ).fetchone()
    return None if found is None else str(found[0])


def read_windows(
    connection: sqlite3.Connection, of: tuple[int, int, str], *, first_column: int, seconds: float, rows: int
) -> list[BinWindow]:
    """Return the newest window and the one before it, each as long and with as many rows as asked for at least.

    Parameters
    ----------
    of : tuple
        Number of the model, version, and digest of the reference.
    first_column : int
        How many counts are those of the first column: all rows are in one of them.
    seconds, rows : float, int
        A window that has too few rows reaches further back. The newest may be shorter while there is no more.
    """
    stored = connection.execute(
        "SELECT start, seconds, counts FROM bins WHERE model = ? AND version = ? AND reference = ? ORDER BY start DESC",
        of,
    )
    windows: list[BinWindow] = []
    start, until, held = 0, 0.0, b""
    for start, length, counts in stored:
        until = until or float(start + length)
        held = _added(counts, _as_one(held))
        if until - start >= seconds and _seen(held, first_column) >= rows:
            windows.append(_window(float(start), until, held))
            until, held = float(start), b""
            if len(windows) == 2:  # noqa: PLR2004 - the newest and the one before
                break
    if not windows and held and _seen(held, first_column) >= rows:
        windows.append(_window(float(start), until, held))
    return windows


def _seen(stored: bytes, first_column: int) -> int:
    """Return how many rows were counted, and requests refused."""
    counts = _numbers(stored)
    return sum(counts[2 : 2 + first_column]) + counts[1]


def _window(since: float, until: float, stored: bytes) -> BinWindow:
    requests, refused, *counts = _numbers(stored)
    return BinWindow(since, until, requests, refused, counts)


def total(stored: Iterable[bytes]) -> array[int]:
    """Add counts up."""
    first, *others = stored
    return _numbers(_added(first, sum(map(_as_one, others))))


def _as_one(stored: bytes) -> int:
    """Return counts as one long number, which is added in a fiftieth of the time: no sum grows beyond its 64 bits."""
    return int.from_bytes(stored, sys.byteorder)


def _added(stored: bytes, held: int) -> bytes:
    return (_as_one(stored) + held).to_bytes(len(stored), sys.byteorder)


def _numbers(stored: bytes) -> array[int]:
    counts = array("q")
    counts.frombytes(stored)
    return counts
