"""Pods that search beside a training: there while it goes on, gone with it, and never in its way."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.admission_cases import Value
from tests.integration.audit import created
from tests.integration.fates import Fate, Pod, ends, runs, trains
from tests.integration.waiting import until
from tests.integration.world import World

from evermodel.contract import FailureReason, FailureReport
from evermodel.core.names import COMPONENT_LABEL, MODEL_LABEL, Component
from evermodel.kube.kinds import POD

pytestmark = pytest.mark.cluster

INDEX = "batch.kubernetes.io/job-completion-index"
BY_THREE: dict[str, Value] = {"training.search": {"parameters": {"C": [0.1, 1, 10]}, "parallelism": 3}}
NO_MEMORY = FailureReport(reason=FailureReason.OUT_OF_MEMORY, message="Memory ran out.")


def searching(world: World, name: str) -> list[dict[str, Any]]:
    """Return the pods that search beside the training."""
    return world.objects.all(POD, labelSelector=f"{MODEL_LABEL}={name},{COMPONENT_LABEL}={Component.SEARCH}")


def wait_for_searching(world: World, name: str, count: int) -> None:
    until(
        f"{count} pods search for {name}",
        lambda: [pod["status"]["phase"] for pod in searching(world, name)] == ["Running"] * count,
        otherwise=lambda: world.summary(name),
    )


def wait_for_jobs(world: World, name: str, *jobs: str) -> None:
    wanted = sorted(f"{name}-{job}" for job in jobs)
    until(
        f"{wanted} are the Jobs, and nobody else searches",
        lambda: sorted(world.jobs(name)) == wanted and not searching(world, name),
        otherwise=lambda: (world.jobs(name), world.summary(name)),
    )


def declare(world: World, name: str) -> None:
    world.let(Component.TRAIN, runs, model=name)
    world.declare(name, BY_THREE)


def test_they_come_with_the_training_and_go_with_it_wherever_the_operator_ends(world: World) -> None:
    declare(world, "together")
    until(
        "they are asked for",
        lambda: "together-v1-search" in world.jobs("together"),
        otherwise=lambda: world.summary("together"),
        pause=0.01,
    )
    world.operator.kill()
    world.operator.start()
    wait_for_searching(world, "together", 2)
    world.hub.say("together", 1, "train", "1 of 3 trials have ended")
    shown = "1 of 3 trials have ended (3 of 3 pods)"
    until(
        "their number is shown",
        lambda: (world.version("together", 1)["status"].get("progress") or {}).get("message") == shown,
        otherwise=lambda: world.summary("together"),
    )

    world.operator.kill()
    world.let(Component.TRAIN, trains, model="together")
    world.operator.start()

    world.wait_for_champion("together", 1)
    wait_for_jobs(world, "together", "v1-train-1", "v1-evaluate")
    made = [job for job in created(world.audit.writes(), "jobs") if job.startswith("together-")]
    assert len(made) == len(set(made))
    assert "notes" not in world.version("together", 1)["status"]


def test_one_that_fails_is_told_and_the_version_is_made_without_it(world: World) -> None:
    def fails_first(pod: Pod) -> Fate:
        return ends(NO_MEMORY, 3) if pod["metadata"]["labels"][INDEX] == "0" else runs(pod)

    world.let(Component.SEARCH, fails_first, model="lossy")
    declare(world, "lossy")

    said = world.wait_for_event("lossy", "TrainingWarning")
    note = "The search goes on without 1 of 2 pods beside the training Job: Memory ran out."
    assert said == f"Version 1: {note}"
    wait_for_phases = [pod["status"]["phase"] for pod in searching(world, "lossy")]
    assert sorted(wait_for_phases) == ["Failed", "Running"], "the other one goes on, and none is started again"

    world.let(Component.TRAIN, trains, model="lossy")
    world.wait_for_champion("lossy", 1)
    wait_for_jobs(world, "lossy", "v1-train-1", "v1-evaluate")
    assert world.version("lossy", 1)["status"]["notes"] == [f"Warning: {note}"]


def test_a_superseded_run_leaves_neither_job_behind(world: World) -> None:
    declare(world, "changed")
    wait_for_searching(world, "changed", 2)

    world.let(Component.TRAIN, trains, model="changed", version=2)
    world.change("changed", {"training": {"parameters": {"max_iter": 2000}}})

    world.wait_for_phase("changed", 1, "Superseded")
    world.wait_for_champion("changed", 2)
    wait_for_jobs(world, "changed", "v2-train-1", "v2-evaluate")
