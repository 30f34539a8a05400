"""Captures, those with their labels for Jobs, and what each of their values, and the label, is of."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from evermodel.contract import CapturedRow, CapturedRows, Column, LabelledRecord, LabelledRecords, LineageEntry, Scalar
from evermodel.contract.message import Message
from evermodel_runtime.hub.blobs import DIGEST, BlobStore
from evermodel_runtime.hub.reading import last_seq, model_id


class _Taking(Message, frozen=True, kw_only=True):
    """The part of a manifest that is read here."""

    columns: tuple[Column, ...]
    target: str | None = None


_ROW = msgspec.json.Decoder(tuple[Scalar | None, ...])
_NAMES = msgspec.json.Decoder(tuple[str, ...])
_ENTRY = msgspec.json.Decoder(LineageEntry)
_TAKING = msgspec.json.Decoder(_Taking)


def read_records(
    connection: sqlite3.Connection,
    blobs: BlobStore,
    name: str,
    *,
    after: int,
    through: int | None,
    predicted_after: float,
    limit: int,
) -> LabelledRecords:
    """Answer one page of labelled captures in ledger order."""
    model = model_id(connection, name)
    last = last_seq(connection, model)
    end = last if through is None else min(through, last)
    found = connection.execute(
        "SELECT l.seq, l.version, c.predicted_at, c.row, l.label FROM captures AS c "
        "JOIN labels AS l ON l.model = c.model AND l.seq = c.label_seq "
        "WHERE c.model = ? AND c.withheld IS NULL AND c.label_seq > ? AND c.label_seq <= ? AND c.predicted_at > ? "
        "ORDER BY c.label_seq LIMIT ?",
        (model, after, end, predicted_after, limit + 1),
    ).fetchall()
    records = tuple(
        LabelledRecord(seq=seq, version=version, predicted_at=at, row=_ROW.decode(row), label=label)
        for seq, version, at, row, label in found[:limit]
    )
    more = len(found) > limit
    taking = _taking(connection, blobs, model, sorted({record.version for record in records}))
    return LabelledRecords(
        records=records,
        columns={version: taken.columns for version, taken in taking.items()},
        targets={version: taken.target for version, taken in taking.items() if taken.target is not None},
        through=records[-1].seq if more else max(after, end),
        more=more,
    )


def read_captures(
    connection: sqlite3.Connection, blobs: BlobStore, name: str, *, after: int, limit: int
) -> CapturedRows:
    """Answer one page of captures, labelled or not."""
    model = model_id(connection, name)
    found = connection.execute(
        "SELECT c.n, c.version, c.predicted_at, c.row, c.withheld, l.label FROM captures AS c "
        "LEFT JOIN labels AS l ON l.model = c.model AND l.seq = c.label_seq "
        "WHERE c.n > ? AND c.model = ? ORDER BY c.n LIMIT ?",
        (after, model, limit + 1),
    ).fetchall()
    captures = tuple(
        CapturedRow(
            n=n,
            version=version,
            predicted_at=at,
            row=_ROW.decode(row),
            withheld=() if withheld is None else _NAMES.decode(withheld),
            label=label,
        )
        for n, version, at, row, withheld, label in found[:limit]
    )
    taking = _taking(connection, blobs, model, sorted({row.version for row in captures if row.version is not None}))
    return CapturedRows(
        captures=captures,
        columns={version: taken.columns for version, taken in taking.items()},
        through=captures[-1].n if captures else after,
        more=len(found) > limit,
    )


def _taking(
    connection: sqlite3.Connection, blobs: BlobStore, model: int, versions: Iterable[int]
) -> dict[int, _Taking]:
    """Return what versions take: only champions answer requests, and the lineage names the manifest of each."""
    known = {}
    for version in versions:
        found = connection.execute(
            "SELECT entry FROM lineage WHERE model = ? AND number = ?", (model, version)
        ).fetchone()
        taken = None if found is None else _taken_in(blobs, _ENTRY.decode(found[0]).manifest)
        if taken is not None:
            known[version] = taken
    return known


def _taken_in(blobs: BlobStore, manifest: str) -> _Taking | None:
    if DIGEST.fullmatch(manifest) is None or blobs.size(manifest) is None:
        return None
    try:
        return _TAKING.decode(blobs.path(manifest).read_bytes())
    except msgspec.MsgspecError:  # some other blob: nothing is known then
        return None
