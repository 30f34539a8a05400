"""What the demo saw, when: a line for each stage, and the live accuracy as the operator reported it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import msgspec
from tests.demo.traffic import Tally

from evermodel.api.modeldeployment import ModelDeploymentStatus


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A stage that was seen."""

    stage: str
    at_s: float
    """Seconds since the demo began."""
    version: int | None
    live: float | None
    samples: int | None
    failed_requests: int
    """Requests that failed since the stage before."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The file that the demo leaves."""

    stages: list[Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePoint:
    """The live accuracy of one look at the status."""

    at_s: float
    version: int
    value: float
    lower: float
    upper: float


@dataclass(slots=True)
class Journal:
    """The record of one run of the demo.

    Parameters
    ----------
    tally : Tally
        Filled by the clients.
    begin : float
        Monotonic seconds at which it began.
    """

    tally: Tally = field(default_factory=Tally)
    begin: float = field(default_factory=time.monotonic)
    entries: list[Entry] = field(default_factory=list)
    live: list[LivePoint] = field(default_factory=list)

    def elapsed(self) -> float:
        """Return the seconds since the demo began."""
        return time.monotonic() - self.begin

    def look(self, status: ModelDeploymentStatus) -> None:
        """Keep the live accuracy of a status."""
        live, champion = status.live, status.champion
        if champion is None or live is None or live.value is None or live.lower is None or live.upper is None:
            return
        point = LivePoint(
            at_s=self.elapsed(), version=champion.version, value=live.value, lower=live.lower, upper=live.upper
        )
        self.live.append(point)

    def enter(self, stage: str, status: ModelDeploymentStatus | None = None) -> Entry:
        """Note that a stage was seen."""
        champion = status.champion if status is not None else None
        live = status.live if status is not None else None
        entry = Entry(
            stage=stage,
            at_s=round(self.elapsed(), 1),
            version=champion.version if champion is not None else None,
            live=live.value if live is not None else None,
            samples=live.samples if live is not None else None,
            failed_requests=len(self.tally.failures) - sum(entry.failed_requests for entry in self.entries),
        )
        self.entries.append(entry)
        return entry

    def at(self, stage: str) -> float | None:
        """Return when a stage was seen first."""
        return next((entry.at_s for entry in self.entries if entry.stage == stage), None)

    def first_answers(self) -> list[tuple[float, str]]:
        """Return when each version gave its first answer to a client, in order."""
        seen: dict[str, float] = {}
        for moment, version, _ in self.tally.outcomes:
            seen.setdefault(version, moment - self.begin)
        return [(moment, version) for version, moment in seen.items()]

    def turned_to_serving(self) -> float | None:
        """Return the seconds from the turn of the camera to the first answer of a version made after it."""
        turned = self.at("turned")
        later = [moment for moment, _ in self.first_answers() if turned is not None and moment > turned]
        return later[0] - turned if later and turned is not None else None

    def timeline(self) -> str:
        """Return all stages as a table."""
        lines = [f"{'at':>8}  {'after':>7}  {'stage':<11} {'version':>7} {'live':>6} {'samples':>7} {'failed':>6}"]
        before = 0.0
        for entry in self.entries:
            lines.append(
                f"{entry.at_s:7.1f}s {entry.at_s - before:+7.1f}s  {entry.stage:<11} {_shown(entry.version):>7} "
                f"{_shown(entry.live):>6} {_shown(entry.samples):>7} {entry.failed_requests:>6}"
            )
            before = entry.at_s
        return "\n".join(lines)

    def encoded(self) -> bytes:
        """Return the stages as JSON."""
        return msgspec.json.format(msgspec.json.encode(Record(stages=self.entries)), indent=2) + b"\n"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"
