"""By the clock, the champion is scored on production records: what is found is told, and nothing else is done."""

from __future__ import annotations

import pytest
from tests.integration.fates import Evaluates, Scores, fails
from tests.integration.waiting import until
from tests.integration.world import World

from evermodel.contract import FailureReason
from evermodel.core.names import Component

pytestmark = pytest.mark.cluster

RECALL = {"metric": "recall", "positiveClass": "1", "threshold": 0.8}


def test_each_time_of_the_schedule_is_one_job_whose_findings_are_told(world: World) -> None:
    good = Scores(metrics={"recall of 1": 0.9})
    world.let(Component.EVALUATE, Evaluates(metrics={"recall of 1": 0.9}), model="audited")
    world.let(Component.OFFLINE, good, model="audited")
    offline = {"schedule": "* * * * *", "samples": 100}
    world.declare("audited", {"monitoring.offline": offline, "evaluation.constraints": [RECALL]})
    world.wait_for_champion("audited", 1)
    world.wait_for_condition("audited", "OfflineHealthy", "Unknown", "NotScoredYet")

    told = world.wait_for_condition("audited", "OfflineHealthy", "True", "AboveThreshold")
    assert told["message"].startswith("Accuracy 0.960 (95 % interval 0.930 to 0.990) of version 1 over 50 labelled")
    found = world.model("audited")["status"]["offline"]
    assert (found["version"], found["samples"], found["value"]) == (1, 50, 0.96)
    assert found["constraints"] == [{"metric": "recall of 1", "threshold": 0.8, "value": 0.9, "met": True}]
    assert {run.samples for run in good.seen} == {100}

    world.let(Component.OFFLINE, Scores(metrics={"recall of 1": 0.5}), model="audited")
    world.operator.kill()
    world.operator.start()
    told = world.wait_for_condition("audited", "OfflineHealthy", "False", "ConstraintBroken")
    assert "0.500 on 50 production rows is below 0.8" in told["message"]
    assert world.wait_for_event("audited", "ConstraintBroken") == told["message"]

    world.let(Component.OFFLINE, fails(FailureReason.DATA_INVALID, "It answers no row."), model="audited")
    told = world.wait_for_condition("audited", "OfflineHealthy", "Unknown", "OfflineEvaluationFailed")
    assert told["message"].endswith("has not scored version 1: It answers no row.")
    jobs = [name for name in world.jobs("audited") if "-offline-" in name]
    scheduled = {run.scheduled for run in good.seen}
    assert len(jobs) == len(set(jobs)) >= len(scheduled) + 2
    assert world.phases("audited") == {1: "Champion"}, "it starts no run"
    world.change("audited", {"monitoring": {"offline": None}})
    until(
        "nothing is said of it any more",
        lambda: (
            world.condition("audited", "OfflineHealthy") == {} and "offline" not in world.model("audited")["status"]
        ),
        otherwise=lambda: world.summary("audited"),
    )
