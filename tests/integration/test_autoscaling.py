"""The number of pods goes to an autoscaler and back, along with the traffic, and no Deployment ever has fewer.

There is no metrics-server: that the autoscaler wants other numbers is played, by the request that its controller makes.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.waiting import stays, until
from tests.integration.world import World

from evermodel.kube.kinds import AUTOSCALER, DEPLOYMENT, MODEL

pytestmark = pytest.mark.cluster
MANAGER = "evermodel"
AUTOSCALING = {"maxReplicas": 6, "inFlight": 4}
LOOK_SECONDS = 2.0


def owners(deployment: dict[str, Any]) -> set[str]:
    """Return the field managers that own the number of pods."""
    fields = deployment["metadata"]["managedFields"]
    return {one["manager"] for one in fields if "f:replicas" in one["fieldsV1"].get("f:spec", {})}


def followed(world: World, name: str) -> str:
    found = world.objects.find(AUTOSCALER, name)
    return str(found["spec"]["scaleTargetRef"]["name"]) if found is not None else ""


def wait_until_scaled(world: World, name: str, number: int) -> None:
    """Wait until an autoscaler follows a version, whose number of pods is no longer the operator's."""

    def is_scaled() -> bool:
        return followed(world, name) == f"{name}-v{number}" and MANAGER not in owners(world.deployment(name, number))

    until(f"version {number} is scaled", is_scaled, otherwise=lambda: world.summary(name))


def fewest(world: World, deployment: str, since: str) -> int:
    states = world.objects.history(DEPLOYMENT, deployment, since)
    return min(int(state["spec"]["replicas"]) for state in states)


def test_the_number_of_pods_goes_to_the_autoscaler_and_back(world: World) -> None:
    world.declare("scaled", {"serving.replicas": 3})
    world.wait_for_champion("scaled", 1)
    began = world.deployment("scaled", 1)["metadata"]["resourceVersion"]

    world.change("scaled", {"serving": {"replicas": None, "autoscaling": AUTOSCALING}})
    wait_until_scaled(world, "scaled", 1)
    assert owners(world.deployment("scaled", 1)), "nobody owns the number of pods"
    world.wait_for_condition("scaled", "Autoscaled", "Unknown", "AwaitingMetrics")

    world.objects.scale(DEPLOYMENT, "scaled-v1", 5)
    world.wait_for_champion("scaled", 1)
    world.audit.restart()
    until(
        "the status has 5 pods",
        lambda: world.model("scaled")["status"]["replicas"] == 5,
        otherwise=lambda: world.summary("scaled"),
    )
    stays("5 pods are left alone", lambda: world.audit.writes(of=("deployments",)) == [], LOOK_SECONDS)

    world.change("scaled", {"training": {"parameters": {"max_iter": 2000}}})
    world.wait_for_champion("scaled", 2)
    wait_until_scaled(world, "scaled", 2)

    world.change("scaled", {"serving": {"autoscaling": None}})
    until(
        "the autoscaler is gone",
        lambda: world.objects.find(AUTOSCALER, "scaled") is None,
        otherwise=lambda: world.summary("scaled"),
    )
    taken_back = world.deployment("scaled", 2)
    assert (taken_back["spec"]["replicas"], MANAGER in owners(taken_back)) == (5, True)
    assert fewest(world, "scaled-v1", began) == 3
    assert fewest(world, "scaled-v2", began) == 5

    world.objects.scale(DEPLOYMENT, "scaled-v2", 2)
    until(
        "what is scaled by hand is put right",
        lambda: world.deployment("scaled", 2)["spec"]["replicas"] == 5,
        otherwise=lambda: world.summary("scaled"),
    )


def test_what_is_changed_by_hand_is_put_right(world: World) -> None:
    world.declare("bounded", {"serving.autoscaling": AUTOSCALING | {"minReplicas": 2}})
    world.wait_for_champion("bounded", 1)
    wait_until_scaled(world, "bounded", 1)
    world.objects.patch(AUTOSCALER, "bounded", {"spec": {"maxReplicas": 9}})
    until(
        "the bound is as declared",
        lambda: world.objects.get(AUTOSCALER, "bounded")["spec"]["maxReplicas"] == 6,
        otherwise=lambda: world.summary("bounded"),
    )
    world.objects.scale(DEPLOYMENT, "bounded-v1", 0)
    until(
        "an autoscaler that was switched off has pods again",
        lambda: world.deployment("bounded", 1)["spec"]["replicas"] == 2,
        otherwise=lambda: world.summary("bounded"),
    )
    uid = world.objects.get(AUTOSCALER, "bounded")["metadata"]["uid"]
    world.objects.delete(AUTOSCALER, "bounded")
    until(
        "one that was deleted is made again",
        lambda: (world.objects.find(AUTOSCALER, "bounded") or {"metadata": {"uid": uid}})["metadata"]["uid"] != uid,
        otherwise=lambda: world.summary("bounded"),
    )


def test_kubectl_scale_is_refused_in_words(world: World) -> None:
    world.declare("refused", {"serving.autoscaling": AUTOSCALING})
    with pytest.raises(AssertionError, match="is set by the autoscaler: leave it out"):
        world.objects.scale(MODEL, "refused", 3)
