"""How far what comes in has moved from what a version learnt from."""

from __future__ import annotations

import sqlite3

import msgspec

from evermodel.contract import ColumnDrift, Drift, DriftQuery
from evermodel_runtime.hub.bins import newest_reference, newest_version
from evermodel_runtime.hub.core import Hub
from evermodel_runtime.hub.drift import read_drift
from evermodel_runtime.hub.http import HttpError, Request, Response
from evermodel_runtime.hub.metrics import SHOWN
from evermodel_runtime.hub.reading import model_id

_USUAL = DriftQuery()


async def get_drift(hub: Hub, request: Request) -> Response:
    """Answer the drift of a version with the histograms of all its columns; without a number, of the newest."""
    model = request.arguments[0]
    version: int | None = request.number("version", int, None)
    query = DriftQuery(
        threshold=request.number("threshold", float, _USUAL.threshold),
        window=request.number("window", float, _USUAL.window),
        min_samples=request.number("minSamples", int, _USUAL.min_samples),
    )
    if version is None:
        version = await hub.reader.ask(lambda connection: newest_version(connection, model_id(connection, model)))
    drift = None if version is None else await drift_of(hub, model, version, query)
    if drift is None:
        raise HttpError(
            404,
            f"no drift of {model} is known: its pods have not counted {query.min_samples:,} rows in "
            f"{query.window:,g} seconds, or the version was made without reference bins",
        )
    return Response(msgspec.json.encode(drift))


async def drift_of(hub: Hub, model: str, version: int, query: DriftQuery) -> Drift | None:
    """Return the drift of a version; None while too little is known."""
    if query.window < 1 or query.min_samples < 1 or not query.threshold > 0:
        raise HttpError(400, "window and minSamples must be at least 1, and threshold above 0")

    def question(connection: sqlite3.Connection) -> Drift | None:
        number = model_id(connection, model)
        digest = newest_reference(connection, number, version)
        reference = None if digest is None else hub.references.find(digest)
        if digest is None or reference is None:
            return None
        return read_drift(connection, (number, version, digest), reference, query)

    return await hub.reader.ask(question)


def in_short(drift: Drift) -> Drift:
    """Return the few features that differ most, without histograms, as metrics show them."""
    return msgspec.structs.replace(
        drift,
        features=tuple(_plain(column) for column in drift.features[:SHOWN]),
        prediction=_plain(drift.prediction),
    )


def _plain(column: ColumnDrift) -> ColumnDrift:
    return msgspec.structs.replace(column, histogram=None)
