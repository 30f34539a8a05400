"""When the loop trains and judges, with Jobs whose results are written down beforehand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest

from evermodel.contract import EvaluationReport, FreshRange, PairedScore, TrainReport
from evermodel.gate import GateRules
from evermodel_runtime.backtest.jobs import Version
from evermodel_runtime.backtest.loop import Loop, LoopRules
from evermodel_runtime.data.failure import spec_error
from evermodel_runtime.quality.detector import DetectorSettings

RULES = LoopRules(
    gate=GateRules(threshold=0.9, min_samples=400),
    detector=DetectorSettings(threshold=0.9, tolerance=0.01, false_alarm_every=100_000),
)
REPORT = TrainReport(
    manifest="m", data_sha256="d", rows=1, feedback_rows=0, window="recent", validation=None, classes=2, seconds=0
)
GOOD, BAD = [True] * 10, [False] * 10
MUCH_BETTER, EQUAL = (40, 0), (5, 5)


def version(number: int, feedback_through: int = 0) -> Version:
    return Version(number, REPORT, feedback_through, model=None)  # type: ignore[arg-type]  # nobody asks it


@dataclass
class ScriptedJobs:
    """Trains and evaluates by script: what each evaluation finds, and which versions fail in training."""

    found: list[tuple[int, int]] = field(default_factory=list)
    failing: Iterable[int] = ()
    last_seq: int = 0
    trained: list[tuple[int, int | None]] = field(default_factory=list)
    """Labels there were, and after which of them the world was thought changed."""
    judged: list[FreshRange] = field(default_factory=list)

    def train(self, number: int, *, champion: Version, feedback_through: int, changed_after: int | None) -> Version:
        assert champion.number < number
        self.trained.append((feedback_through, changed_after))
        if number in self.failing:
            raise spec_error("n_neighbors is larger than the number of rows")
        return version(number, feedback_through)

    def evaluate(self, candidate: Version, champion: Version | None, fresh: FreshRange | None) -> EvaluationReport:
        assert champion is not None
        assert fresh is not None
        assert fresh.after == candidate.feedback_through
        self.judged.append(fresh)
        candidate_only, champion_only = self.found.pop(0) if self.found else EQUAL
        rows = fresh.through - fresh.after
        score = PairedScore(
            rows=rows,
            candidate=0.5 + (candidate_only - champion_only) / rows,
            champion=0.5,
            dummy=0.1,
            candidate_only=candidate_only,
            champion_only=champion_only,
        )
        return EvaluationReport(reference=None, fresh=score, seconds=0)


def run(jobs: ScriptedJobs, *batches: list[bool]) -> Loop:
    loop = Loop(jobs, RULES, version(1), lambda _label, _line: None)
    for number, right in enumerate(batches):
        jobs.last_seq += len(right)
        loop.take(np.array(right), written_at=number + 0.5)
    return loop


def test_while_accuracy_holds_runs_for_more_labels_come_more_and_more_seldom() -> None:
    jobs = ScriptedJobs()
    loop = run(jobs, *[GOOD] * 1000)
    starts = [labels for labels, _ in jobs.trained]
    assert starts == [400, 1_000, 1_900, 3_250, 5_280, 8_320], "400 labels after the last, then half as many again"
    assert {changed for _, changed in jobs.trained} == {None}
    assert (loop.champion.number, loop.alarms) == (1, 0)


def test_a_run_for_more_labels_is_looked_at_three_times() -> None:
    jobs = ScriptedJobs(found=[(5, 6)] * 3)
    run(jobs, *[GOOD] * 100)
    assert [fresh.through for fresh in jobs.judged] == [500, 600, 800]


def test_an_alarm_overtakes_a_run_for_more_labels() -> None:
    jobs = ScriptedJobs()
    run(jobs, *[GOOD] * 41, *[BAD] * 12)
    assert jobs.trained == [(400, None), (510, 410)]
    assert jobs.judged == []


def test_a_run_starts_when_a_quarter_of_min_samples_have_come_since_the_change() -> None:
    jobs = ScriptedJobs()
    loop = run(jobs, *[GOOD] * 30, *[BAD] * 20)
    assert jobs.trained == [(400, 300)]
    assert loop.alarms == 1


def test_a_candidate_is_judged_on_later_labels_alone_at_a_quarter_a_half_and_all_of_min_samples() -> None:
    jobs = ScriptedJobs()
    run(jobs, *[GOOD] * 30, *[BAD] * 50)
    assert [(fresh.after, fresh.through) for fresh in jobs.judged] == [(400, 500), (400, 600), (400, 800)]
    assert {fresh.predicted_after for fresh in jobs.judged} == {30.5}, "the batch in which the alarm was written"


def test_a_promotion_changes_the_champion_and_starts_the_detector_anew() -> None:
    jobs = ScriptedJobs(found=[MUCH_BETTER])
    loop = run(jobs, *[GOOD] * 30, *[BAD] * 20, *[GOOD] * 5)
    assert (loop.champion.number, loop.promotions) == (2, 1)
    assert loop.detector.crossing is None
    assert loop.detector.shortfall == 0


def test_after_a_promotion_more_labels_call_for_another_run() -> None:
    jobs = ScriptedJobs(found=[MUCH_BETTER])
    run(jobs, *[GOOD] * 30, *[BAD] * 20, *[GOOD] * 40)
    assert jobs.trained == [(400, 300), (800, 300)]


def test_runs_that_gave_nothing_are_followed_by_others_at_once_then_after_longer_and_longer_pauses() -> None:
    jobs = ScriptedJobs()
    run(jobs, *[GOOD] * 30, *[BAD] * 500)
    starts = [labels for labels, _ in jobs.trained]
    judged_by = [start + 400 for start in starts]
    pauses = [later - earlier for earlier, later in zip(judged_by, starts[1:], strict=False)]
    assert pauses == [10, 10, 400, 800, 1_600]


def test_a_run_that_fails_counts_as_one_that_gave_nothing() -> None:
    jobs = ScriptedJobs(failing=range(2, 100))
    run(jobs, *[GOOD] * 30, *[BAD] * 70)
    assert [labels for labels, _ in jobs.trained] == [400, 410, 420, 820]


def test_a_new_alarm_replaces_the_change_that_is_learnt_from() -> None:
    jobs = ScriptedJobs(found=[MUCH_BETTER])
    run(jobs, *[GOOD] * 30, *[BAD] * 20, *[GOOD] * 10, *[BAD] * 15)
    assert jobs.trained == [(400, 300), (700, 600)]


@pytest.mark.parametrize("size", [1, 10, 50])
def test_the_alarm_does_not_depend_on_how_labels_are_batched(size: int) -> None:
    told: list[int] = []
    jobs = ScriptedJobs()
    loop = Loop(jobs, RULES, version(1), lambda label, _line: told.append(label))
    outcomes = [True] * 300 + [False] * 50
    for start in range(0, len(outcomes), size):
        jobs.last_seq += size
        loop.take(np.array(outcomes[start : start + size]), written_at=float(start))
    assert told[0] == 310
