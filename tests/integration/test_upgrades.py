"""What changes neither data nor training starts no Job and restarts no serving pod."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.integration.audit import created
from tests.integration.fates import Evaluates
from tests.integration.waiting import until
from tests.integration.world import World

from evermodel.core.names import HUB, Component
from evermodel.kube.kinds import SERVICE, STATEFUL_SET

pytestmark = pytest.mark.cluster


def upgrade_operator(world: World, _: str) -> None:
    """Let the operator bring another runtime image, which the hub takes and models do not."""
    world.operator.changed["EVERMODEL_RUNTIME_IMAGE"] = "runtime:2"
    world.operator.stop()
    world.operator.start()

    def image() -> str:
        template = world.objects.get(STATEFUL_SET, HUB)["spec"]["template"]
        found: str = template["spec"]["containers"][0]["image"]
        return found

    until("the hub has the new image", lambda: image() == "runtime:2", otherwise=image)


def add_a_replica(world: World, name: str) -> None:
    world.change(name, {"serving": {"replicas": 2}})

    def pods() -> dict[str, Any]:
        status: dict[str, Any] = world.deployment(name, 1)["status"]
        return status

    until("two pods are ready", lambda: pods().get("readyReplicas") == 2, otherwise=pods)


def change_the_rules(world: World, name: str) -> None:
    """Change thresholds and constraints that its recorded scores still meet."""
    world.change(
        name,
        {
            "objective": {"threshold": 0.8},
            "monitoring": {"tolerance": 0.05},
            "evaluation": {"referenceTolerance": 0.1},
            "retraining": {"cooldown": "1h"},
        },
    )


@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param("upgraded", upgrade_operator, id="the operator's runtime image"),
        pytest.param("scaled", add_a_replica, id="serving.replicas"),
        pytest.param("rules", change_the_rules, id="the threshold and other rules"),
    ],
)
def test_starts_no_job_and_restarts_no_pod(world: World, name: str, change: Callable[[World, str], None]) -> None:
    world.declare(name)
    world.wait_for_champion(name, 1)
    before = world.deployment(name, 1)
    world.audit.restart()
    change(world, name)
    world.wait_for_champion(name, 1)
    assert world.deployment(name, 1)["spec"]["template"] == before["spec"]["template"]
    assert world.phases(name) == {1: "Champion"}
    assert created(world.audit.writes(), "jobs") == []


def test_grpc_comes_and_goes_with_pods_and_service_and_starts_no_job(world: World) -> None:
    world.declare("called")
    world.wait_for_champion("called", 1)
    before = world.deployment("called", 1)
    world.audit.restart()

    world.change("called", {"serving": {"grpc": {"port": 8001}}})
    until_it_listens(world, "called", {"http": (80, 8080), "grpc": (8001, 9000)})
    world.change("called", {"serving": {"grpc": None}})
    until_it_listens(world, "called", {"http": (80, 8080)})

    world.wait_for_champion("called", 1)
    assert world.deployment("called", 1)["spec"]["template"] == before["spec"]["template"]
    assert created(world.audit.writes(), "jobs") == []


def until_it_listens(world: World, name: str, expected: dict[str, tuple[int, int]]) -> None:
    """Wait until a model's Service has these ports, and the pods of its version those that they lead to."""

    def ports() -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
        [container] = world.deployment(name, 1)["spec"]["template"]["spec"]["containers"]
        service = world.objects.get(SERVICE, name)["spec"]["ports"]
        return (
            {one["name"]: (one["port"], one["targetPort"]) for one in service},
            {one["name"]: one["containerPort"] for one in container["ports"]},
        )

    pods = {port: target for port, (_, target) in expected.items()}
    until(f"the ports are {expected}", lambda: ports() == (expected, pods), otherwise=ports)


def test_a_constraint_rejects_and_loosened_lets_the_version_through_without_a_job(world: World) -> None:
    constraint = {"metric": "recall", "positiveClass": "fraud"}
    world.let(Component.EVALUATE, Evaluates(metrics={"recall of fraud": 0.7}), model="careful")
    world.declare("careful", {"evaluation": {"constraints": [constraint | {"threshold": 0.8}]}})
    rejected = world.wait_for_phase("careful", 1, "Rejected")["status"]
    assert 'recall of class "fraud" 0.700 on 200 reference rows is below 0.8' in rejected["failure"]["message"].lower()
    assert rejected["reference"]["metrics"] == {"recall of fraud": 0.7}
    world.audit.restart()
    world.change("careful", {"evaluation": {"constraints": [constraint | {"threshold": 0.6}]}})
    world.wait_for_champion("careful", 1)
    assert created(world.audit.writes(), "jobs") == []
