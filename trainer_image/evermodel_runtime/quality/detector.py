"""When does a model miss its threshold? An e-detector that may be read at any time, as often as one likes.

While the outcomes of the metric (see ``outcomes``) have, given the past, a mean of at least the level m (of accuracy:
threshold - tolerance), the mean number of labels to a false alarm is at least ``false_alarm_every``, since each bet's
process minus the number of labels is a supermartingale.

References
----------
Shin, J., Ramdas, A. and Rinaldo, A. (2022), "E-detectors: a nonparametric framework for sequential change detection",
arXiv:2203.03532, section 3 (e-SR detectors) and section 4 (mixtures of baselines).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from operator import add

from evermodel.contract import Measure
from evermodel_runtime.quality.outcomes import is_watchable, level_of

GRID = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
"""Bets in units of 1/(m(1 - m)): from shifts that are hardly there to collapse."""
LOWEST_LEVEL = 0.01
"""Levels m below this leave hardly a bet of the grid to make."""
_HEAD = struct.Struct("<qdqdq")
_NO_CROSSING = -1
ACCURACY = Measure()


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSettings:
    """What counts as too low, and how rare a false alarm must be.

    Parameters
    ----------
    threshold : float
        What the model must keep: of accuracy and its like a share, of an error the most that it may be.
    tolerance : float
        How far below the threshold the metric may be without an alarm, in [0, threshold); of an error, how far above
        it, as a share of the threshold.
    false_alarm_every : float
        Labels between two false alarms, on average at least; of those that the metric is about.
    measure : Measure, optional
        The metric.

    Raises
    ------
    ValueError
        When the three leave nothing to detect.
    """

    threshold: float
    tolerance: float
    false_alarm_every: float
    measure: Measure = ACCURACY

    def __post_init__(self) -> None:
        if not is_watchable(self.measure):
            raise ValueError(
                f"{self.measure} does not follow from single labels, so that nothing can watch it: choose accuracy, "
                "precision, recall or f1 of one class, rmse, mae or mape"
            )
        if self.measure.metric.lower_is_better and not 0 < self.threshold < float("inf"):
            raise ValueError(f"threshold {self.threshold:g} is no error to stay below: it must be above 0")
        if self.tolerance < 0 or not LOWEST_LEVEL <= self.level < 1:
            raise ValueError(
                f"threshold {self.threshold:g} less tolerance {self.tolerance:g} must lie in [{LOWEST_LEVEL:g}, 1), "
                "and the tolerance must not be negative"
            )
        if not 1 <= self.false_alarm_every < float("inf"):
            raise ValueError(f"falseAlarmEvery is {self.false_alarm_every:g} labels: it must be at least 1")

    @property
    def level(self) -> float:
        """The mean outcome m that must be refuted for an alarm."""
        return level_of(self.measure, self.threshold, self.tolerance)

    @property
    def bets(self) -> tuple[float, ...]:
        """The bets λ that are made side by side; each keeps its factor above 1/2."""
        m = self.level
        return tuple(g / (m * (1 - m)) for g in GRID if g < m / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """The first label at which the evidence passed ``false_alarm_every``."""

    seq: int
    """Ledger number of that label."""
    wrong: float
    samples: int
    """Labels of the shortfall that ends there, ``wrong`` of them wrong (of errors, the sum of what outcomes lack to 1);
    see ``Detector.shortfall``."""


@dataclass(slots=True)
class Detector:
    """One step per label, in ledger order; the first crossing is kept.

    The state is a value: ``dump`` and ``load`` carry it through a database to the bit. Only additions and products of
    IEEE doubles in a fixed order make it, so a replay of the same outcomes gives the same bytes.
    """

    settings: DetectorSettings
    evidence: list[float] = field(default_factory=list)
    """M of each bet."""
    shortfall: int = 0
    """Labels since the evidence last began to grow: the stretch up to now whose own mean has been below m at each
    of its labels. It starts anew as soon as that mean is back at m (a CUSUM of m - x, the limit of small bets)."""
    shortfall_wrong: float = 0.0
    """How many of these were wrong."""
    crossing: Crossing | None = None
    _bets: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _right: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _wrong: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _limit: float = field(init=False, repr=False, compare=False)
    _level: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        m = self._level = self.settings.level
        bets = self._bets = self.settings.bets
        self._right = tuple(1 + bet * (m - 1) for bet in bets)
        self._wrong = tuple(1 + bet * m for bet in bets)
        self._limit = self.settings.false_alarm_every * len(bets)
        if not self.evidence:
            self.evidence = [0.0] * len(bets)

    def step(self, seq: int, *, correct: float) -> None:
        """Take the outcome of one label: right (1), wrong (0) or, of errors, between."""
        if correct == 1:
            factors = self._right
        elif not correct:
            factors = self._wrong
        else:
            factors = tuple([1 + bet * (self._level - correct) for bet in self._bets])
        self.evidence = evidence = [(m + 1.0) * factor for m, factor in zip(self.evidence, factors, strict=True)]
        self.shortfall += 1
        self.shortfall_wrong += 1 - correct
        # Not sum(): since Python 3.12 it rounds otherwise, and an upgrade must not move an alarm.
        if self.crossing is None and reduce(add, evidence) >= self._limit:
            self.crossing = Crossing(seq=seq, wrong=self.shortfall_wrong, samples=self.shortfall)
        if correct and self.shortfall - self.shortfall_wrong >= self._level * self.shortfall:
            self.shortfall, self.shortfall_wrong = 0, 0.0

    def replay(self, outcomes: Iterable[tuple[int, float]]) -> None:
        """Take stored outcomes (ledger number, outcome) in ledger order."""
        for seq, correct in outcomes:
            self.step(seq, correct=correct)

    def dump(self) -> bytes:
        """Return the state, exact to the bit."""
        crossing = self.crossing or Crossing(seq=_NO_CROSSING, wrong=0, samples=0)
        head = _HEAD.pack(self.shortfall, self.shortfall_wrong, crossing.seq, crossing.wrong, crossing.samples)
        return head + struct.pack(f"<{len(self.evidence)}d", *self.evidence)

    @classmethod
    def load(cls, settings: DetectorSettings, state: bytes) -> Detector:
        """Continue from a dumped state."""
        shortfall, shortfall_wrong, seq, wrong, samples = _HEAD.unpack_from(state)
        evidence = list(struct.unpack_from(f"<{(len(state) - _HEAD.size) // 8}d", state, _HEAD.size))
        crossing = None if seq == _NO_CROSSING else Crossing(seq=seq, wrong=wrong, samples=samples)
        return cls(settings, evidence, shortfall, shortfall_wrong, crossing)
