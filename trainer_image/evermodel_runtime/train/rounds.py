"""What a search tries, in rounds: settings that are known beforehand, or that follow from the trials that have ended.

A round depends on the trials before it and on nothing else, so that all pods of a search, and one that is started
again, find the same settings under the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, assert_never

from evermodel.contract import Measure, Search, SearchAlgorithm, TrainRun, Trial
from evermodel_runtime.train.objective import goodness
from evermodel_runtime.train.trials import Setting, choices_of, settings_of

if TYPE_CHECKING:
    from evermodel_runtime.train.tpe import ParzenProposals  # with Optuna, which other searches do not need

HALVING = 3
"""A round of SuccessiveHalving keeps one setting of so many, and gives it so many times the rows."""


@dataclass(frozen=True, slots=True)
class Round:
    """Settings that are tried on a share of the rows, in any order and by any number of pods."""

    settings: Sequence[Setting]
    share: float = 1.0


class Rounds(Protocol):
    """The rounds of one search."""

    @property
    def count(self) -> int:
        """Trials of all rounds together."""
        ...

    def after(self, ended: Sequence[Trial]) -> Round | None:
        """Return the round after these trials, which are all of the rounds before it; None when that was the last."""
        ...


def rounds_of(run: TrainRun, search: Search, rows: int, *, classes: int) -> Rounds:
    """Return what is to be tried on so many rows.

    Raises
    ------
    JobError
        SpecInvalid with the field, the value and what may stand there.
    """
    settings = settings_of(run, search)
    match search.algorithm:
        case SearchAlgorithm.GRID | SearchAlgorithm.RANDOM:
            return Once(settings)
        case SearchAlgorithm.SUCCESSIVE_HALVING:
            return Halving(settings, halvings_of(search, len(settings), rows, classes=classes), run.objective)
        case SearchAlgorithm.TPE:
            from evermodel_runtime.train.tpe import ParzenProposals  # noqa: PLC0415 - as above

            proposals = ParzenProposals(choices_of(search), settings, run.objective, run.seed)
            return Proposed(proposals, len(settings), search.parallelism)
        case _:
            assert_never(search.algorithm)


def ranked(trials: Sequence[Trial], objective: Measure) -> list[Trial]:
    """Return those that were fitted, the best first; the earlier one wins a tie."""
    fitted = [trial for trial in trials if trial.score is not None]
    return sorted(fitted, key=lambda trial: -goodness(objective, trial.score or 0.0))


@dataclass(frozen=True, slots=True)
class Once:
    """All settings in one round: a Grid, or a Random search."""

    settings: Sequence[Setting]

    @property
    def count(self) -> int:
        """One trial each."""
        return len(self.settings)

    def after(self, ended: Sequence[Trial]) -> Round | None:
        """Return the one round."""
        return None if ended else Round(self.settings)


@dataclass(frozen=True, slots=True)
class Part:
    """How many settings a round of SuccessiveHalving tries, and on which share of the rows."""

    settings: int
    share: float


@dataclass(frozen=True, slots=True)
class Halving:
    """Many settings on few rows, and the best of them on more."""

    settings: Sequence[Setting]
    parts: Sequence[Part]
    objective: Measure

    @property
    def count(self) -> int:
        """The better a setting is, the more often it is tried."""
        return sum(part.settings for part in self.parts)

    def after(self, ended: Sequence[Trial]) -> Round | None:
        """Return the best of the round that ended last, as many as go on."""
        settings, left = self.settings, list(ended)
        for part in self.parts:
            settings = settings[: part.settings]
            if not left:
                return Round(settings, part.share) if settings else None
            now, left = left[: len(settings)], left[len(settings) :]
            settings = [trial.parameters for trial in ranked(now, self.objective)]
        return None


@dataclass(frozen=True, slots=True)
class Proposed:
    """Settings that are drawn and then others, proposed as many at a time as there are pods.

    A setting that is tried beside others is proposed without knowing what comes of these.
    """

    proposals: ParzenProposals
    count: int
    at_once: int

    def after(self, ended: Sequence[Trial]) -> Round | None:
        """Return the drawn ones first, all in one round, since none of them depends on another."""
        from evermodel_runtime.train.tpe import FIRST  # noqa: PLC0415 - as above

        first = math.ceil(FIRST / self.at_once) * self.at_once
        wanted = min(self.at_once if ended else first, self.count - len(ended))
        return Round(self.proposals.after(ended, wanted)) if wanted else None


def halvings_of(search: Search, settings: int, rows: int, *, classes: int) -> list[Part]:
    """Return the rounds of a SuccessiveHalving: those of scikit-learn's with ``exhaust``.

    Each round keeps the best third, on three times the rows; the last one has them all.
    """
    smallest = min(2 * search.folds * classes, rows)
    wanted = 1 + math.floor(math.log(settings, HALVING) + 1e-9)
    possible = 1 + math.floor(math.log(rows / smallest, HALVING) + 1e-9)
    return list(_halving(settings, min(wanted, possible)))


def _halving(settings: int, count: int) -> Iterator[Part]:
    for left in range(count - 1, -1, -1):
        yield Part(settings, 1 / HALVING**left)
        settings = math.ceil(settings / HALVING)
