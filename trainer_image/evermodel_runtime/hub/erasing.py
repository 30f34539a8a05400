"""Erasing captured rows by the id of their prediction, for good."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from evermodel_runtime.hub.ledger import chunks
from evermodel_runtime.hub.operations import Transaction
from evermodel_runtime.hub.settings import DAY

REMEMBERED_FOR = 7 * DAY
"""Seconds after which no pod has a row any more that it could not hand over."""
MOST_REMEMBERED = 100_000
"""Erased predictions that are remembered; a row waits in a pod for a second or two as a rule."""


@dataclass(frozen=True, slots=True)
class EraseRow:
    """Operation: delete the row of a prediction, and remember that it may not come back. Labels stay: they are counts.

    The result is how many rows there were.
    """

    model: str
    at: float
    key: str

    def carry_out(self, transaction: Transaction) -> int:
        """Delete and remember."""
        model = transaction.model_id(self.model)
        erased = transaction.connection.execute(
            "DELETE FROM captures WHERE model = ? AND key = ?", (model, self.key)
        ).rowcount
        if model in transaction.captures_held:
            transaction.captures_held[model] -= erased
        transaction.connection.execute(
            "INSERT INTO erased (model, key, at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at",
            (model, self.key, self.at),
        )
        transaction.empty_log = True
        return erased


def erased_before(connection: sqlite3.Connection, model: int, keys: Sequence[str]) -> set[str]:
    """Return those of some predictions whose rows may not be kept."""
    if connection.execute("SELECT 1 FROM erased WHERE model = ? LIMIT 1", (model,)).fetchone() is None:
        return set()
    found: set[str] = set()
    for chunk in chunks(keys):
        places = ", ".join("?" * len(chunk))
        rows = connection.execute(
            f"SELECT key FROM erased WHERE model = ? AND key IN ({places})",  # noqa: S608 - placeholders only
            (model, *chunk),
        )
        found.update(key for (key,) in rows)
    return found


def forget_erased(connection: sqlite3.Connection, now: float) -> None:
    """Forget predictions that were erased long ago, and the oldest of too many."""
    connection.execute("DELETE FROM erased WHERE at < ?", (now - REMEMBERED_FOR,))
    last = connection.execute("SELECT at FROM erased ORDER BY at DESC LIMIT 1 OFFSET ?", (MOST_REMEMBERED,)).fetchone()
    if last is not None:
        connection.execute("DELETE FROM erased WHERE at <= ?", last)
