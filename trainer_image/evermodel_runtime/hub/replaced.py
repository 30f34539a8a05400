"""Blobs whose place another one took: earlier contents of a dataset, and reports of runs that were repeated.

Nothing else is removed. An artifact is kept as long as the volume, and so is whatever any document on it names, for one
file may be both: a model that is served, and a dataset that it was brought in by.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from evermodel_runtime.hub.blobs import BlobStore

KEPT_SECONDS = 24 * 3600.0
"""For Jobs that are reading, and backups that are being made, of what named it."""
_LARGEST_DOCUMENT = 4 * 1024 * 1024
_NAMED = re.compile(rb'(?<!"dataSha256":")(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])')
"""Digests in JSON, but for those that only tell what was read: nobody fetches data by them."""
_REPORT = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Replaced:
    """What was replaced long enough ago to be looked at."""

    at: float
    """Until when, in seconds since the epoch."""
    digests: frozenset[str]
    unnamed: frozenset[str]
    """Those of them that nothing on the volume names."""


def note_replaced(connection: sqlite3.Connection, before: Iterable[str], now: Iterable[str], at: float) -> None:
    """Remember what is not named any more, and forget what is named again; in an open transaction."""
    named = set(now)
    connection.executemany("DELETE FROM replaced WHERE sha256 = ?", [(digest,) for digest in named])
    connection.executemany(
        "INSERT INTO replaced (sha256, at) VALUES (?, ?) ON CONFLICT DO UPDATE SET at = excluded.at",
        [(digest, at) for digest in set(before) - named],
    )


def pages_of(report: bytes) -> set[str]:
    """Return the digests of the pages for people that the report of a Job names."""
    pages = _REPORT.decode(report).get("report")
    return {page for page in pages.values() if isinstance(page, str)} if isinstance(pages, dict) else set()


def find_replaced(connection: sqlite3.Connection, blobs: BlobStore, until: float) -> Replaced | None:
    """Answer what was replaced until then, and what of it nothing names; None where nothing was."""
    found = connection.execute("SELECT sha256 FROM replaced WHERE at <= ?", (until,)).fetchall()
    if not found:
        return None
    digests = frozenset(sha256 for (sha256,) in found)
    return Replaced(until, digests, digests - _named(connection, blobs, digests))


def _named(connection: sqlite3.Connection, blobs: BlobStore, digests: frozenset[str]) -> set[str]:
    """Return which of the digests are named: by a row, or by any document among the blobs, of whatever origin."""
    named = {sha256 for (sha256,) in connection.execute("SELECT sha256 FROM datasets")}
    named |= {sha256 for (sha256,) in connection.execute("SELECT DISTINCT reference FROM bins")}
    for (document,) in connection.execute("SELECT report FROM runs UNION ALL SELECT entry FROM lineage"):
        named.update(_digests_in(document))
    for document in blobs.documents(_LARGEST_DOCUMENT):
        named.update(_digests_in(document))
    return named & digests


def _digests_in(document: bytes) -> Iterable[str]:
    return (found.decode() for found in _NAMED.findall(document))
