"""The version that serves learns on from labelled records, between whole runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from tests.integration.admission_cases import Value
from tests.integration.fates import Evaluates, Fate, Pod, digest, run_of, trains
from tests.integration.waiting import stays
from tests.integration.world import World

from evermodel.contract import OnlineUpdate, TrainRun
from evermodel.core.names import Component

pytestmark = pytest.mark.cluster

LOOK_SECONDS = 2.0
"""Two polls of the hub."""
LEARNING: Mapping[str, Value] = {
    "training": {"estimator": "SGDClassifier"},
    "retraining.triggers": ["Accuracy"],
    "retraining.data": {"includeFeedback": True},
    "retraining.online": {"minRecords": 30, "minInterval": "1s"},
}
JUDGING = 20
"""monitoring.minSamples: with as many records the last look decides."""
RIGHT = 1
"""True class of predictions that all say 1."""


@dataclass(frozen=True, slots=True)
class Trained:
    """Ends a training with the report of a model, and keeps what its Job was told."""

    seen: list[TrainRun] = field(default_factory=list)

    def __call__(self, pod: Pod) -> Fate:
        run = run_of(pod)
        assert isinstance(run, TrainRun)
        self.seen.append(run)
        return trains(pod)

    def of(self, version: int) -> TrainRun:
        return next(run for run in self.seen if run.version == version)


@pytest.fixture(scope="module", autouse=True)
def jobs(world: World) -> Trained:
    """Declare them all at once: each test waits for its own."""
    jobs = Trained()
    world.let(Component.TRAIN, jobs, model="learns-on")
    world.let(Component.EVALUATE, Evaluates(candidate=0.5, champion=0.5, wins=5, losses=5), model="no-better")
    world.let(Component.EVALUATE, Evaluates(), model="no-better", version=1)
    for name in ("learns-on", "no-better"):
        world.declare(name, LEARNING)
    return jobs


def test_each_update_starts_where_the_one_before_it_ended_and_is_judged_on_later_records(
    world: World, jobs: Trained
) -> None:
    judge = Evaluates(candidate=0.97, champion=0.9, wins=15, losses=0)
    world.let(Component.EVALUATE, judge, model="learns-on", version=2)
    world.wait_for_champion("learns-on", 1)
    assert (jobs.of(1).online, jobs.of(1).keeps_pipeline) == (None, True)
    world.observe("learns-on", 29, RIGHT)
    stays("no update begins", lambda: world.phases("learns-on") == {1: "Champion"}, LOOK_SECONDS)

    world.observe("learns-on", 1, RIGHT)
    spec = world.wait_for_phase("learns-on", 2, "AwaitingLabels")["spec"]
    assert (spec["trigger"]["reason"], spec["parent"], spec["feedbackThrough"]) == ("OnlineUpdate", 1, 30)
    assert spec["trigger"]["message"].endswith("30 call for an update of version 1.")
    assert jobs.of(2).online == OnlineUpdate(base=digest("version 1"), after=0)

    world.observe("learns-on", JUDGING, RIGHT)
    world.wait_for_champion("learns-on", 2)
    fresh = judge.seen[0].fresh
    assert fresh is not None
    assert fresh.after == 30
    assert world.version("learns-on", 2)["status"]["holdoutSet"] == "fresh"

    world.observe("learns-on", 10, RIGHT)
    world.wait_for_phase("learns-on", 3, "AwaitingLabels")
    assert jobs.of(3).online == OnlineUpdate(base=digest("version 2"), after=30)


def test_after_one_that_is_no_better_the_next_waits_for_more_records(world: World) -> None:
    world.wait_for_champion("no-better", 1)
    world.observe("no-better", 30, RIGHT)
    world.wait_for_phase("no-better", 2, "AwaitingLabels")
    world.observe("no-better", JUDGING, RIGHT)
    world.wait_for_phase("no-better", 2, "Rejected")
    assert world.traffic("no-better") == "1"

    world.observe("no-better", 24, RIGHT)
    stays("no update begins with 44 records", lambda: 3 not in world.phases("no-better"), LOOK_SECONDS)
    world.observe("no-better", 1, RIGHT)

    third = world.wait_for_phase("no-better", 3, "AwaitingLabels", "Evaluating", "Rejected")
    assert third["spec"]["trigger"]["message"].endswith("45 call for an update of version 1.")
    assert world.condition("no-better", "Ready")["status"] == "True"
