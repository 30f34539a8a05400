"""The newest answer of the hub about each model, asked for no more often than declared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from evermodel.contract import Quality, QualityQuery
from evermodel.core.observed import ModelKey
from evermodel.metrics.provider import ProviderUnavailable, QualityProvider

_SLACK: Final = timedelta(milliseconds=50)
"""A timer that rings a little early must not put the question off by a whole interval."""
_AFTER_ERROR: Final = timedelta(seconds=5)
"""Pause after which a hub that gave no answer is asked again, however long the interval is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the hub said to a question, or why it said nothing."""

    query: QualityQuery
    quality: Quality | None
    error: str
    ask_again: datetime
    is_overdue: bool = False
    """The hub was asked again and did not answer: this is its answer from before."""


class QualityCache:
    """Asks the provider when an answer is due or the question is another one."""

    def __init__(self, provider: QualityProvider) -> None:
        self._provider = provider
        self._answers: dict[ModelKey, Answer] = {}

    def known(self, key: ModelKey) -> Answer | None:
        """Return the newest answer without asking."""
        return self._answers.get(key)

    async def read(self, key: ModelKey, query: QualityQuery, *, interval: timedelta, now: datetime) -> Answer:
        """Return an answer to the question that is young enough."""
        known = self._answers.get(key)
        if known is None or known.query != query or now >= known.ask_again - _SLACK:
            known = self._answers[key] = await self._ask(key, query, interval=interval, now=now)
        return known

    def expect(self, key: ModelKey, at: datetime) -> None:
        """Ask again at this time should that be earlier than the interval: a plan waits for labels."""
        known = self._answers.get(key)
        if known is not None and at < known.ask_again:
            self._answers[key] = replace(known, ask_again=at)

    def forget(self, key: ModelKey) -> None:
        """Drop what was known about a model."""
        self._answers.pop(key, None)

    async def _ask(self, key: ModelKey, query: QualityQuery, *, interval: timedelta, now: datetime) -> Answer:
        try:
            quality = await self._provider.quality(key, query)
        except ProviderUnavailable as error:
            again = now + min(interval, _AFTER_ERROR)
            known = self._answers.get(key)
            if known is not None and known.query == query and known.quality is not None and not known.is_overdue:
                return replace(known, ask_again=again, is_overdue=True)  # one lost answer is not worth a word
            return Answer(query=query, quality=None, error=str(error), ask_again=again)
        return Answer(query=query, quality=quality, error="", ask_again=now + interval)
