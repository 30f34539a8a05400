"""Pods never become fewer because their number changes hands, and a version that takes over has as many."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.core.made import (
    BETTER,
    NOW,
    SETTINGS,
    actions_of,
    condition,
    known,
    make_deployment,
    make_observed,
    make_service,
    make_spec,
    make_version,
    planned,
)
from tests.unit.core.world import World

from evermodel.api.conditions import ConditionStatus, ConditionType
from evermodel.api.modelversion import VersionPhase
from evermodel.core.actions import (
    ApplyAutoscaler,
    ApplyDeployment,
    ApplyService,
    DeleteAutoscaler,
    HandReplicasOver,
)
from evermodel.core.builders import fingerprint
from evermodel.core.observed import AutoscalerView, Observed
from evermodel.core.phases.scaling import PATIENCE
from evermodel.resources import BUILDERS

V1 = make_version(1)
V2 = make_version(2, VersionPhase.CANDIDATE, reference=BETTER, message="Better.")
SCALED = make_spec(serving={"autoscaling": {"minReplicas": 2, "maxReplicas": 8, "inFlight": 4}})
PLAIN = make_spec()


def observed(spec: Any = SCALED, *versions: Any, autoscaler: Any = ..., **deployment: Any) -> Observed:
    """Return a champion whose Deployment the autoscaler has scaled to 5 pods; ``deployment`` changes that one."""
    found = make_observed(*(versions or (V1,)), spec=spec)
    scaled = {"replicas": 5, "ready_replicas": 5, "owns_replicas": False, "fingerprint": without_number(found)}
    view = make_deployment(found.model, V1, **{**scaled, **deployment})
    there = follows(found, 1) if autoscaler is ... else autoscaler
    return replace(found, deployments={1: view}, autoscaler=there)


def without_number(found: Observed) -> str:
    return fingerprint(BUILDERS.deployment(found.model, V1, SETTINGS, None))


def follows(found: Observed, version: int, **change: Any) -> AutoscalerView:
    """Return an autoscaler that works; of a model that asks for none, the one that it had."""
    autoscaling = found.model.spec.serving.autoscaling
    applied = fingerprint(BUILDERS.autoscaler(found.model, version, autoscaling)) if autoscaling is not None else ""
    return replace(AutoscalerView(name="digits", uid="autoscaler-uid", fingerprint=applied, works=True), **change)


def with_candidate(spec: Any = SCALED, **candidate: Any) -> Observed:
    """Return the same with a candidate that has 5 pods, too."""
    found = observed(spec, V1, V2)
    applied = fingerprint(BUILDERS.deployment(found.model, V2, SETTINGS, candidate.get("replicas", 5)))
    five = {"replicas": 5, "ready_replicas": 5, "fingerprint": applied}
    view = make_deployment(found.model, V2, **{**five, **candidate})
    return replace(found, deployments={**found.deployments, 2: view})


def applied_replicas(found: Observed) -> dict[int, int | None]:
    return {one.version: one.manifest["spec"].get("replicas") for one in actions_of(found, ApplyDeployment)}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(observed(), {}, id="what the autoscaler has scaled is left alone"),
        pytest.param(observed(replicas=8, ready_replicas=8), {}, id="whatever number it chooses"),
        pytest.param(
            observed(owns_replicas=True, fingerprint="5 pods"), {1: None}, id="the number is left out from now on"
        ),
        pytest.param(observed(fingerprint="other pod settings"), {1: None}, id="other pod settings leave it out"),
        pytest.param(observed(SCALED, V1, V2), {2: 5}, id="a candidate starts with as many pods as have the traffic"),
        pytest.param(
            observed(SCALED, V1, V2, replicas=1, ready_replicas=1), {2: 2}, id="but not with fewer than minReplicas"
        ),
        pytest.param(
            observed(SCALED, V1, V2, replicas=20, ready_replicas=20), {2: 8}, id="nor with more than maxReplicas"
        ),
        pytest.param(with_candidate(replicas=3, ready_replicas=3), {2: 5}, id="and follows as these become more"),
        pytest.param(replace(observed(), deployments={}), {1: 2}, id="one that was deleted starts with the fewest"),
        pytest.param(observed(PLAIN), {1: 5}, id="taken away, the number stays as it is"),
        pytest.param(observed(make_spec(serving={"replicas": 3})), {1: 3}, id="unless another is declared"),
        pytest.param(observed(PLAIN, autoscaler=None, kept_replicas=5, replicas=0), {1: 5}, id="what was left is kept"),
        pytest.param(observed(PLAIN, autoscaler=None, replicas=3), {1: 1}, id="without either it is 1"),
        pytest.param(observed(PLAIN, V1, V2), {1: 5, 2: 5}, id="a candidate gets what is left, too"),
    ],
)
def test_with_how_many_pods_deployments_are_applied(found: Observed, expected: dict[int, int | None]) -> None:
    assert applied_replicas(found) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(observed(), [], id="what is handed over is not handed over again"),
        pytest.param(observed(owns_replicas=True), [5], id="the number goes over as it is"),
        pytest.param(observed(owns_replicas=True, replicas=1), [2], id="or as minReplicas, which is more"),
        pytest.param(observed(replicas=0), [2], id="an autoscaler leaves 0 alone: it is given something to begin with"),
        pytest.param(observed(PLAIN), [], id="what is not asked for is not handed over"),
        pytest.param(with_candidate(), [], id="a candidate's number stays the operator's until it has the traffic"),
    ],
)
def test_what_is_handed_over(found: Observed, expected: list[int]) -> None:
    assert [one.replicas for one in actions_of(found, HandReplicasOver)] == expected


def test_ownership_moves_before_the_field_is_dropped_and_the_autoscaler_comes_last() -> None:
    mine = observed(owns_replicas=True, autoscaler=None)
    kinds = [type(action) for action in planned(mine).actions]
    assert kinds == [HandReplicasOver, ApplyDeployment]
    assert [type(action) for action in planned(observed(autoscaler=None)).actions] == [ApplyAutoscaler]


def test_it_goes_once_the_number_is_the_operators_again() -> None:
    assert actions_of(observed(PLAIN), DeleteAutoscaler) == []
    taken_back = observed(PLAIN, owns_replicas=True, kept_replicas=5)
    [gone] = actions_of(taken_back, DeleteAutoscaler)
    assert gone.uid == "autoscaler-uid"
    leaving = observed(PLAIN, autoscaler=follows(observed(PLAIN), 1, deleting=True), owns_replicas=True)
    assert actions_of(leaving, DeleteAutoscaler) == []


def test_a_candidate_with_fewer_pods_than_have_the_traffic_does_not_take_it() -> None:
    [moved] = actions_of(with_candidate(), ApplyService)
    assert moved.version == 2
    assert actions_of(with_candidate(ready_replicas=4), ApplyService) == []
    assert actions_of(with_candidate(replicas=3, ready_replicas=3), ApplyService) == []


@pytest.mark.parametrize(
    ("spec", "versions"),
    [
        pytest.param({}, (make_version(1, VersionPhase.ARCHIVED), make_version(2)), id="a promotion"),
        pytest.param({"version": 1}, (make_version(2), make_version(1)), id="a pin"),
        pytest.param(
            {"paused": True}, (make_version(1, VersionPhase.ARCHIVED), make_version(2)), id="a pause after it"
        ),
    ],
)
def test_the_autoscaler_follows_the_traffic(spec: dict[str, Any], versions: tuple[Any, Any]) -> None:
    declared = make_spec(serving={"autoscaling": {"maxReplicas": 8, "inFlight": 4}}, **spec)
    _, new = versions
    found = observed(declared, *versions)
    mine = make_deployment(found.model, new, replicas=5, ready_replicas=5)
    other = 3 - new.number
    found = replace(
        found,
        deployments={other: replace(found.deployments[1], version=other), new.number: mine},
        service=make_service(found.model, new.number),
        autoscaler=follows(found, other),
    )
    [handed] = actions_of(found, HandReplicasOver)
    assert (handed.version, handed.replicas) == (new.number, 5)
    over = replace(mine, owns_replicas=False)
    followed = replace(found, deployments={**found.deployments, new.number: over})
    [applied] = actions_of(followed, ApplyAutoscaler)
    assert applied.manifest["spec"]["scaleTargetRef"]["name"] == f"digits-v{new.number}"


def test_one_that_was_edited_by_hand_is_put_right() -> None:
    found = observed()
    edited = replace(found, autoscaler=follows(found, 1, drifted=True))
    assert [action.version for action in actions_of(edited, ApplyAutoscaler)] == [1]


def test_pods_that_are_on_their_way_do_not_make_a_model_unready() -> None:
    more = observed(replicas=8, ready_replicas=5)
    assert condition(more, ConditionType.READY).status is ConditionStatus.TRUE
    few = observed(ready_replicas=1)
    assert condition(few, ConditionType.READY).message.startswith("Not all of the 2 pods")
    assert planned(more).status.replicas == 8


WHY = "the HPA was unable to compute the replica count."


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        pytest.param({}, ConditionStatus.TRUE, "keeps from 2 to 8 pods", id="it works"),
        pytest.param({"works": None}, ConditionStatus.UNKNOWN, "waits for its first figures", id="it has not tried"),
        pytest.param(
            {"works": False, "fails_since": NOW - PATIENCE / 2},
            ConditionStatus.UNKNOWN,
            "waits for its first figures",
            id="metrics of new pods take their time",
        ),
        pytest.param(
            {"works": False, "message": WHY, "fails_since": NOW - PATIENCE},
            ConditionStatus.FALSE,
            f"{WHY} Note that inFlight needs an adapter for custom metrics.",
            id="that do not come need a person",
        ),
    ],
)
def test_whether_it_works_is_told(change: dict[str, Any], status: ConditionStatus, says: str) -> None:
    found = replace(observed(), autoscaler=follows(observed(), 1, **change))
    told = condition(found, ConditionType.AUTOSCALED)
    assert told.status is status
    assert says in told.message


def test_that_it_fails_is_announced_once_when_it_has_had_time_enough() -> None:
    fails = follows(observed(), 1, works=False, message=WHY, fails_since=NOW)
    found = known(replace(observed(), autoscaler=fails))
    later = planned(found, NOW + PATIENCE)
    assert planned(found).requeue_after == min(timedelta(seconds=30), PATIENCE)
    assert [event.reason for event in later.events] == ["CannotScale"]
    assert planned(known(found, NOW + PATIENCE), NOW + PATIENCE).events == ()


def test_without_autoscaling_nothing_is_said_of_it() -> None:
    kinds = {one.type for one in planned(make_observed()).status.conditions}
    assert ConditionType.AUTOSCALED not in kinds


def test_pods_stay_as_many_from_version_to_version_and_when_autoscaling_goes() -> None:
    scaled = {"autoscaling": {"maxReplicas": 6, "inFlight": 4}}
    world = World(make_spec(serving={"replicas": 3}))
    world.settle()
    world.edit(make_spec(serving=scaled))
    world.settle()
    assert (world.scaled, world.deployments[1].replicas) == (1, 3)
    world.autoscaler_scales(5)
    world.edit(make_spec(serving=scaled, training={"estimator": "SVC"}))
    world.settle()
    assert (world.scaled, world.deployments[2].replicas, list(world.deployments)) == (2, 5, [2])
    world.edit(make_spec(training={"estimator": "SVC"}))
    world.settle()
    assert (world.scaled, world.deployments[2].replicas) == (None, 5)
    assert world.reconcile() == 0
