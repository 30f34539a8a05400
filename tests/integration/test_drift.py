"""Rows come that the champion did not learn from: what is said, and the one run that begins where it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from tests.integration.admission_cases import Value
from tests.integration.waiting import stays, until
from tests.integration.world import World

from evermodel.contract import Bins, ColumnKind, Reference

pytestmark = pytest.mark.cluster

LOOK_SECONDS = 3.0
"""A few polls of the hub."""
AGE = Bins(name="age", kind=ColumnKind.NUMBER, counts=(500, 500), edges=(40.0,), lowest=18.0, highest=99.0)
ANSWER = Bins(name="prediction", kind=ColumnKind.TEXT, counts=(900, 100, 0), categories=("0", "1"), complete=True)
REFERENCE = Reference(features=(AGE,), prediction=ANSWER)
OLDER = (10, 90, 0, 0, 90, 10, 0, 0, 0)
"""A hundred rows: bins of age, missing, outside; of the prediction."""
MISSING = (30, 30, 40, 0, 90, 10, 0, 0, 0)
DRIFT: Mapping[str, Value] = {
    "monitoring.drift": {"window": "1m", "minSamples": 100},
    "retraining.data.includeFeedback": True,
}


def see(world: World, name: str, counts: tuple[int, ...]) -> None:
    """Let a hundred rows be answered by the champion."""
    world.hub.count(name, world.model(name)["status"]["champion"]["version"], REFERENCE, counts)


def drift_of(world: World, name: str) -> dict[str, Any]:
    found: dict[str, Any] = world.model(name)["status"].get("drift", {})
    return found


def test_values_that_go_missing_are_told_and_train_nothing(world: World) -> None:
    world.declare("leaky", {**DRIFT, "retraining.triggers": ["Accuracy", "Drift"]})
    world.wait_for_champion("leaky", 1)
    assert world.condition("leaky", "DataQuality") == {}, "before anything was compared nothing is said"
    see(world, "leaky", MISSING)

    told = world.wait_for_condition("leaky", "DataQuality", "False", "DataProblem")
    assert told["message"].startswith("Age is missing in 40.0% of the rows (in training 0.0%).")
    assert world.wait_for_event("leaky", "DataProblem") == told["message"]
    assert drift_of(world, "leaky")["problems"] == [{"kind": "Missing", "column": "age", "share": 0.4, "usual": 0.0}]
    assert world.condition("leaky", "Ready")["status"] == "True"
    stays("no run begins", lambda: world.phases("leaky") == {1: "Champion"}, LOOK_SECONDS)


def test_drift_is_told_once_and_starts_one_run_where_triggers_names_it(world: World) -> None:
    world.declare("alerts", DRIFT)
    world.declare("moves", {**DRIFT, "retraining.triggers": ["Accuracy", "Drift"]})
    for name in ("alerts", "moves"):
        world.wait_for_champion(name, 1)
        see(world, name, OLDER)
        world.wait_for_condition(name, "Stable", "Unknown", "CollectingRows")

    def second_window() -> bool:
        for name in ("alerts", "moves"):
            if world.phases(name) == {1: "Champion"}:
                see(world, name, OLDER)
        return world.condition("alerts", "Stable").get("status") == "False" and len(world.phases("moves")) > 1

    until("a second minute has such rows", second_window, otherwise=lambda: world.summary("moves"), pause=1.0)
    told = world.condition("alerts", "Stable")
    assert told["message"].startswith("age (PSI 0.8")
    assert told["message"].endswith("no run is started for it, since retraining.triggers does not name Drift.")
    shown = drift_of(world, "alerts")
    assert (shown["drifted"], shown["features"][0]["name"]) == (["age"], "age")
    assert shown["largest"] == shown["features"][0]["psi"] > 0.8

    assert world.version("moves", 2)["spec"]["trigger"]["reason"] == "Drift"
    world.wait_for_phase("moves", 2, "Champion", "Rejected")
    stays("one drift, one run", lambda: len(world.phases("moves")) == 2, LOOK_SECONDS)
    assert world.phases("alerts") == {1: "Champion"}
    assert [reason for reason, _ in world.events("alerts")].count("Drift") == 1
