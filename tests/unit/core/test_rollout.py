"""Traffic goes to a version that passed its gate and whose pods are ready."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.core.made import (
    BETTER,
    NOW,
    actions_of,
    make_deployment,
    make_observed,
    make_service,
    make_spec,
    make_version,
    planned,
)

from evermodel.api.modeldeployment import ModelDeploymentSpec
from evermodel.api.modelversion import VersionPhase
from evermodel.core.actions import (
    ApplyDeployment,
    ApplyService,
    DeleteDeployment,
    EnsureSecrets,
    RecordLineage,
    WriteVersionStatus,
)
from evermodel.core.observed import HubView, Observed
from evermodel.core.phases.hub import KINDS
from evermodel.core.timestamps import rfc3339

V1 = make_version(1)
V2 = make_version(2, VersionPhase.CANDIDATE, reference=BETTER, message="Better.")


AWAY = HubView(applied=KINDS)


def with_candidate(spec: ModelDeploymentSpec | None = None, **deployment: Any) -> Observed:
    """Return a champion and a candidate whose pods are ready; ``deployment`` changes the candidate's."""
    observed = make_observed(V1, V2, spec=spec)
    return deployed(observed, **deployment)


def deployed(observed: Observed, **change: Any) -> Observed:
    view = make_deployment(observed.model, observed.versions[-1], **change)
    return replace(observed, deployments={**observed.deployments, view.version: view})


def moved_back(spec: ModelDeploymentSpec) -> Observed:
    """Return a look in the middle of a pin that was taken away: traffic at version 1, and 2 still called champion."""
    old = make_version(1, VersionPhase.ARCHIVED)
    observed = make_observed(old, make_version(2), spec=spec)
    return replace(
        observed,
        deployments={**observed.deployments, 1: make_deployment(observed.model, old)},
        service=make_service(observed.model, 1),
    )


def service_to(observed: Observed) -> int | None:
    applied = actions_of(observed, ApplyService)
    assert len(applied) <= 1
    return applied[0].version if applied else None


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        pytest.param(with_candidate(), 2, id="a candidate whose pods are ready takes the traffic"),
        pytest.param(make_observed(V1, V2), None, id="a candidate without a Deployment does not"),
        pytest.param(with_candidate(ready_replicas=0), None, id="one whose pods are not ready does not"),
        pytest.param(with_candidate(updated=False), None, id="one whose Deployment is not seen yet does not"),
        pytest.param(with_candidate(deleting=True), None, id="one whose Deployment is on its way out does not"),
        pytest.param(
            with_candidate(fingerprint="of another manifest"), None, id="one that runs an older manifest does not"
        ),
        pytest.param(with_candidate(make_spec(paused=True)), None, id="paused, no traffic moves"),
        pytest.param(
            moved_back(make_spec(paused=True)), None, id="paused, traffic that has moved half-way stays where it is"
        ),
        pytest.param(moved_back(make_spec()), 2, id="not paused, it goes to the champion"),
        pytest.param(with_candidate(make_spec(version=1)), None, id="pinned, no traffic moves"),
        pytest.param(
            with_candidate(make_spec(evaluation={"improvement": {"minAbsolute": 0.1}})),
            None,
            id="rules that no longer let it through take it back",
        ),
        pytest.param(with_candidate(make_spec(training={"estimator": "SVC"})), None, id="a changed spec takes it back"),
        pytest.param(
            replace(make_observed(V1), service=None), 1, id="a Service that is gone is made again for the champion"
        ),
        pytest.param(
            replace(make_observed(V1), service=make_service(make_observed().model, 1, drifted=True)),
            1,
            id="a Service that was edited by hand is put right",
        ),
        pytest.param(
            replace(make_observed(V1), service=make_service(make_observed().model, 7)),
            1,
            id="a selector that matches nothing is put right",
        ),
        pytest.param(make_observed(V1), None, id="a Service that is right is left alone"),
        pytest.param(
            replace(with_candidate(), hub=AWAY), None, id="a promotion waits for the hub, where it is recorded"
        ),
        pytest.param(
            replace(make_observed(V1), service=None, hub=AWAY), 1, id="the champion needs no hub to be repaired"
        ),
        pytest.param(
            make_observed(make_version(1, VersionPhase.TRAINING)), None, id="without a model there is no Service"
        ),
    ],
)
def test_where_traffic_goes(observed: Observed, expected: int | None) -> None:
    assert service_to(observed) == expected


@pytest.mark.parametrize(
    ("observed", "versions"),
    [
        pytest.param(make_observed(V1), set(), id="one that is as built is left alone"),
        pytest.param(make_observed(V1, deployments={}), {1}, id="one that is gone is made again"),
        pytest.param(make_observed(V1, V2), {2}, id="a candidate is deployed beside the champion"),
        pytest.param(with_candidate(make_spec(serving={"replicas": 3}), fingerprint="old"), {2}, id="one of them"),
        pytest.param(
            make_observed(V1, V2, spec=make_spec(version=1)), set(), id="a candidate behind a pin is not deployed"
        ),
        pytest.param(
            make_observed(V1, deployments={1: make_deployment(make_observed().model, V1, drifted=True)}),
            {1},
            id="one that was edited by hand is put right",
        ),
        pytest.param(
            make_observed(V1, deployments={1: make_deployment(make_observed().model, V1, deleting=True)}),
            set(),
            id="one on its way out is waited for",
        ),
    ],
)
def test_what_is_deployed(observed: Observed, versions: set[int]) -> None:
    assert {action.version for action in actions_of(observed, ApplyDeployment)} == versions


@pytest.mark.parametrize(
    ("change", "restarts"),
    [
        pytest.param({"serving": {"replicas": 5}}, False, id="replicas"),
        pytest.param({"objective": {"threshold": 0.5}}, False, id="the threshold"),
        pytest.param({"serving": {"template": {"env": [{"name": "A", "value": "1"}]}}}, True, id="pod settings do"),
    ],
)
def test_a_changed_spec_restarts_pods_only_for_pod_settings(change: dict[str, Any], *, restarts: bool) -> None:
    before, after = make_observed(V1, deployments={}), make_observed(V1, deployments={}, spec=make_spec(**change))
    [old], [new] = (actions_of(observed, ApplyDeployment) for observed in (before, after))
    assert (old.manifest["spec"]["template"] != new.manifest["spec"]["template"]) == restarts


def test_another_runtime_image_of_the_operator_changes_nothing() -> None:
    observed = make_observed(V1)
    upgraded = replace(observed, settings=replace(observed.settings, runtime_image="runtime:2"))
    assert planned(upgraded).actions == ()


def test_a_promotion_is_recorded_in_the_hub_before_the_status_says_so() -> None:
    actions = planned(with_candidate()).actions
    kinds = [type(action) for action in actions]
    assert kinds == [ApplyService, RecordLineage, WriteVersionStatus, WriteVersionStatus]
    writes = [(action.name, action.status.phase) for action in actions if isinstance(action, WriteVersionStatus)]
    assert writes == [("digits-v2", VersionPhase.CHAMPION), ("digits-v1", VersionPhase.ARCHIVED)]


def test_a_promotion_is_finished_by_an_operator_that_finds_the_traffic_moved() -> None:
    moved = replace(with_candidate(ready_replicas=0), service=make_service(make_observed().model, 2))
    assert [type(action) for action in planned(moved).actions] == [
        RecordLineage, WriteVersionStatus, WriteVersionStatus,
    ]  # fmt: skip


def test_what_the_hub_has_yet_to_record_waits_for_it() -> None:
    moved = replace(with_candidate(), service=make_service(make_observed().model, 2), hub=AWAY)
    assert planned(moved).actions == ()


def test_of_two_champions_the_one_with_the_traffic_stays() -> None:
    both = make_observed(V1, make_version(2, promoted_at=rfc3339(NOW), reference=BETTER))
    for serving, archived in ((1, "digits-v2"), (2, "digits-v1")):
        observed = replace(both, service=make_service(both.model, serving))
        assert [action.name for action in actions_of(observed, WriteVersionStatus)] == [archived]


def test_a_pin_brings_an_archived_version_back_once_its_pods_are_ready() -> None:
    spec = make_spec(version=1)
    old = make_version(1, VersionPhase.ARCHIVED)
    unready = make_observed(old, make_version(2), spec=spec)
    assert {action.version for action in actions_of(unready, ApplyDeployment)} == {1}
    assert service_to(unready) is None
    ready = replace(unready, deployments={**unready.deployments, 1: make_deployment(unready.model, old)})
    assert service_to(ready) == 1
    phases = {action.name: action.status.phase for action in actions_of(ready, WriteVersionStatus)}
    assert phases == {"digits-v1": VersionPhase.CHAMPION, "digits-v2": VersionPhase.ARCHIVED}


@pytest.mark.parametrize(
    ("promoted", "expected"),
    [
        pytest.param(NOW - timedelta(seconds=6), ["digits-v1"], id="after the drain the predecessor goes"),
        pytest.param(NOW - timedelta(seconds=5), [], id="until then it finishes what is under way"),
    ],
)
def test_the_predecessor_is_drained(promoted: Any, expected: list[str]) -> None:
    new = make_version(2, reference=BETTER, promoted_at=rfc3339(promoted))
    old = make_version(1, VersionPhase.ARCHIVED)
    observed = make_observed(old, new)
    observed = replace(observed, deployments={**observed.deployments, 1: make_deployment(observed.model, old)})
    assert [action.name for action in actions_of(observed, DeleteDeployment)] == expected


def test_a_deployment_with_the_traffic_is_never_deleted() -> None:
    old = make_version(1, VersionPhase.ARCHIVED)
    observed = make_observed(old, make_version(2))
    observed = replace(
        observed,
        deployments={1: make_deployment(observed.model, old)},
        service=make_service(observed.model, 1),
    )
    assert actions_of(observed, DeleteDeployment) == []


def test_a_candidate_whose_pods_never_become_ready_fails() -> None:
    stuck = with_candidate(ready_replicas=0, stuck=True, message="the image cannot be pulled")
    [write] = actions_of(stuck, WriteVersionStatus)
    assert (write.name, write.status.phase) == ("digits-v2", VersionPhase.FAILED)
    assert write.status.failure.reason == "CannotStart"
    assert "the image cannot be pulled" in write.status.failure.message


def test_a_serving_pod_that_misses_its_secret_gets_it() -> None:
    waiting = with_candidate(ready_replicas=0, missing_secret=True)
    assert actions_of(waiting, EnsureSecrets) == [EnsureSecrets(hub=False, model=True)]
