"""A person decides: pinned, paused, changed in the middle, deleted and made again."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.audit import created
from tests.integration.fates import digest, reads, runs, trains
from tests.integration.waiting import stays, until
from tests.integration.world import World

from evermodel.core.names import RETRAIN_ANNOTATION, Component
from evermodel.kube.kinds import CONFIG_MAP, DEPLOYMENT, JOB, MODEL, POD, SECRET, SERVICE, VERSION

pytestmark = pytest.mark.cluster

LOOK_SECONDS = 2.0
NAMES = ("pinned", "mispinned", "paused", "asked", "phoenix", "other")
EVERY_MINUTE: dict[str, Any] = {"triggers": ["Schedule"], "schedule": "* * * * *"}
CHANGED: dict[str, Any] = {"training": {"parameters": {"max_iter": 2000}}}


@pytest.fixture(scope="module", autouse=True)
def declared(world: World) -> None:
    """Declare them all at once: each test waits for its own."""
    for name in NAMES:
        world.declare(name)


def test_a_pin_moves_traffic_there_and_back_without_a_job(world: World) -> None:
    world.wait_for_champion("pinned", 1)
    world.change("pinned", CHANGED)
    world.wait_for_champion("pinned", 2)
    world.audit.restart()
    for number, other in ((1, 2), (2, 1)):
        world.change("pinned", {"version": number})
        world.wait_for_champion("pinned", number)
        assert world.traffic("pinned") == str(number)
        world.wait_for_phase("pinned", other, "Archived")
        assert [entry.number for entry in world.hub.lineage("pinned")] == [other, number]
    world.change("pinned", {"version": None})
    world.wait_for_champion("pinned", 2)
    assert created(world.audit.writes(), "jobs") == []


def test_a_pin_on_a_version_that_is_not_there_changes_nothing_and_says_so(world: World) -> None:
    world.wait_for_champion("mispinned", 1)
    world.change("mispinned", {"version": 7})
    stalled = world.wait_for_condition("mispinned", "Stalled", "True", "PinnedVersionNotFound")
    assert "spec.version is 7, but there is no such version" in stalled["message"]
    assert world.traffic("mispinned") == "1"
    world.change("mispinned", {"version": None})
    world.wait_for_champion("mispinned", 1)


def test_nothing_starts_while_paused(world: World) -> None:
    world.wait_for_champion("paused", 1)
    world.change("paused", {"paused": True, **CHANGED})
    until("it is Paused", lambda: world.model("paused")["status"]["phase"] == "Paused", otherwise=str)
    stays("no version is made", lambda: world.phases("paused") == {1: "Champion"}, LOOK_SECONDS)
    world.change("paused", {"paused": False})
    world.wait_for_champion("paused", 2)


def test_a_request_by_annotation_is_honoured_once(world: World) -> None:
    world.wait_for_champion("asked", 1)
    world.objects.patch(MODEL, "asked", {"metadata": {"annotations": {RETRAIN_ANNOTATION: "today"}}})
    world.wait_for_champion("asked", 2)
    assert world.version("asked", 2)["spec"]["trigger"]["reason"] == "Requested"
    assert world.model("asked")["status"]["retraining"]["handledRequest"] == "today"
    stays("no further version is made", lambda: len(world.phases("asked")) == 2, LOOK_SECONDS)


def test_a_run_that_is_superseded_is_gone_before_the_next_begins(world: World) -> None:
    world.let(Component.TRAIN, runs, model="hasty")
    world.declare("hasty")
    world.wait_for_run_pod("hasty", "hasty-v1-train-1")
    with world.node.lingering(world.namespace):
        world.change("hasty", CHANGED)
        world.wait_for_phase("hasty", 1, "Superseded")
        until("its Job is deleted", lambda: not world.jobs("hasty"), otherwise=lambda: world.jobs("hasty"))
        pod = world.of(POD, "hasty")[0]["metadata"]["name"]
        until("its pod is told to end", lambda: _is_ending(world, pod), otherwise=lambda: world.objects.get(POD, pod))
        stays("no run begins beside its pod", lambda: len(world.phases("hasty")) == 1, LOOK_SECONDS)
        world.let(Component.TRAIN, trains, model="hasty")
    world.wait_for_champion("hasty", 2)
    assert world.node.most_at_once[world.namespace, "hasty"] == 1


def _is_ending(world: World, pod: str) -> bool:
    """Return whether a pod is being deleted: the garbage collector does it some time after its Job is gone."""
    return "deletionTimestamp" in world.objects.get(POD, pod)["metadata"]


def test_deleted_it_leaves_nothing_but_the_hub_and_made_again_it_adopts_its_champion(world: World) -> None:
    world.wait_for_champion("phoenix", 1)
    delete(world, "phoenix")
    world.audit.restart()
    world.declare("phoenix")
    world.wait_for_champion("phoenix", 1)
    assert created(world.audit.writes(), "jobs") == []
    assert world.version("phoenix", 1)["spec"]["trigger"]["reason"] == "Adopted"
    assert world.condition("phoenix", "Trained")["reason"] == "Adopted"
    assert world.model("phoenix")["status"]["champion"]["holdout"] == 0.96


def test_made_again_with_another_training_it_trains(world: World) -> None:
    world.wait_for_champion("other", 1)
    delete(world, "other")
    world.audit.restart()
    world.declare("other", {"training.parameters": {"max_iter": 2000}})
    world.wait_for_champion("other", 2)
    assert created(world.audit.writes(), "jobs") == ["other-v2-train-1", "other-v2-evaluate"]


def delete(world: World, name: str) -> None:
    """Delete a ModelDeployment and wait until its last object is gone."""
    world.objects.delete(MODEL, name)

    def left() -> list[str]:
        kinds = (VERSION, JOB, DEPLOYMENT, SERVICE, POD, SECRET)
        return [f"{kind.name} {found['metadata']['name']}" for kind in kinds for found in world.of(kind, name)]

    until(f"nothing is left of {name}", lambda: not left(), otherwise=left)


def test_a_schedule_begins_a_run_by_itself(world: World) -> None:
    world.declare("clocked", {"data.train.uri": "hub://rows.csv", "retraining": EVERY_MINUTE})
    world.declare("still", {"retraining": EVERY_MINUTE})
    world.wait_for_champion("clocked", 1)
    world.wait_for_champion("still", 1)
    until("a second version is made", lambda: 2 in world.phases("clocked"), otherwise=lambda: world.summary("clocked"))
    trigger = world.version("clocked", 2)["spec"]["trigger"]
    assert (trigger["reason"], trigger["message"]) == ("Scheduled", "The schedule * * * * * is due.")
    assert world.model("clocked")["status"]["retraining"]["nextScheduledTime"].endswith(":00Z")
    _the_unchanged_source_is_not_fitted_again(world)
    world.change("clocked", {"retraining": {"triggers": None, "schedule": None}})


def test_new_content_of_the_source_begins_one_run(world: World) -> None:
    """The first training, as it is played, reads the text of the URI."""
    uri, grown = "configmap://rows/rows.csv", "more rows"
    table = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rows"}, "data": {"rows.csv": uri}}
    world.objects.create(CONFIG_MAP, table)
    world.declare("grown", {"data.train.uri": uri, "retraining.triggers": ["Data"]})
    world.wait_for_champion("grown", 1)
    world.let(Component.TRAIN, reads(grown), model="grown", version=2)
    world.objects.patch(CONFIG_MAP, "rows", {"data": {"rows.csv": grown}})
    world.wait_for_champion("grown", 2)
    made = world.version("grown", 2)["spec"]
    assert (made["trigger"]["reason"], made["sourceSha256"]) == ("DataChanged", digest(grown))
    assert f"{uri} has new content (sha256 {digest(grown)[:12]})" in world.wait_for_event("grown", "DataChanged")
    world.objects.patch(CONFIG_MAP, "rows", {"data": {"rows.csv": uri}})
    once = {1: "Archived", 2: "Champion"}
    stays("neither content begins another", lambda: world.phases("grown") == once, LOOK_SECONDS)
    assert world.model("grown")["status"]["retraining"].get("dataChanged", "") == ""


def _the_unchanged_source_is_not_fitted_again(world: World) -> None:
    """Wait for the second such run: of the first, nothing is left."""
    expected = {1: "Champion", 3: "Rejected"}
    until("one is kept", lambda: world.phases("clocked") == expected, otherwise=lambda: world.summary("clocked"))
    made = world.version("clocked", 3)["status"]
    assert (made["failure"]["reason"], made.get("manifest"), made.get("reference")) == ("NothingNew", None, None)
    said = "It is as version 1 learnt from it."
    until(
        "the status says so",  # it is written after the version
        lambda: world.model("clocked")["status"]["retraining"].get("nothingNew") == said,
        otherwise=lambda: world.summary("clocked"),
    )
    conditions = {one["type"]: (one["status"], one["reason"]) for one in world.model("clocked")["status"]["conditions"]}
    assert conditions["Trained"] == ("True", "Promoted")
    assert world.phases("still") == {1: "Champion"}
    assert "which cannot change" in world.model("still")["status"]["retraining"]["nothingNew"]
