"""What people change by hand is put right with one write; what they add, and what is theirs, is left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.integration.audit import Write
from tests.integration.objects import STRATEGIC
from tests.integration.waiting import stays, until
from tests.integration.world import World

from evermodel.contract import SERVE_ENV
from evermodel.core.names import CONTAINER, HUB
from evermodel.kube.kinds import DEPLOYMENT, SERVICE, STATEFUL_SET, Kind

pytestmark = pytest.mark.cluster
LOOK_SECONDS = 2.0
"""Longer than it takes to repair, and two polls of the hub."""


def container(**changes: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": CONTAINER, **changes}]}}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A field that somebody sets to another value."""

    what: str
    kind: Kind
    name: str
    patch: dict[str, Any]


EDITS = (
    Edit(
        what="the Service's selector",
        kind=SERVICE,
        name="selector",
        patch={"spec": {"selector": {"evermodel.dev/version": "9"}}},
    ),
    Edit(
        what="the Service's port",
        kind=SERVICE,
        name="port",
        patch={"spec": {"ports": [{"port": 80, "targetPort": 9999}]}},
    ),
    Edit(what="the Deployment's replicas", kind=DEPLOYMENT, name="replicas", patch={"spec": {"replicas": 0}}),
    Edit(
        what="a variable of the Deployment",
        kind=DEPLOYMENT,
        name="variable",
        patch=container(env=[{"name": SERVE_ENV, "value": "{}"}]),
    ),
    Edit(what="the Deployment's image", kind=DEPLOYMENT, name="image", patch=container(image="mine:1")),
    Edit(
        what="the Deployment's labels",
        kind=DEPLOYMENT,
        name="labels",
        patch={"metadata": {"labels": {"app.kubernetes.io/instance": "mine"}}},
    ),
    Edit(what="the hub's replicas", kind=STATEFUL_SET, name="hub-replicas", patch={"spec": {"replicas": 2}}),
    Edit(what="the hub's image", kind=STATEFUL_SET, name="hub-image", patch=container(image="mine:1")),
    Edit(
        what="the hub's Service",
        kind=SERVICE,
        name="hub-service",
        patch={"spec": {"selector": {"evermodel.dev/component": "mine"}}},
    ),
)

ADDED = {SERVICE: "added-to-service", DEPLOYMENT: "added-to-deployment", STATEFUL_SET: "added-to-hub"}
"""Models whose objects of a kind get a label and an annotation."""


@pytest.fixture(scope="module", autouse=True)
def declared(world: World) -> None:
    """Declare them all at once: each test waits for its own."""
    for name in [*(edit.name for edit in EDITS), "deleted", *ADDED.values()]:
        world.declare(name)


def object_of(edit: Edit) -> str:
    if edit.name.startswith("hub-"):
        return HUB
    return edit.name if edit.kind is SERVICE else f"{edit.name}-v1"


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.what)
def test_an_edit_is_put_right_with_one_write(world: World, edit: Edit) -> None:
    world.wait_for_champion(edit.name, 1)
    name = object_of(edit)
    before = world.objects.get(edit.kind, name)
    world.audit.restart()
    edited = world.objects.patch(edit.kind, name, edit.patch, STRATEGIC)
    assert owned(edited) != owned(before)

    def found() -> Any:
        return owned(world.objects.get(edit.kind, name))

    until(f"{edit.what} is as before", lambda: found() == owned(before), otherwise=found)
    world.wait_for_champion(edit.name, 1)
    stays("it was one write", lambda: len(writes_of(world, edit.kind, name)) == 1, LOOK_SECONDS)


def test_a_deleted_object_is_made_again(world: World) -> None:
    world.wait_for_champion("deleted", 1)
    for kind, name in ((SERVICE, "deleted"), (DEPLOYMENT, "deleted-v1"), (STATEFUL_SET, HUB), (SERVICE, HUB)):
        uid = world.objects.get(kind, name)["metadata"]["uid"]
        world.objects.delete(kind, name, propagationPolicy="Background")

        def is_new(kind: Kind = kind, name: str = name, uid: str = uid) -> bool:
            found = world.objects.find(kind, name)
            return found is not None and found["metadata"]["uid"] != uid

        until(f"{kind.name} {name} is made again", is_new, otherwise=world.operator.tail)
    world.wait_for_champion("deleted", 1)
    assert world.phases("deleted") == {1: "Champion"}


@pytest.mark.parametrize("kind", ADDED, ids=lambda kind: kind.name)
def test_what_others_add_stays(world: World, kind: Kind) -> None:
    model = ADDED[kind]
    world.wait_for_champion(model, 1)
    name = {SERVICE: model, DEPLOYMENT: f"{model}-v1", STATEFUL_SET: HUB}[kind]
    world.audit.restart()
    mine = {"mine.example/team": "fraud"}
    world.objects.patch(kind, name, {"metadata": {"labels": mine, "annotations": mine}})

    def stands() -> bool:
        metadata = world.objects.get(kind, name)["metadata"]
        is_there = all(mine.items() <= metadata[part].items() for part in ("labels", "annotations"))
        return is_there and not writes_of(world, kind, name)

    stays("label and annotation are there and nothing is written over them", stands, LOOK_SECONDS)


def foreign_service(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"selector": {"app": "mine"}, "ports": [{"port": 80}]}}


def foreign_deployment(name: str) -> dict[str, Any]:
    labels = {"app": "mine"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "mine", "image": "mine:1"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}
    return {"metadata": {"name": f"{name}-v1"}, "spec": spec}


@pytest.mark.parametrize(
    ("model", "kind", "build"),
    [
        pytest.param("taken-service", SERVICE, foreign_service, id="Service"),
        pytest.param("taken-deployment", DEPLOYMENT, foreign_deployment, id="Deployment"),
    ],
)
def test_what_is_somebody_elses_is_never_taken_over(
    world: World, model: str, kind: Kind, build: Callable[[str], dict[str, Any]]
) -> None:
    theirs = world.objects.create(kind, build(model))
    name = theirs["metadata"]["name"]
    world.declare(model)
    refused = world.wait_for_condition(model, "Reconciling", "True", "Retrying")
    assert f"{kind.name} {name} is there already and is not the operator's: delete it" in refused["message"]
    assert world.objects.get(kind, name)["spec"] == theirs["spec"]
    assert writes_of(world, kind, name) == []
    assert world.condition(model, "Ready")["status"] == "False"
    world.objects.delete(kind, name)
    world.wait_for_champion(model, 1)


def writes_of(world: World, kind: Kind, name: str) -> list[Write]:
    return [write for write in world.audit.writes(of=(kind.plural,)) if write.name == name]


def owned(found: dict[str, Any]) -> Any:
    return found["spec"], found["metadata"]["labels"]
