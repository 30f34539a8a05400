"""When is accuracy below the threshold? An e-detector that may be read at any time, as often as one likes.

While the accuracy given the past is at least ``m = threshold - tolerance``, the mean number of labels to a false alarm is
at least ``false_alarm_every``, since each bet's process minus the number of labels is a supermartingale.

References
----------
Shin, J., Ramdas, A. and Rinaldo, A. (2022), "E-detectors: a nonparametric framework for sequential change detection",
arXiv:2203.03532, section 3 (e-SR detectors) and section 4 (mixtures of baselines).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

GRID = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
"""Bets in units of 1/(m(1 - m)): from shifts that are hardly there to collapse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSettings:
    """What counts as too low, and how rare a false alarm must be.

    Parameters
    ----------
    threshold : float
        Accuracy that the model must keep, in (0, 1).
    tolerance : float
        How far below the threshold the accuracy may be without an alarm, in [0, threshold).
    false_alarm_every : float
        Labels between two false alarms, on average at least.
    """

    threshold: float
    tolerance: float
    false_alarm_every: float

    @property
    def level(self) -> float:
        """The accuracy m that must be refuted for an alarm."""
        return self.threshold - self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """The first label at which the evidence passed ``false_alarm_every``."""

    seq: int
    """Ledger number of that label."""
    wrong: int
    samples: int
    """Labels since the leading bet last began to gain, ``wrong`` of them wrong."""


@dataclass(slots=True)
class Detector:
    """One step per label, in ledger order; the first crossing is kept.

    The state is a value: ``dump`` and ``load`` carry it through a database to the bit.
    """

    settings: DetectorSettings
    evidence: list[float] = field(default_factory=list)
    """M of each bet."""
    since: int = 0
    """Labels since the strongest bet's evidence was last below 1 …"""
    wrong_since: int = 0
    """… and how many of them were wrong."""
    crossing: Crossing | None = None
    _right: tuple[float, ...] = field(init=False)
    _wrong: tuple[float, ...] = field(init=False)
    _limit: float = field(init=False)

    def __post_init__(self) -> None:
        m = self.settings.level
        bets = [g / (m * (1 - m)) for g in GRID if g < m / 2]
        self._right = tuple(1 + bet * (m - 1) for bet in bets)
        self._wrong = tuple(1 + bet * m for bet in bets)
        self._limit = self.settings.false_alarm_every * len(bets)
        if not self.evidence:
            self.evidence = [0.0] * len(bets)

    def step(self, seq: int, *, correct: bool) -> None:
        """Take the outcome of one label."""
        factors = self._right if correct else self._wrong
        self.evidence = evidence = [(m + 1.0) * f for m, f in zip(self.evidence, factors, strict=True)]
        self.since += 1
        if not correct:
            self.wrong_since += 1
        elif max(evidence) < 1.0 + 1.0 / self.since:
            self.since = self.wrong_since = 0
        if self.crossing is None and sum(evidence) >= self._limit:
            self.crossing = Crossing(seq=seq, wrong=self.wrong_since, samples=self.since)

    def replay(self, outcomes: Iterable[tuple[int, bool]]) -> None:
        """Take stored outcomes (ledger number, correct) in ledger order."""
        for seq, correct in outcomes:
            self.step(seq, correct=correct)

    def dump(self) -> bytes:
        """The state, exact to the bit."""
        crossing = self.crossing or Crossing(seq=-1, wrong=0, samples=0)
        head = struct.pack("<qqqqq", self.since, self.wrong_since, crossing.seq, crossing.wrong, crossing.samples)
        return head + struct.pack(f"<{len(self.evidence)}d", *self.evidence)

    @classmethod
    def load(cls, settings: DetectorSettings, state: bytes) -> Detector:
        """Continue from a dumped state."""
        since, wrong_since, seq, wrong, samples = struct.unpack_from("<qqqqq", state)
        evidence = list(struct.unpack_from(f"<{(len(state) - 40) // 8}d", state, 40))
        crossing = Crossing(seq=seq, wrong=wrong, samples=samples) if seq >= 0 else None
        return cls(settings, evidence, since, wrong_since, crossing)
