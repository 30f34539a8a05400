"""Erasing captured rows by the id of their prediction, for good."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

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
        _remember(transaction, model, self.key, self.at)
        return _delete(transaction, model, "key", self.key)


@dataclass(frozen=True, slots=True)
class EraseCallersRows:
    """Operation: delete what has an id of a caller, and remember that no such row of before may come.

    The result is how many rows there were.
    """

    model: str
    at: float
    caller: bytes

    def carry_out(self, transaction: Transaction) -> int:
        """Delete and remember."""
        model = transaction.model_id(self.model)
        _remember(transaction, model, caller_tombstone(self.caller), self.at)
        return _delete(transaction, model, "caller", self.caller)


def caller_tombstone(caller: bytes) -> str:
    """Return what an erased id of a caller is remembered as; keys of predictions have no colon."""
    return f"caller:{caller.hex()}"


def _remember(transaction: Transaction, model: int, key: str, at: float) -> None:
    transaction.connection.execute(
        "INSERT INTO erased (model, key, at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at",
        (model, key, at),
    )


def _delete(transaction: Transaction, model: int, column: Literal["key", "caller"], value: str | bytes) -> int:
    erased = transaction.connection.execute(
        f"DELETE FROM captures WHERE model = ? AND {column} = ?",  # noqa: S608 - one of two names
        (model, value),
    ).rowcount
    if model in transaction.captures_held:
        transaction.captures_held[model] -= erased
    transaction.empty_log = True
    return erased


def erased_before(
    connection: sqlite3.Connection, model: int, keys: Sequence[str], callers: Sequence[bytes | None]
) -> dict[str, float]:
    """Return when those of some predictions and callers' ids were erased whose rows may not be kept."""
    if connection.execute("SELECT 1 FROM erased WHERE model = ? LIMIT 1", (model,)).fetchone() is None:
        return {}
    found: dict[str, float] = {}
    for chunk in chunks([*keys, *(caller_tombstone(caller) for caller in callers if caller is not None)]):
        places = ", ".join("?" * len(chunk))
        rows = connection.execute(
            f"SELECT key, at FROM erased WHERE model = ? AND key IN ({places})",  # noqa: S608 - placeholders only
            (model, *chunk),
        )
        found.update(rows)
    return found


def forget_erased(connection: sqlite3.Connection, now: float) -> None:
    """Forget predictions that were erased long ago, and the oldest of too many."""
    connection.execute("DELETE FROM erased WHERE at < ?", (now - REMEMBERED_FOR,))
    last = connection.execute("SELECT at FROM erased ORDER BY at DESC LIMIT 1 OFFSET ?", (MOST_REMEMBERED,)).fetchone()
    if last is not None:
        connection.execute("DELETE FROM erased WHERE at <= ?", last)
