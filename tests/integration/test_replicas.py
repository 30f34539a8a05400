"""Two replicas of which one works: the other takes over, knows all that happened, and never works beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.audit import created, repeated
from tests.integration.fates import runs, trains
from tests.integration.operator_process import OperatorProcess
from tests.integration.world import World

from evermodel.core.names import Component
from evermodel.kube.kinds import LEASE

pytestmark = pytest.mark.cluster


@pytest.fixture
def second(world: World, tmp_path: Path) -> Iterator[OperatorProcess]:
    """Give a replica that waits for the lease, while the first one works."""
    if world.operator.process is None or world.operator.process.poll() is not None:
        world.operator.start()
    replica = OperatorProcess(tmp_path, world.operator.settings)
    replica.start_waiting()
    replica.wait_until("waiting for the lease")
    yield replica
    replica.clean_up()


def test_the_second_takes_over_when_the_first_is_killed(world: World, second: OperatorProcess) -> None:
    world.declare("killed")
    world.wait_for_champion("killed", 1)
    assert not second.has_said("leading")
    world.operator.kill()
    world.change("killed", {"training": {"parameters": {"max_iter": 2000}}})
    second.wait_until("leading")
    world.wait_for_champion("killed", 2)
    assert created(world.audit.writes(), "jobs") == [
        f"killed-v{n}-{s}" for n in (1, 2) for s in ("train-1", "evaluate")
    ]


def test_the_second_takes_over_at_once_when_the_first_is_stopped(world: World, second: OperatorProcess) -> None:
    world.operator.stop()
    assert world.operator.wait() == 0
    second.wait_until("leading")
    world.declare("stopped")
    world.wait_for_champion("stopped", 1)


def test_a_first_that_stood_still_ends_before_it_writes_again(world: World, second: OperatorProcess) -> None:
    """Its lease ran out meanwhile: what it would have gone on with is done by the second."""
    world.let(Component.TRAIN, runs, model="frozen")
    world.declare("frozen")
    world.wait_for_run_pod("frozen", "frozen-v1-train-1")
    world.operator.freeze()
    second.wait_until("leading")
    holder = holder_of_the_lease(world)
    world.let(Component.TRAIN, trains, model="frozen")
    world.wait_for_champion("frozen", 1)
    world.wait_for_event("frozen", "Promoted")
    world.audit.restart()
    world.operator.thaw()
    assert world.operator.wait() == 1
    assert world.operator.has_said("ending")
    assert world.audit.writes() == [], world.audit.shown()
    assert holder_of_the_lease(world) == holder
    world.change("frozen", {"training": {"parameters": {"max_iter": 2000}}})
    world.wait_for_champion("frozen", 2)
    assert repeated(world.audit.writes(but=("leases", "events"))) == []


def holder_of_the_lease(world: World) -> str:
    holder: str = world.objects.get(LEASE, "evermodel-operator")["spec"]["holderIdentity"]
    return holder
