"""A model of numbers on a real API server: trained, judged and watched by its error."""

from __future__ import annotations

import pytest
from tests.integration.admission_cases import REGRESSION
from tests.integration.fates import Evaluates
from tests.integration.world import World

from evermodel.contract import Measure, Metric, Task
from evermodel.core.names import Component

pytestmark = pytest.mark.cluster


def test_an_error_is_kept_below_the_threshold_or_an_alarm_names_it(own_world: World) -> None:
    world, judge = own_world, Evaluates(candidate=51.25, dummy=77.0)
    world.let(Component.EVALUATE, judge)
    world.declare("progress", REGRESSION | {"monitoring.minSamples": 40})
    world.wait_for_champion("progress", 1)
    recorded = world.version("progress", 1)
    assert judge.seen[0].objective == Measure(metric=Metric.RMSE)
    assert (recorded["spec"]["task"], recorded["spec"]["objective"]["metric"]) == (Task.REGRESSION, Metric.RMSE)
    assert recorded["status"]["message"] == "Rmse 51.25 on 200 reference rows meets the threshold 60.0."
    assert world.model("progress")["status"]["champion"]["holdout"] == 51.25

    world.hub.label("progress", world.hub.predict("progress", 1, 50, predicted=150.0), 190.5)
    healthy = world.wait_for_condition("progress", "Healthy", "True", "AboveThreshold")
    assert healthy["message"] == "No evidence that the live rmse is above 60."
    assert world.model("progress")["status"]["live"]["value"] == 40.5

    world.hub.label("progress", world.hub.predict("progress", 1, 40, predicted=150.0), 400)
    world.wait_for_condition("progress", "Healthy", "False", "NothingNew")
    said = world.wait_for_event("progress", "NothingNew")
    assert said.startswith("Rmse 250 over ")
    assert "labels is above 60; there is nothing new to learn from" in said
