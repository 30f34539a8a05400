"""The operator killed at every stage of a promotion, and started again: the end is the same as without."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from tests.integration.admission_cases import Value
from tests.integration.audit import created, repeated
from tests.integration.fates import Deciding, Evaluates, ready, runs, trains
from tests.integration.waiting import until
from tests.integration.world import World

from evermodel.core.names import Component
from evermodel.kube.kinds import DEPLOYMENT, SERVICE, VERSION

pytestmark = pytest.mark.cluster

UNDISTURBED = "undisturbed"
CREATED = "killed-after-creation"
TRAINING = "killed-in-training"
GATE = "killed-at-the-gate"
ROLLOUT = "killed-in-rollout"
FLIP = "killed-at-the-flip"
HELD = {TRAINING: Component.TRAIN, GATE: Component.EVALUATE, ROLLOUT: Component.SERVE, FLIP: Component.SERVE}
"""What is kept from going on, so that the operator is killed just there."""
GOES_ON: Mapping[Component, Deciding] = {
    Component.TRAIN: trains,
    Component.EVALUATE: Evaluates(),
    Component.SERVE: ready,
}
MODELS = (UNDISTURBED, CREATED, TRAINING, GATE, ROLLOUT, FLIP)
WRONG = 0
"""True class of predictions that all say 1."""
UNDECIDED = Evaluates(candidate=0.5, champion=0.5, wins=5, losses=5)
MADE_TWICE = ("modelversions", "jobs", "deployments", "services")


@pytest.fixture(scope="module")
def killed(world: World) -> World:
    """Make version 2 of each model, with the operator killed at the stage that the model is named after."""
    for name in MODELS:
        world.declare(name)  # all at once, in a namespace without a hub
    for name in MODELS:
        world.wait_for_champion(name, 1)
    for name, component in HELD.items():
        world.let(component, runs, model=name, version=2)
        retrain(world, name)
    world.wait_for_run_pod(TRAINING, f"{TRAINING}-v2-train-1")
    world.wait_for_run_pod(GATE, f"{GATE}-v2-evaluate")
    for name in (ROLLOUT, FLIP):
        until(f"{name} has its Deployment", partial(has_deployment, world, name), otherwise=str)
    retrain(world, CREATED)
    until("version 2 is created", lambda: 2 in world.phases(CREATED), otherwise=str, pause=0.01)
    world.operator.kill()
    for name in (TRAINING, GATE, ROLLOUT):
        go_on(world, name)
    world.operator.start()
    world.hub.freeze()  # traffic moves, and what follows it waits: a promotion is recorded in the hub
    go_on(world, FLIP)
    until("traffic goes to version 2", lambda: world.traffic(FLIP) == "2", otherwise=lambda: world.summary(FLIP))
    assert world.phases(FLIP) == {1: "Champion", 2: "Candidate"}
    world.operator.kill()
    world.hub.thaw()
    world.operator.start()
    retrain(world, UNDISTURBED)
    for name in MODELS:
        world.wait_for_champion(name, 2)
        world.wait_for_phase(name, 1, "Archived")
        until(f"the predecessor of {name} is gone", partial(is_gone, world, name), otherwise=str)
    return world


@pytest.mark.parametrize("name", [name for name in MODELS if name != UNDISTURBED])
def test_ends_in_the_same_state(killed: World, name: str) -> None:
    assert outcome(killed, name) == outcome(killed, UNDISTURBED)


@pytest.mark.parametrize("name", MODELS)
def test_makes_each_job_once_and_one_at_a_time(killed: World, name: str) -> None:
    made = [job for job in created(killed.audit.writes(), "jobs") if job.startswith(f"{name}-v")]
    assert len(made) == len(set(made))
    # The record of a request whose operator was killed before the answer does not say that it was done: Jobs do.
    wanted = {f"{name}-v{number}-{stage}" for number in (1, 2) for stage in ("train-1", "evaluate")}
    assert set(killed.jobs(name)) == wanted
    assert killed.node.most_at_once[killed.namespace, name] == 1


def test_writes_nothing_twice(killed: World) -> None:
    done = [write for write in killed.audit.writes(of=MADE_TWICE) if write.code < 400]
    assert repeated(done) == []


@pytest.mark.parametrize("name", MODELS)
def test_records_each_champion_once(killed: World, name: str) -> None:
    assert [entry.number for entry in killed.hub.lineage(name)] == [1, 2]


def test_each_look_at_a_candidate_is_taken_once_wherever_the_operator_is_killed(killed: World) -> None:
    """After an alarm a candidate is evaluated for a quarter, a half and all of minSamples: 20, 40 and 80 labels."""
    world, name = killed, "killed-between-looks"
    capturing: Mapping[str, Value] = {"retraining.data.includeFeedback": True, "retraining.triggers": ["Accuracy"]}
    world.declare(name, {**capturing, "monitoring.minSamples": 80})
    world.wait_for_champion(name, 1)
    world.observe(name, 20, WRONG)
    world.wait_for_phase(name, 2, "AwaitingLabels")
    for labels, job in ((20, f"{name}-v2-evaluate"), (20, f"{name}-v2-evaluate-2"), (40, f"{name}-v2-evaluate-3")):
        world.operator.kill()
        world.let(Component.EVALUATE, runs, model=name, version=2)
        world.observe(name, labels, WRONG)
        world.operator.start()
        world.wait_for_run_pod(name, job)
        world.operator.kill()
        world.let(Component.EVALUATE, UNDECIDED, model=name, version=2)
        world.operator.start()
        world.wait_for_phase(name, 2, "Rejected" if labels == 40 else "AwaitingLabels")
    assert world.version(name, 2)["status"]["looks"] == [20, 40, 80]
    made = [job for job in created(world.audit.writes(), "jobs") if job.startswith(f"{name}-v2")]
    assert sorted(made) == [
        f"{name}-v2-evaluate",
        f"{name}-v2-evaluate-2",
        f"{name}-v2-evaluate-3",
        f"{name}-v2-train-1",
    ]


def retrain(world: World, name: str) -> None:
    world.change(name, {"training": {"parameters": {"max_iter": 2000}}})


def go_on(world: World, name: str) -> None:
    component = HELD[name]
    world.let(component, GOES_ON[component], model=name, version=2)


def has_deployment(world: World, name: str) -> bool:
    return world.objects.find(DEPLOYMENT, f"{name}-v2") is not None


def is_gone(world: World, name: str) -> bool:
    return world.objects.find(DEPLOYMENT, f"{name}-v1") is None


def outcome(world: World, name: str) -> dict[str, Any]:
    """Return all that is left of a model, without names and times."""
    left = {
        "versions": [[found["spec"], found["status"]] for found in world.of(VERSION, name)],
        "deployments": [found["spec"] for found in world.of(DEPLOYMENT, name)],
        "service": world.objects.get(SERVICE, name)["spec"]["selector"],
        "jobs": world.jobs(name),
        "status": world.model(name)["status"],
    }
    cleaned: dict[str, Any] = without_times(json.loads(json.dumps(left).replace(name, "NAME")))
    return cleaned


def without_times(found: Any) -> Any:
    if isinstance(found, list):
        return [without_times(one) for one in found]
    if isinstance(found, dict):
        return {key: without_times(value) for key, value in found.items() if key not in TIMES}
    return found


TIMES = {"startedAt", "finishedAt", "promotedAt", "lastTransitionTime", "lastTime", "live", "nextEligibleTime"}
