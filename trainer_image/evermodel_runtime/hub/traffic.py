"""What serving pods report: how many predictions they made, and the rows of those that are captured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from evermodel.contract import CaptureRules
from evermodel_runtime.hub.erasing import caller_tombstone, erased_before
from evermodel_runtime.hub.ledger import chunks, insert_rows
from evermodel_runtime.hub.operations import Transaction
from evermodel_runtime.hub.retention import captures_held, drop_oldest, keep_rules
from evermodel_runtime.hub.schema import BUCKET_SECONDS
from evermodel_runtime.hub.settings import DAY

POD_KEPT = 7 * DAY
"""Seconds after its last heartbeat at which a pod's totals are dropped: it will not come back."""
TRAFFIC_KEPT = 400 * DAY
"""Seconds for which predictions are known by the time at which they were made."""


_COLUMNS = "model, key, predicted_at, row, version, withheld, caller, issued"


@dataclass(frozen=True, slots=True)
class NewCapture:
    """The row of a prediction whose id was verified."""

    key: str
    version: int
    predicted_at: float
    row: bytes
    """JSON array."""
    caller: bytes | None = None
    """Keyed hash of what the caller called the row."""
    issued: str | None = None
    """The id of the prediction, where there is a caller's."""


@dataclass(frozen=True, slots=True)
class HeartbeatCounted:
    """Result: what was new in a heartbeat."""

    predictions: int
    captures: int
    dropped: int
    """Older captures that had to go."""


@dataclass(frozen=True, slots=True)
class CountHeartbeat:
    """Operation: add what a pod counted since its last heartbeat. One that is sent again adds nothing."""

    model: str
    at: float
    pod: str
    version: int
    predictions: int
    errors: int
    captures: tuple[NewCapture, ...]
    captures_kept: int
    rules: CaptureRules | None

    def carry_out(self, transaction: Transaction) -> HeartbeatCounted:
        """Count and keep."""
        model = transaction.model_id(self.model)
        predictions = self._count(transaction, model)
        if self.rules is not None:
            keep_rules(transaction, model, self.rules)
        captures = self._capture(transaction, model) if self.captures else 0
        dropped = drop_oldest(transaction, model, self._kept(), captures) if captures else 0
        return HeartbeatCounted(predictions, captures, dropped)

    def _kept(self) -> int:
        wanted = None if self.rules is None else self.rules.max_records
        return self.captures_kept if wanted is None else min(wanted, self.captures_kept)

    def _count(self, transaction: Transaction, model: int) -> int:
        connection = transaction.connection
        known = connection.execute(
            "SELECT predictions, errors FROM pods WHERE model = ? AND version = ? AND pod = ?",
            (model, self.version, self.pod),
        ).fetchone()
        if known is None:
            self._prune(transaction, model)
            known = (0, 0)
        predictions, errors = max(0, self.predictions - int(known[0])), max(0, self.errors - int(known[1]))
        connection.execute(
            "INSERT INTO pods (model, version, pod, predictions, errors, seen_at) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET predictions = max(predictions, excluded.predictions), "
            "errors = max(errors, excluded.errors), seen_at = excluded.seen_at",
            (model, self.version, self.pod, self.predictions, self.errors, self.at),
        )
        if predictions or errors:
            connection.execute(
                "INSERT INTO totals (model, version, predictions, errors) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
                "SET predictions = predictions + excluded.predictions, errors = errors + excluded.errors",
                (model, self.version, predictions, errors),
            )
        if predictions:
            connection.execute(
                "INSERT INTO traffic (model, version, bucket, predictions) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET predictions = predictions + excluded.predictions",
                (model, self.version, int(self.at // BUCKET_SECONDS), predictions),
            )
        return predictions

    def _prune(self, transaction: Transaction, model: int) -> None:
        """Drop what no figure needs any more; done when a pod is new, so seldom."""
        connection = transaction.connection
        connection.execute("DELETE FROM pods WHERE model = ? AND seen_at < ?", (model, self.at - POD_KEPT))
        connection.execute(
            "DELETE FROM traffic WHERE model = ? AND version = ? AND bucket < ?",
            (model, self.version, (self.at - TRAFFIC_KEPT) // BUCKET_SECONDS),
        )

    def _capture(self, transaction: Transaction, model: int) -> int:
        connection = transaction.connection
        erased = erased_before(
            connection, model, [capture.key for capture in self.captures], [capture.caller for capture in self.captures]
        )
        captures_held(transaction, model)  # those that are new are added to it
        withheld = json.dumps(self.rules.withheld) if self.rules is not None and self.rules.withheld else None
        rows = [
            (
                *(model, capture.key, capture.predicted_at, capture.row, capture.version, withheld),
                *(capture.caller, capture.issued),
            )
            for capture in self.captures
            if not _is_erased(capture, erased)
        ]
        written = insert_rows(connection, f"INSERT OR IGNORE INTO captures ({_COLUMNS}) VALUES", rows)
        transaction.captures_held[model] += written
        for chunk in chunks(rows):  # those whose labels came first
            places = ", ".join("?" * len(chunk))
            connection.execute(
                "UPDATE captures INDEXED BY captures_by_key SET label_seq = (SELECT seq FROM labels AS l "  # noqa: S608 - placeholders only
                "WHERE l.model = captures.model AND l.key = captures.key) "
                f"WHERE model = ? AND key IN ({places}) AND label_seq IS NULL",
                (model, *(row[1] for row in chunk)),
            )
        return written


def _is_erased(capture: NewCapture, erased: Mapping[str, float]) -> bool:
    """Tell whether a row may not be kept: a caller's id may be of later rows as well, which nobody had erased."""
    if capture.key in erased:
        return True
    return capture.caller is not None and capture.predicted_at <= erased.get(caller_tombstone(capture.caller), 0.0)
