"""What the operator asks about models in production, whoever answers."""

from __future__ import annotations

from typing import Literal, Protocol

from evermodel.contract import LineageEntry, Quality, QualityQuery, RunReport
from evermodel.core.observed import ModelKey

Stage = Literal["train", "evaluate", "offline"]


class ProviderUnavailable(Exception):  # noqa: N818 - a state, not a mistake
    """No answer for now; the message says why, in words for a condition."""


class QualityProvider(Protocol):
    """Answers for the models of all namespaces. Each question has a timeout and raises ProviderUnavailable."""

    async def quality(self, key: ModelKey, query: QualityQuery) -> Quality:
        """How one version does, and how many labelled records there are."""
        ...

    async def report(self, key: ModelKey, version: int, stage: Stage) -> RunReport | None:
        """Return the report that a Job left, whose termination message was lost; None when it left none."""
        ...

    async def progress(self, key: ModelKey, version: int, stage: Stage) -> str:
        """Say what a Job is doing; empty when it has not told."""
        ...

    async def lineage(self, key: ModelKey) -> tuple[LineageEntry, ...]:
        """Return the versions that became champion under this name, oldest first."""
        ...

    async def dataset(self, key: ModelKey, name: str) -> str | None:
        """Return the sha256 of what an uploaded file is now; None when there is none of that name."""
        ...

    async def record_lineage(self, key: ModelKey, entry: LineageEntry) -> None:
        """Keep that a version becomes champion; the same entry twice is one."""
        ...
