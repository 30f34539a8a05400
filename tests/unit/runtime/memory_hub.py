"""A hub in memory: the same answers as the real one, for Jobs that run in the test's own process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import msgspec

from evermodel.contract import (
    Column,
    ColumnKind,
    FreshRange,
    HeldoutUse,
    LabelledRecord,
    LabelledRecords,
    Manifest,
    Reference,
    RunReport,
    Scalar,
    Trial,
    TrialsLeft,
)
from evermodel_runtime.artifacts.job import Progress, Surroundings
from evermodel_runtime.hub.trials import TrialBoard


def numbers(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name=name, kind=ColumnKind.NUMBER) for name in names)


FLOWERS = {1: numbers("height", "width")}
PIXELS = {1: numbers(*(f"pixel_{row}_{column}" for row in range(8) for column in range(8)))}


@dataclass
class MemoryHub:
    """Artifacts, datasets, records, uses and reports of one model."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    datasets: dict[str, bytes] = field(default_factory=dict)
    labelled: tuple[LabelledRecord, ...] = ()
    taken: dict[int, tuple[Column, ...]] = field(default_factory=lambda: dict(FLOWERS))
    """What each version took when it answered the requests that are recorded."""
    targets: dict[int, str] = field(default_factory=dict)
    uses: list[HeldoutUse] = field(default_factory=list)
    reports: dict[tuple[int, str], RunReport] = field(default_factory=dict)
    tried: dict[tuple[int, str], list[Trial]] = field(default_factory=dict)
    begun: TrialBoard = field(default_factory=TrialBoard)

    def put_blob(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return digest

    def blob(self, sha256: str) -> bytes:
        return self.blobs[sha256]

    def dataset(self, name: str, admit: Callable[[int], None]) -> bytes | None:
        content = self.datasets.get(name)
        if content is not None:
            admit(len(content))
        return content

    def records(self, wanted: FreshRange) -> LabelledRecords:
        found = tuple(
            record
            for record in self.labelled
            if wanted.after < record.seq <= wanted.through and record.predicted_at > wanted.predicted_after
        )
        return as_page(found, self.taken, self.targets)

    def use_heldout(self, use: HeldoutUse) -> int:
        if use not in self.uses:
            self.uses.append(use)
        return len({known.version for known in self.uses if (known.set, known.rows_key) == (use.set, use.rows_key)})

    def trials(self, version: int, run: str) -> tuple[Trial, ...]:
        return tuple(sorted(self.tried.get((version, run), ()), key=lambda trial: trial.number))

    def put_trial(self, version: int, run: str, trial: Trial) -> None:
        ended = self.tried.setdefault((version, run), [])
        if trial.number not in {known.number for known in ended}:
            ended.append(trial)

    def begin_trial(self, version: int, run: str, left: TrialsLeft) -> int | None:
        return self.begun.begin(("", version, run), left)

    def put_report(self, version: int, stage: str, report: RunReport) -> None:
        self.reports[version, stage] = report

    def manifest(self, sha256: str) -> Manifest:
        return msgspec.json.decode(self.blobs[sha256], type=Manifest)

    def reference(self, sha256: str) -> Reference:
        """What drift of the version with this manifest is measured against."""
        return msgspec.json.decode(self.blobs[self.manifest(sha256).bins or ""], type=Reference)


def still_clock() -> Callable[[], float]:
    return lambda: 0.0


def surroundings(hub: MemoryHub, mount: Path = Path("/nowhere")) -> Surroundings:
    return Surroundings(hub=hub, mount=mount, progress=Progress(still_clock()))


def as_page(
    records: Sequence[LabelledRecord],
    taken: Mapping[int, tuple[Column, ...]],
    targets: Mapping[int, str] = MappingProxyType({}),
) -> LabelledRecords:
    """Answer as the hub does: with the columns of the versions of these records, where they are known."""
    versions = sorted({record.version for record in records} & set(taken))
    columns = {version: taken[version] for version in versions}
    known = {version: targets[version] for version in versions if version in targets}
    return LabelledRecords(records=tuple(records), columns=columns, targets=known, through=0, more=False)


def as_records(
    rows: Sequence[Sequence[Scalar | None]], labels: Sequence[Scalar], *, first_seq: int = 1, version: int = 1
) -> tuple[LabelledRecord, ...]:
    """Number rows in the order in which they were predicted and labelled."""
    return tuple(
        LabelledRecord(
            seq=first_seq + place,
            version=version,
            predicted_at=100.0 + first_seq + place,
            row=tuple(row),
            label=str(label),
        )
        for place, (row, label) in enumerate(zip(rows, labels, strict=True))
    )
