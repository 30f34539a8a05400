"""The database as the writer's thread sees it: operations in, results out, all in one transaction."""

from __future__ import annotations

import logging
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from evermodel_runtime.hub.detectors import Detectors
from evermodel_runtime.hub.ledger import AcceptLabels, Ledger
from evermodel_runtime.hub.operations import Operation

_PATIENCE_MS = 500
"""For readers that see what was erased: a page of records takes less, a backup of the whole volume more."""

logger = logging.getLogger(__name__)


class HubStore:
    """Carries operations out. Belongs to the writer's thread.

    Parameters
    ----------
    connection : sqlite3.Connection
        The one that writes.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.detectors = Detectors(connection)
        self.captures_held: dict[int, int] = {}
        self.empty_log = False
        self.log_waits = False
        self._ledger = Ledger(connection, self.detectors)
        self._models: dict[str, int] = {}

    def apply(self, operations: Sequence[AcceptLabels | Operation]) -> list[Any]:
        """Carry out concurrent operations: first the labels, model by model, then the others in their order."""
        results: list[Any] = [None] * len(operations)
        labels: defaultdict[str, list[int]] = defaultdict(list)
        for place, operation in enumerate(operations):
            if isinstance(operation, AcceptLabels):
                labels[operation.model].append(place)
        for model, places in labels.items():
            requests = [operation for place in places if isinstance(operation := operations[place], AcceptLabels)]
            for place, result in zip(places, self._ledger.accept(self.model_id(model), requests), strict=True):
                results[place] = result
        for place, operation in enumerate(operations):
            if not isinstance(operation, AcceptLabels):
                results[place] = operation.carry_out(self)
        self.detectors.write()
        return results

    def committed(self) -> None:
        """Empty the write-ahead log where it holds what was erased; where a reader is in the way, it waits."""
        if not self.empty_log:
            return
        self.empty_log, self.log_waits = False, True
        try:
            self.connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_MS}")
            (busy, *_) = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self.log_waits = bool(busy)
        except sqlite3.Error:
            logger.exception("the write-ahead log could not be emptied")

    def forget(self) -> None:
        """Drop what was kept in memory: the transaction was rolled back."""
        self._models.clear()
        self.captures_held.clear()
        self._ledger.forget()
        self.detectors.forget()

    def model_id(self, name: str) -> int:
        """Return the number of a model, giving it one when it has none."""
        number = self._models.get(name)
        if number is None:
            self.connection.execute("INSERT INTO models (name) VALUES (?) ON CONFLICT DO NOTHING", (name,))
            (number,) = self.connection.execute("SELECT id FROM models WHERE name = ?", (name,)).fetchone()
            self._models[name] = number
        return int(number)
