"""Evermodel's loop over a replayed ledger: detector, training Job, evaluation Job and gate, one after the other.

How many labels each step waits for is said by ``evermodel.pace`` and by the looks of the gate, as in the operator. What
the operator counts in time has no counterpart here: ``cooldown`` is left out, and Jobs end before the next batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, assert_never

from evermodel import pace
from evermodel.contract import EvaluationReport, FreshRange, PairedScore
from evermodel.gate import IN_PRODUCTION, GateRules, Outcome, decide, is_clear, next_look
from evermodel_runtime.backtest.jobs import Version
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.rows import Mask
from evermodel_runtime.quality.changepoint import LONGEST_SHORTFALL, labels_since_change
from evermodel_runtime.quality.detector import Crossing, Detector, DetectorSettings

Tell = Callable[[int, str], None]
"""Takes the ledger number at which something happened, and what."""


class Runs(Protocol):
    """Starts Jobs and knows the ledger."""

    @property
    def last_seq(self) -> int:
        """Largest ledger number."""
        ...

    def train(self, number: int, *, champion: Version, feedback_through: int, changed_after: int | None) -> Version:
        """Train a version on the source and the labels up to a ledger number."""
        ...

    def evaluate(self, candidate: Version, champion: Version | None, fresh: FreshRange | None) -> EvaluationReport:
        """Score a candidate, and the champion where there is one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopRules:
    """What a ModelDeployment declares about the loop."""

    gate: GateRules
    detector: DetectorSettings
    max_attempts: int = 3


@dataclass(slots=True, kw_only=True)
class Episode:
    """The time from an alarm, or from the start, to the next alarm.

    Attributes
    ----------
    changed_after : int or None
        Ledger number after which the labels are of the shortfall that the detector alarmed on; None before any alarm.
    alarm_at : float
        When the label that crossed was written.
    due : int
        Ledger number from which on the next run may start.
    attempts : int
        Runs in a row that gave no better model while the alarm stood.
    fruitless : int
        Those for more labels.
    """

    changed_after: int | None = None
    alarm_at: float = 0.0
    due: int
    attempts: int = 0
    fruitless: int = 0


@dataclass(slots=True, kw_only=True)
class Candidate:
    """A trained version on its way through the gate.

    Attributes
    ----------
    answers_alarm : bool
        Whether an alarm stood when it was trained; else it is of the labels that had come.
    scored : int
        Rows that it was judged on the last time.
    due : int
        Records that neither model has seen, at which it is judged next.
    """

    version: Version
    episode: Episode
    answers_alarm: bool
    due: int
    scored: int = 0


@dataclass(slots=True)
class Loop:
    """The champion, and what is being done about it."""

    jobs: Runs
    rules: LoopRules
    champion: Version
    tell: Tell
    detector: Detector = field(init=False)
    outcomes: list[bool] = field(default_factory=list)
    """Of the champion's labels, which were right."""
    episode: Episode = field(init=False)
    candidate: Candidate | None = None
    versions: int = 1
    alarms: int = 0
    promotions: int = 0

    def __post_init__(self) -> None:
        self.detector = Detector(self.rules.detector)
        self.episode = Episode(due=self._when_there_is_more(fruitless=0, learnt_through=0))

    def take(self, right: Mask, written_at: float) -> None:
        """Take the outcomes of labels that were just written to the ledger, and do what follows from them."""
        last = self.jobs.last_seq
        crossed = self.detector.crossing
        for seq, correct in enumerate(right.tolist(), last - len(right) + 1):
            self.detector.step(seq, correct=correct)
            if self.detector.crossing is None or self.detector.crossing.seq == seq:
                self.outcomes.append(correct)
        if crossed is None and self.detector.crossing is not None:
            self._alarm(self.detector.crossing, written_at)
        if self.candidate is not None:
            self._judge(self.candidate, last)
        elif last >= self.episode.due:
            self._train(self.episode, last)

    def _alarm(self, crossing: Crossing, written_at: float) -> None:
        self.alarms += 1
        value, threshold = 1 - crossing.wrong / crossing.samples, self.rules.detector.threshold
        self.tell(
            crossing.seq, f"alarm: accuracy {value:.3f} over {crossing.samples:,} labels is below {threshold:.3f}"
        )
        shortfall = self.outcomes[-min(crossing.samples, LONGEST_SHORTFALL) :]
        changed_after = crossing.seq - labels_since_change(reversed(shortfall), self.rules.detector)
        self.episode = Episode(
            changed_after=changed_after,
            alarm_at=written_at,
            due=changed_after + pace.labels_to_train(self.rules.gate.min_samples),
        )
        if self.candidate is not None and not self.candidate.answers_alarm:
            self.tell(crossing.seq, f"version {self.candidate.version.number}: superseded, it is of the old world")
            self.candidate = None

    def _train(self, episode: Episode, last: int) -> None:
        self.versions += 1
        try:
            version = self.jobs.train(
                self.versions,
                champion=self.champion,
                feedback_through=last,
                changed_after=episode.changed_after,
            )
        except JobError as error:
            self.tell(last, f"version {self.versions} failed: {error.message}")
            self._pause(episode, learnt_through=last)
            return
        report = version.report
        self.tell(
            last,
            f"version {version.number}: trained on {report.rows:,} rows ({report.window}); "
            f"{last - (episode.changed_after or 0):,} labels have come since the change",
        )
        self.candidate = Candidate(
            version=version,
            episode=episode,
            answers_alarm=self.detector.crossing is not None,
            due=next_look(self.rules.gate, IN_PRODUCTION, 0),
        )

    def _judge(self, candidate: Candidate, last: int) -> None:
        version = candidate.version
        after = max(version.feedback_through, self.champion.feedback_through)
        if last - after < candidate.due:
            return
        fresh = FreshRange(after=after, through=last, predicted_after=candidate.episode.alarm_at)
        report = self.jobs.evaluate(version, self.champion, fresh)
        verdict = decide(
            self.rules.gate,
            reference=report.reference,
            fresh=report.fresh,
            looks=IN_PRODUCTION,
            scored_before=candidate.scored,
        )
        self.tell(last, f"version {version.number}: {verdict.message}")
        match verdict.outcome:
            case Outcome.PROMOTE:
                self._promote(candidate, report.fresh)
            case Outcome.REJECT:
                self._give_up(candidate)
            case Outcome.INCONCLUSIVE:
                counted, scored = last - after, report.fresh.rows if report.fresh is not None else 0
                if pace.is_futile(counted=counted, scored=scored, min_samples=self.rules.gate.min_samples):
                    self._give_up(candidate)
                    return
                look, min_samples = next_look(self.rules.gate, IN_PRODUCTION, scored), self.rules.gate.min_samples
                candidate.scored = scored
                candidate.due = pace.records_for(look, counted=counted, scored=scored, min_samples=min_samples)
            case _:
                assert_never(verdict.outcome)

    def _promote(self, candidate: Candidate, score: PairedScore | None) -> None:
        self.promotions += 1
        self.champion, self.candidate = candidate.version, None
        self.detector, self.outcomes = Detector(self.rules.detector), []
        episode = self.episode = candidate.episode
        episode.attempts = 0
        if candidate.answers_alarm or score is None or is_clear(score):
            episode.fruitless = 0
        learnt_through = candidate.version.feedback_through
        episode.due = self._when_there_is_more(fruitless=episode.fruitless, learnt_through=learnt_through)

    def _give_up(self, candidate: Candidate) -> None:
        self.candidate = None
        self._pause(candidate.episode, learnt_through=candidate.version.feedback_through)

    def _pause(self, episode: Episode, *, learnt_through: int) -> None:
        """Wait after a run that gave no better model: for less where the alarm stands, else for much more to learn."""
        if self.detector.crossing is None:
            episode.fruitless += 1
            episode.due = self._when_there_is_more(fruitless=episode.fruitless, learnt_through=learnt_through)
            return
        episode.attempts += 1
        pause = pace.pause_after(
            episode.attempts, max_attempts=self.rules.max_attempts, min_samples=self.rules.gate.min_samples
        )
        episode.due = self.jobs.last_seq + pause

    def _when_there_is_more(self, *, fruitless: int, learnt_through: int) -> int:
        return learnt_through + pace.labels_for_more(fruitless, min_samples=self.rules.gate.min_samples)
