"""Labels come back and say that the model got worse: what is done about it, and what is not."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pytest
from tests.integration.admission_cases import Value
from tests.integration.fates import Evaluates
from tests.integration.waiting import stays, until
from tests.integration.world import World

from evermodel.core.names import Component

pytestmark = pytest.mark.cluster

LOOK_SECONDS = 2.0
"""Two polls of the hub."""
LEARNING: Mapping[str, Value] = {"retraining.data.includeFeedback": True, "monitoring.minSamples": 80}
CAPTURING: Mapping[str, Value] = {**LEARNING, "retraining.triggers": ["Accuracy"]}
MODELS: Mapping[str, Mapping[str, Value]] = {
    "drifts": CAPTURING,
    "stuck": {**CAPTURING, "retraining.maxAttempts": 1},
    "watched": {**CAPTURING, "retraining.mode": "Observe"},
    "blind": {},
    "sparse": {**CAPTURING, "monitoring.minCoverage": 0.5},
    "cut-off": CAPTURING,
    "grows": LEARNING,
}
QUARTER = 20
"""Of monitoring.minSamples: what a run needs since the change, and a first look at what it gave."""
ALARMING = 10
"""Wrong labels of which the first few raise the alarm."""
RIGHT, WRONG = 1, 0
"""True classes of predictions that all say 1."""


@pytest.fixture(scope="module", autouse=True)
def declared(world: World) -> None:
    """Declare them all at once: each test waits for its own."""
    for name, spec in MODELS.items():
        world.declare(name, spec)


def test_an_alarm_collects_labels_retrains_on_them_and_judges_on_later_ones(world: World) -> None:
    judge = Evaluates(candidate=0.97, champion=0.2, wins=15, losses=0)
    world.let(Component.EVALUATE, judge, model="drifts", version=2)
    world.wait_for_champion("drifts", 1)
    world.observe("drifts", 90, RIGHT)
    world.wait_for_condition("drifts", "Healthy", "True", "AboveThreshold")

    world.observe("drifts", ALARMING, WRONG)
    collecting = world.wait_for_condition("drifts", "Healthy", "False", "CollectingLabels")
    assert "labels is below 0.9: at least 10 of 20 labelled records" in collecting["message"]
    assert world.wait_for_event("drifts", "BelowThreshold").startswith("Accuracy ")
    stays("no run begins without new labels", lambda: world.phases("drifts") == {1: "Champion"}, LOOK_SECONDS)

    world.observe("drifts", QUARTER - ALARMING, WRONG)
    version = world.wait_for_phase("drifts", 2, "AwaitingLabels")
    trigger = version["spec"]["trigger"]
    assert (trigger["reason"], trigger["changedAfter"]) == ("AccuracyAlarm", 90)
    assert version["spec"]["feedbackThrough"] == 90 + QUARTER
    assert 90 < trigger["alarmSeq"] <= 90 + ALARMING
    stays(
        "it is not judged on what it was trained on",
        lambda: world.phases("drifts")[2] == "AwaitingLabels",
        LOOK_SECONDS,
    )
    assert world.condition("drifts", "Ready")["status"] == "True"

    world.observe("drifts", QUARTER, WRONG)
    world.wait_for_champion("drifts", 2)
    fresh = judge.seen[0].fresh
    assert fresh is not None
    assert (fresh.after, fresh.through) == (110, 130)
    assert fresh.predicted_after == trigger["alarmAt"]
    status = world.version("drifts", 2)["status"]
    assert (status["holdoutSet"], status["looks"]) == ("fresh", [QUARTER])
    assert world.model("drifts")["status"]["retraining"]["lastTrigger"] == "AccuracyAlarm"

    world.observe("drifts", 60, RIGHT)
    more = world.wait_for_phase("drifts", 3, "AwaitingLabels")
    assert (more["spec"]["trigger"]["reason"], more["spec"]["trigger"]["changedAfter"]) == ("MoreLabels", 90)


def test_a_candidate_that_is_no_better_is_looked_at_three_times_and_rejected(world: World) -> None:
    judge = Evaluates(candidate=0.5, champion=0.5, wins=5, losses=5)
    world.let(Component.EVALUATE, judge, model="stuck")
    world.let(Component.EVALUATE, Evaluates(), model="stuck", version=1)
    world.wait_for_champion("stuck", 1)
    world.observe("stuck", QUARTER, WRONG)
    world.wait_for_phase("stuck", 2, "AwaitingLabels")
    for looks in ([20], [20, 40]):
        world.observe("stuck", QUARTER, WRONG)
        until(
            f"the looks are {looks}",
            partial(has_looked, world, looks),
            otherwise=lambda: world.version("stuck", 2)["status"],
        )
        assert world.phases("stuck")[2] == "AwaitingLabels"
    world.observe("stuck", 2 * QUARTER, WRONG)
    world.wait_for_phase("stuck", 2, "Rejected")
    assert world.version("stuck", 2)["status"]["looks"] == [20, 40, 80]
    assert [job for job in world.jobs("stuck") if job.startswith("stuck-v2-evaluate")] == [
        "stuck-v2-evaluate",
        "stuck-v2-evaluate-2",
        "stuck-v2-evaluate-3",
    ]
    exhausted = world.wait_for_condition("stuck", "Healthy", "False", "RetrainingExhausted")
    assert "1 attempt gave no better model (maxAttempts 1)" in exhausted["message"]
    assert world.traffic("stuck") == "1"
    assert world.condition("stuck", "Ready")["status"] == "True"
    assert not world.condition("stuck", "Stalled")

    world.observe("stuck", 79, WRONG)
    stays("no run begins before the pause is over", lambda: 3 not in world.phases("stuck"), LOOK_SECONDS)
    world.observe("stuck", 1, WRONG)
    assert world.wait_for_phase("stuck", 3, "AwaitingLabels")["spec"]["trigger"]["reason"] == "AccuracyAlarm"


def test_more_labels_start_a_run_which_an_alarm_overtakes(world: World) -> None:
    world.wait_for_champion("grows", 1)
    world.observe("grows", 80, RIGHT)
    version = world.wait_for_phase("grows", 2, "AwaitingLabels")
    assert version["spec"]["trigger"]["reason"] == "MoreLabels"
    assert version["spec"]["feedbackThrough"] == 80
    world.observe("grows", QUARTER, WRONG)
    overtaken = world.wait_for_phase("grows", 2, "Superseded")
    assert "accuracy fell" in overtaken["status"]["message"]
    assert world.wait_for_phase("grows", 3, "AwaitingLabels")["spec"]["trigger"]["reason"] == "AccuracyAlarm"


def test_observe_says_what_it_would_do(world: World) -> None:
    world.wait_for_champion("watched", 1)
    world.observe("watched", ALARMING, WRONG)
    world.wait_for_condition("watched", "Healthy", "False", "CollectingLabels")
    world.observe("watched", QUARTER - ALARMING, WRONG)
    world.wait_for_condition("watched", "Healthy", "False", "WouldRetrain")
    world.wait_for_event("watched", "WouldRetrain")
    stays("no run begins", lambda: world.phases("watched") == {1: "Champion"}, LOOK_SECONDS)


def test_without_capture_there_is_nothing_new_to_learn_from(world: World) -> None:
    world.wait_for_champion("blind", 1)
    world.observe("blind", 60, WRONG)
    told = world.wait_for_condition("blind", "Healthy", "False", "NothingNew")
    assert "set retraining.data.includeFeedback" in told["message"]
    stays("no run begins", lambda: world.phases("blind") == {1: "Champion"}, LOOK_SECONDS)


def test_few_labels_of_many_predictions_prove_nothing(world: World) -> None:
    world.wait_for_champion("sparse", 1)
    ids = world.hub.predict("sparse", 1, 1000)
    world.hub.label("sparse", ids[:100], WRONG)
    told = world.wait_for_condition("sparse", "Healthy", "Unknown", "Inconclusive")
    until("coverage is told", lambda: "below minCoverage 0.5" in message(world, "sparse"), otherwise=lambda: told)
    stays("no run begins", lambda: world.phases("sparse") == {1: "Champion"}, LOOK_SECONDS)
    world.hub.label("sparse", ids[100:600], WRONG)
    world.wait_for_condition("sparse", "Healthy", "False")  # the alarm was held back, not dropped


def test_a_hub_that_stands_still_makes_nothing_unhealthy(world: World) -> None:
    world.wait_for_champion("cut-off", 1)
    world.hub.freeze()
    try:
        world.wait_for_condition("cut-off", "Healthy", "Unknown", "HubUnreachable")
        assert world.condition("cut-off", "Ready")["status"] == "True"
    finally:
        world.hub.thaw()
    world.wait_for_condition("cut-off", "Healthy", "Unknown", "Inconclusive")


def has_looked(world: World, looks: list[int]) -> bool:
    return bool(world.version("stuck", 2)["status"].get("looks") == looks)


def message(world: World, model: str) -> str:
    told: str = world.condition(model, "Healthy").get("message", "")
    return told
