"""What Jobs are doing, for people: in memory alone, and lost with the process."""

from __future__ import annotations

from dataclasses import dataclass, field

from evermodel.contract import RunProgress

KEPT = 4096
"""Models whose newest word is kept; names come from requests, so there must be a bound."""


@dataclass(slots=True)
class ProgressBoard:
    """The newest word of a Job of each model."""

    _newest: dict[str, tuple[int, str, RunProgress]] = field(default_factory=dict)

    def put(self, model: str, version: int, stage: str, progress: RunProgress) -> None:
        """Keep what a Job says; the model that was silent for longest makes room."""
        self._newest.pop(model, None)
        self._newest[model] = (version, stage, progress)
        if len(self._newest) > KEPT:
            del self._newest[next(iter(self._newest))]

    def get(self, model: str, version: int, stage: str) -> RunProgress | None:
        """Return the newest word of one Job, unless another one of the model has spoken since."""
        known = self._newest.get(model)
        return known[2] if known is not None and known[:2] == (version, stage) else None
