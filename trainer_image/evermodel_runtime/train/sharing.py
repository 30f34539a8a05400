"""Who makes which trial: one pod all of them, in order, or several each what no other has begun.

What a trial gives follows from its number, whoever makes it, and the journal keeps what came first. So no pod has to be
trusted to end what it began: where nothing is left that nobody has begun, a pod waits twice as long as its own longest
trial took, and then makes again what another one does not bring to an end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from evermodel.contract import Trial, TrialsLeft

Make = Callable[[int], Trial]
"""Makes the trial of a number."""
Hear = Callable[[Trial], None]
PATIENCE = 2.0
"""How many times as long as its own longest trial took a pod waits for what others have begun …"""
PATIENCE_SECONDS = 1.0
"""… and how long at least."""
SHORTEST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0


class Store(Protocol):
    """Where the hub keeps the trials of all searches."""

    def trials(self, version: int, run: str) -> tuple[Trial, ...]:
        """Return the trials of a search that have ended."""
        ...

    def put_trial(self, version: int, run: str, trial: Trial) -> None:
        """Keep a trial that has ended, unless it is there."""
        ...

    def begin_trial(self, version: int, run: str, left: TrialsLeft) -> int | None:
        """Return the trial to make next."""
        ...


@dataclass(frozen=True, slots=True)
class Journal:
    """The trials of one search.

    Attributes
    ----------
    digest : str
        Names the search by what its trials depend on: those of another run, or of other rows, are not its own.
    """

    store: Store
    version: int
    digest: str

    def ended(self) -> dict[int, Trial]:
        """Return those that have ended, by number."""
        return {trial.number: trial for trial in self.store.trials(self.version, self.digest)}

    def keep(self, trial: Trial) -> None:
        """Write down one that has ended."""
        self.store.put_trial(self.version, self.digest, trial)

    def begin(self, numbers: Sequence[int], begun: int) -> int | None:
        """Return which of these to make, begun by others no more than so often."""
        return self.store.begin_trial(self.version, self.digest, TrialsLeft(numbers=tuple(numbers), begun=begun))


class Sharing(Protocol):
    """How the trials of a search are made."""

    def all_of(self, numbers: Sequence[int], share: float, make: Make) -> list[Trial]:
        """Return the trials of these numbers, in their order, made here or elsewhere, on a share of the rows."""
        ...


@dataclass(frozen=True, slots=True)
class Alone:
    """One pod makes what had not ended before it began.

    Attributes
    ----------
    made : callable
        Hears of each trial that was made here, once it is written down.
    """

    journal: Journal
    before: dict[int, Trial]
    made: Hear

    def all_of(self, numbers: Sequence[int], share: float, make: Make) -> list[Trial]:  # noqa: ARG002 - waits for none
        """Make the trials in order."""
        return [self.before[number] if number in self.before else self._make(number, make) for number in numbers]

    def _make(self, number: int, make: Make) -> Trial:
        trial = make(number)
        self.journal.keep(trial)
        self.made(trial)
        return trial


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of the waiting, on which no result depends."""

    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


REAL = Clock()


@dataclass(slots=True)
class Together:
    """Several pods make the trials; each of them sees all that have ended.

    Attributes
    ----------
    made : callable
        Hears of each trial that was made here, once it is written down.
    told : callable
        Hears which trials have ended, whenever there are more of them, whoever made them.
    """

    journal: Journal
    made: Hear
    told: Callable[[Collection[Trial]], None]
    clock: Clock = REAL
    _longest: float = 0.0
    """Seconds that a trial took here at most, had it had all the rows."""

    def all_of(self, numbers: Sequence[int], share: float, make: Make) -> list[Trial]:
        """Make what nobody has begun, then what others do not end, until all have ended."""
        begun, count, since = 0, -1, self.clock.now()
        while True:
            ended = self.journal.ended()
            left = [number for number in numbers if number not in ended]
            if not left:
                return [ended[number] for number in numbers]
            if len(ended) != count:  # somebody is at work: there is no need to make anything twice
                begun, count, since = 0, len(ended), self.clock.now()
                self.told(ended.values())
            number = self.journal.begin(left, begun)
            if number is not None:
                self._make(number, share, make)
            elif (waited := self.clock.now() - since) >= (patience := self._patience(share)):
                begun, since = begun + 1, self.clock.now()
            else:
                self.clock.pause(_pause(waited, patience - waited))

    def _patience(self, share: float) -> float:
        """Return for how long nothing may end: what is made twice is lost, and makes the next round wait."""
        return max(PATIENCE * self._longest * share, PATIENCE_SECONDS)

    def _make(self, number: int, share: float, make: Make) -> None:
        began = self.clock.now()
        trial = make(number)
        self.journal.keep(trial)
        self.made(trial)
        self._longest = max(self._longest, (self.clock.now() - began) / share)


def _pause(waited: float, left: float) -> float:
    """Return the seconds until the next look: a quarter of the wait so far, so that many who wait long ask seldom."""
    return min(max(waited / 4, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS, left)
