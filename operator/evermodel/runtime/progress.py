"""What running Jobs are doing, asked of the hub no more often than declared."""

from __future__ import annotations

from datetime import datetime, timedelta

from evermodel.core.observed import ModelKey
from evermodel.metrics.provider import ProviderUnavailable, QualityProvider, Stage


class ProgressCache:
    """The newest word about the run of each model that has one."""

    def __init__(self, provider: QualityProvider) -> None:
        self._provider = provider
        self._known: dict[ModelKey, tuple[str, datetime]] = {}

    async def read(self, key: ModelKey, version: int, stage: Stage, *, interval: timedelta, now: datetime) -> str:
        """Say what a Job is doing; empty when that is not known. It first is asked an interval after it was seen."""
        known, ask_at = self._known.get(key, ("", now + interval))
        if now >= ask_at:
            try:
                known = await self._provider.progress(key, version, stage)
            except ProviderUnavailable:  # the quality's business to report
                known = ""
            ask_at = now + interval
        self._known[key] = (known, ask_at)
        return known

    def forget(self, key: ModelKey) -> None:
        """Drop what was known: no Job of the model runs."""
        self._known.pop(key, None)
