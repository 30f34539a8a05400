"""The hub's answers to Jobs, in memory: artifacts, the source, the ledger, uses of held-out rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from evermodel.contract import (
    Column,
    FreshRange,
    HeldoutUse,
    LabelledRecord,
    LabelledRecords,
    RunReport,
    Trial,
    TrialsLeft,
)

SOURCE_NAME = "first-rows.parquet"
SOURCE_URI = f"hub://{SOURCE_NAME}"


@dataclass
class ReplayHub:
    """What the Jobs of one replay share.

    Attributes
    ----------
    source : bytes
        The first rows of the stream as a file: the training data that was declared.
    columns : tuple of Column
        What every version takes: those of the first, which the others are trained on again.
    ledger : list of LabelledRecord
        Labels in the order in which they came; the n-th has number n.
    """

    source: bytes
    columns: tuple[Column, ...] = ()
    ledger: list[LabelledRecord] = field(default_factory=list)
    _blobs: dict[str, bytes] = field(default_factory=dict)
    _uses: dict[HeldoutUse, int] = field(default_factory=dict)

    def put_blob(self, content: bytes) -> str:
        """Store bytes; returns their sha256."""
        digest = hashlib.sha256(content).hexdigest()
        self._blobs[digest] = content
        return digest

    def blob(self, sha256: str) -> bytes:
        """Return the bytes of this digest."""
        return self._blobs[sha256]

    def dataset(self, name: str, admit: Callable[[int], None]) -> bytes | None:
        """Return the source."""
        if name != SOURCE_NAME:
            return None
        admit(len(self.source))
        return self.source

    def records(self, wanted: FreshRange) -> LabelledRecords:
        """Return the labelled records of a range of the ledger."""
        chosen = self.ledger[wanted.after : wanted.through]
        records = tuple(record for record in chosen if record.predicted_at > wanted.predicted_after)
        columns = {record.version: self.columns for record in records}
        return LabelledRecords(records=records, columns=columns, through=wanted.through, more=False)

    def use_heldout(self, use: HeldoutUse) -> int:
        """Count the versions that were judged on any of these rows, this one included; asked again, answer the same."""
        asked = use if use.set == "fresh" else msgspec.structs.replace(use, after=0, through=1)
        if asked not in self._uses:
            others = {known.version for known in self._uses if _share_rows(known, asked)} - {asked.version}
            self._uses[asked] = len(others) + 1
        return self._uses[asked]

    def put_report(self, version: int, stage: str, report: RunReport) -> None:
        """Do nothing: the replay has the report in its hands."""

    def trials(self, _version: int, _run: str) -> tuple[Trial, ...]:
        """Return none: a replay is not interrupted."""
        return ()

    def put_trial(self, version: int, run: str, trial: Trial) -> None:
        """Do nothing: no search goes on where another stopped."""

    def begin_trial(self, _version: int, _run: str, _left: TrialsLeft) -> int | None:
        """Return none: a replay is one process."""
        return None


def _share_rows(one: HeldoutUse, other: HeldoutUse) -> bool:
    same_set = (one.set, one.rows_key) == (other.set, other.rows_key)
    return same_set and one.after < other.through and one.through > other.after
