"""What a long run is doing is shown with its version, and costs the API server next to nothing."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.cluster import Cluster
from tests.integration.fates import runs, trains
from tests.integration.waiting import stays, until
from tests.integration.world import World

from evermodel.core.names import Component

pytestmark = pytest.mark.cluster

LOOK_SECONDS = 6.0
"""Over several polls of the hub."""


def test_a_running_job_is_shown_in_one_write_however_much_it_says(world: World, cluster: Cluster) -> None:
    world.let(Component.TRAIN, runs, model="long")
    world.declare("long")
    world.wait_for_phase("long", 1, "Training")
    world.hub.say("long", 1, "train", "epoch 1 of 60: loss 0.9")
    shown = until("its word is shown", lambda: progress(world, 1), otherwise=lambda: world.summary("long"))
    assert shown["message"] == "epoch 1 of 60: loss 0.9"
    header, *rows = cluster.kubectl("get", "modelversions", f"--namespace={world.namespace}").splitlines()
    assert "PROGRESS" in header
    assert any("long-v1" in row and shown["message"] in row for row in rows)

    world.audit.restart()
    epochs = iter(range(2, 10_000))

    def quiet() -> bool:
        world.hub.say("long", 1, "train", f"epoch {next(epochs)} of 60")
        return not world.audit.writes(of=("modelversions", "modeldeployments"))

    stays("nothing is written", quiet, LOOK_SECONDS, otherwise=world.audit.shown)
    world.let(Component.TRAIN, trains, model="long")
    world.wait_for_champion("long", 1)
    assert progress(world, 1) is None


def progress(world: World, number: int) -> dict[str, Any] | None:
    found: dict[str, Any] | None = world.version("long", number)["status"].get("progress")
    return found
