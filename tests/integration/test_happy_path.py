"""From nothing to a model that serves, and what it costs the API server."""

from __future__ import annotations

import os

import pytest
from tests.integration.audit import repeated
from tests.integration.waiting import stays
from tests.integration.world import World

pytestmark = pytest.mark.cluster

QUIET_SECONDS = 60.0 if os.environ.get("EVERMODEL_SOAK") else 6.0
"""How long nothing may be written: over several polls of the hub and several lists of everything."""
NOT_COUNTED = {"jobs", "deployments", "services"}
CREATED = 201


def test_few_writes_until_ready_none_after_that_and_the_users_part_untouched(own_world: World) -> None:
    world = own_world
    world.operator.changed["EVERMODEL_RESYNC"] = "2s"
    world.operator.stop()
    world.operator.start()
    labels, annotations = {"team": "fraud"}, {"note": "mine", "argocd.argoproj.io/tracking-id": "x:y"}
    world.declare("iris", {"training.parameters": {"max_iter": 1000}}, labels=labels, annotations=annotations)
    before = world.model("iris")
    world.wait_for_champion("iris", 1)
    world.wait_for_event("iris", "Promoted")  # the last word of all

    writes = world.audit.writes(but=("leases", "events"))
    counted = [write for write in writes if not (write.code == CREATED and write.resource in NOT_COUNTED)]
    shown = world.audit.shown()
    assert len(counted) <= 16, shown
    assert repeated(writes) == [], shown
    assert [write for write in writes if write.code >= 400 and write.code != 409] == [], shown
    assert len(world.audit.writes(of=("events",))) <= 6
    after = world.model("iris")
    assert after["spec"] == before["spec"]
    for part in ("labels", "annotations", "finalizers", "ownerReferences", "generation"):
        assert after["metadata"].get(part) == before["metadata"].get(part)

    world.audit.restart()
    stays("nothing is written", lambda: not world.audit.writes(), QUIET_SECONDS, otherwise=world.audit.shown)
    world.operator.stop()
    world.operator.start()
    stays(
        "nothing is written after a restart",
        lambda: not world.audit.writes(),
        QUIET_SECONDS,
        otherwise=world.audit.shown,
    )
