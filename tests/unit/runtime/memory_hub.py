"""A hub in memory: the same answers as the real one, for Jobs that run in the test's own process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from evermodel.contract import FreshRange, HeldoutUse, LabelledRecord, Manifest, RunReport, Scalar, Trial
from evermodel_runtime.artifacts.job import Progress, Surroundings


@dataclass
class MemoryHub:
    """Artifacts, datasets, records, uses and reports of one model."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    datasets: dict[str, bytes] = field(default_factory=dict)
    labelled: tuple[LabelledRecord, ...] = ()
    uses: list[HeldoutUse] = field(default_factory=list)
    reports: dict[tuple[int, str], RunReport] = field(default_factory=dict)
    tried: dict[tuple[int, str], list[Trial]] = field(default_factory=dict)

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

    def records(self, wanted: FreshRange) -> tuple[LabelledRecord, ...]:
        return tuple(
            record
            for record in self.labelled
            if wanted.after < record.seq <= wanted.through and record.predicted_at > wanted.predicted_after
        )

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

    def put_report(self, version: int, stage: str, report: RunReport) -> None:
        self.reports[version, stage] = report

    def manifest(self, sha256: str) -> Manifest:
        return msgspec.json.decode(self.blobs[sha256], type=Manifest)


def still_clock() -> Callable[[], float]:
    return lambda: 0.0


def surroundings(hub: MemoryHub, mount: Path = Path("/nowhere")) -> Surroundings:
    return Surroundings(hub=hub, mount=mount, progress=Progress(still_clock()))


def as_records(rows: list[list[float]], labels: Sequence[Scalar], *, first_seq: int = 1) -> tuple[LabelledRecord, ...]:
    """Number rows in the order in which they were predicted and labelled."""
    return tuple(
        LabelledRecord(seq=first_seq + place, predicted_at=100.0 + first_seq + place, row=tuple(row), label=str(label))
        for place, (row, label) in enumerate(zip(rows, labels, strict=True))
    )
