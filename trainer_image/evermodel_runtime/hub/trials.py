"""Which trials of searches were begun, in memory alone: a hub that is started anew lets some be made twice."""

from __future__ import annotations

from dataclasses import dataclass, field

from evermodel.contract import TrialsLeft

KEPT = 1024
"""Searches that are remembered; names come from requests, so there must be a bound."""
Search = tuple[str, int, str]
"""Model, version and digest of a search."""


@dataclass(slots=True)
class TrialBoard:
    """Shares the trials of a search among the pods that ask: what was begun least often comes first."""

    _begun: dict[Search, dict[int, int]] = field(default_factory=dict)

    def begin(self, search: Search, left: TrialsLeft) -> int | None:
        """Return the trial to make next; the search that was silent for longest makes room."""
        begun = self._begun.pop(search, {})
        self._begun[search] = begun
        if len(self._begun) > KEPT:
            del self._begun[next(iter(self._begun))]
        number = min(left.numbers, key=lambda one: (begun.get(one, 0), one), default=None)
        if number is None or begun.get(number, 0) > left.begun:
            return None
        begun[number] = begun.get(number, 0) + 1
        return number
