"""The label ledger: each prediction's label once, in order, with all that follows from it in the same transaction."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

import msgspec

from evermodel_runtime.hub.detectors import Detectors
from evermodel_runtime.hub.schema import BUCKET_SECONDS
from evermodel_runtime.quality.outcomes import Labelled

T = TypeVar("T")
_COLUMNS = "model, seq, version, key, predicted_at, written_at, label, correct, predicted"
_CHUNKS = (128, 16, 1)
"""Rows in one statement. sqlite3 gives up the interpreter lock at each step of a statement and may wait long to have it
again while the event loop is busy: many rows in a step are several times faster than a step for each row."""


class NewLabel(msgspec.Struct, frozen=True):  # a dataclass takes 2 µs more to make
    """A label whose prediction id was verified."""

    key: str
    version: int
    predicted_at: float
    label: str
    correct: bool
    predicted: str
    """The predicted class, as its id holds it, or number."""


@dataclass(frozen=True, slots=True)
class AcceptLabels:
    """Operation: write the labels of one request.

    The result has, for each of them, None when it was written, or the label that was written first.
    """

    model: str
    at: float
    labels: tuple[NewLabel, ...]


class Ledger:
    """Writes labels. Belongs to the writer's thread.

    Parameters
    ----------
    connection : sqlite3.Connection
        In a transaction whenever a method is called.
    detectors : Detectors
        Take one step for each label.
    """

    def __init__(self, connection: sqlite3.Connection, detectors: Detectors) -> None:
        self._connection = connection
        self._detectors = detectors
        self._last_seq: dict[int, int] = {}

    def forget(self) -> None:
        """Read everything again from the database: the transaction was rolled back."""
        self._last_seq.clear()

    def accept(self, model: int, requests: Sequence[AcceptLabels]) -> list[list[str | None]]:
        """Write the labels of several requests for one model, as if one after another."""
        results: list[list[str | None]] = [[] for _ in requests]
        rows = [
            (result.append, label, request.at)
            for request, result in zip(requests, results, strict=True)
            for label in request.labels
        ]
        last = seq = self._seq(model)
        written: list[NewLabel] = []
        for chunk in chunks(rows):
            known = self._labels_of(model, [label.key for _, label, _ in chunk])
            new: list[tuple[object, ...]] = []
            for tell, label, at in chunk:
                key, text = label.key, label.label
                first = known.get(key)
                tell(first)
                if first is None:
                    known[key] = text
                    seq += 1
                    written.append(label)
                    new.append(
                        (model, seq, label.version, key, label.predicted_at, at, text, label.correct, label.predicted)
                    )
            insert_rows(self._connection, f"INSERT INTO labels ({_COLUMNS}) VALUES", new)
        if written:
            self._last_seq[model] = seq
            self._follow_up(model, last + 1, written)
        return results

    def _labels_of(self, model: int, keys: list[str]) -> dict[str, str]:
        """Return the labels that are there already, by key."""
        places = ", ".join("?" * len(keys))
        # SQLite's planner takes a long list for a reason to read the whole ledger: the index is named.
        query = (
            "SELECT key, label FROM labels INDEXED BY labels_by_key "  # noqa: S608 - placeholders only
            f"WHERE model = ? AND key IN ({places})"
        )
        return dict(self._connection.execute(query, (model, *keys)).fetchall())

    def _seq(self, model: int) -> int:
        """Return the number of the last label of a model."""
        last = self._last_seq.get(model)
        if last is None:
            query = "SELECT coalesce(max(seq), 0) FROM labels WHERE model = ?"
            (last,) = self._connection.execute(query, (model,)).fetchone()
        return int(last)

    def _follow_up(self, model: int, first: int, written: list[NewLabel]) -> None:
        """Step the detectors, count, and join captures that came before their labels."""
        outcomes: defaultdict[int, list[Labelled]] = defaultdict(list)
        for seq, label in enumerate(written, first):
            outcomes[label.version].append((seq, label.correct, label.label, label.predicted))
        buckets = Counter([(label.version, int(label.predicted_at // BUCKET_SECONDS)) for label in written])
        for version, steps in outcomes.items():
            self._detectors.step(model, version, steps)
        self._connection.executemany(
            "INSERT INTO totals (model, version, labels) VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET labels = labels + excluded.labels",
            [(model, version, len(steps)) for version, steps in outcomes.items()],
        )
        self._connection.executemany(
            "INSERT INTO traffic (model, version, bucket, labels) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET labels = labels + excluded.labels",
            [(model, version, bucket, count) for (version, bucket), count in buckets.items()],
        )
        self._connection.execute(
            "UPDATE captures INDEXED BY captures_by_key "
            "SET label_seq = (SELECT seq FROM labels AS l WHERE l.model = ?1 AND l.key = captures.key) "
            "WHERE model = ?1 AND key IN (SELECT key FROM labels WHERE model = ?1 AND seq BETWEEN ?2 AND ?3)",
            (model, first, first + len(written) - 1),
        )


def chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut rows into few lengths, so that the statements for them are prepared once."""
    start = 0
    for length in _CHUNKS:
        while len(rows) - start >= length:
            yield rows[start : start + length]
            start += length


def insert_rows(connection: sqlite3.Connection, insert: str, rows: Sequence[tuple[object, ...]]) -> int:
    """Insert rows, many in a statement; returns how many were written."""
    written = 0
    for chunk in chunks(rows):
        one = "(" + ", ".join("?" * len(chunk[0])) + ")"
        values = ", ".join([one] * len(chunk))
        written += connection.execute(f"{insert} {values}", list(chain.from_iterable(chunk))).rowcount
    return written
