"""Predictions by what callers call their rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from evermodel.contract import CallerIds
from evermodel_runtime.hub.reading import model_id
from evermodel_runtime.quality.prediction_id import Signer

MOST_REPEATS = 1_000
"""Equal rows with one id that are a request sent again; more have an id of all requests, and take long to read."""


def takes_caller_ids(connection: sqlite3.Connection, name: str) -> bool:
    """Tell whether a model's rows may be named by ids of callers, as its newest pods said."""
    model = model_id(connection, name)
    found = connection.execute("SELECT caller_ids FROM capture_rules WHERE model = ?", (model,)).fetchone()
    return found is not None and found[0] == CallerIds.ACCEPT


def read_issued(
    connection: sqlite3.Connection, name: str, callers: Sequence[bytes], signer: Signer
) -> dict[bytes, list[str]] | None:
    """Answer the issued ids of the predictions with each id of a caller; None where the model takes no such ids.

    They are two at most. Of equal ones the first alone is told: the caller asked again, though not without end.
    """
    if not takes_caller_ids(connection, name):
        return None
    model = model_id(connection, name)
    return {caller: _different(connection, model, caller, signer) for caller in callers}


def _different(connection: sqlite3.Connection, model: int, caller: bytes, signer: Signer) -> list[str]:
    rows = connection.execute(
        "SELECT version, row, withheld, issued FROM captures INDEXED BY captures_by_caller "
        "WHERE model = ? AND caller = ? ORDER BY n",
        (model, caller),
    )
    first: dict[tuple[int, bytes, object, int], str] = {}
    for place, (version, row, withheld, issued) in enumerate(rows):
        # what is withheld may be all that two rows differ by; what was predicted says so where it matters to a label
        predicted = None if withheld is None else getattr(signer.verify(issued), "predicted", None)
        first.setdefault((version, row, predicted, place // MOST_REPEATS), issued)
        if len(first) > 1:
            break
    return list(first.values())
