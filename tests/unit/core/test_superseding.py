"""Runs that the spec no longer asks for, and versions that are no longer kept."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.core.made import (
    ALARM,
    BETTER,
    actions_of,
    condition,
    make_job,
    make_observed,
    make_service,
    make_spec,
    make_version,
    planned,
)

from evermodel.api.conditions import ConditionType
from evermodel.api.modelversion import VersionFailure, VersionPhase, VersionTrigger
from evermodel.core.actions import CreateVersion, DeleteJob, DeleteVersion, WriteVersionStatus
from evermodel.core.observed import JobState, Observed

V1 = make_version(1)
RUN = make_version(2, VersionPhase.TRAINING, started_at="2030-01-01T06:00:00Z")
OTHER = make_spec(training={"estimator": "SVC"})
LONGER = make_spec(training={"template": {"nodeSelector": {"gpu": "yes"}}})
CANDIDATE = make_version(2, VersionPhase.CANDIDATE, reference=BETTER)


def running(spec: Any, state: JobState = JobState.RUNNING) -> Observed:
    return make_observed(V1, RUN, spec=spec, jobs=[make_job(RUN, state)])


@pytest.mark.parametrize(
    ("observed", "superseded"),
    [
        pytest.param(running(OTHER), True, id="changed training breaks a run off"),
        pytest.param(running(make_spec(objective={"threshold": 0.8})), False, id="a changed threshold does not"),
        pytest.param(running(make_spec(training={"estimator": "SVC"}, paused=True)), False, id="not while paused"),
        pytest.param(running(make_spec(training={"estimator": "SVC"}, version=2)), False, id="not when it is pinned"),
        pytest.param(running(LONGER, JobState.PENDING), True, id="pod settings replace a run that has not started"),
        pytest.param(running(LONGER), False, id="but not one that runs"),
        pytest.param(make_observed(V1, CANDIDATE, spec=OTHER), True, id="a candidate without traffic"),
        pytest.param(
            replace(make_observed(V1, CANDIDATE, spec=OTHER), service=make_service(make_observed().model, 2)),
            False,
            id="a candidate with traffic is finished",
        ),
    ],
)
def test_a_run_is_superseded(observed: Observed, *, superseded: bool) -> None:
    phases = [action.status.phase for action in actions_of(observed, WriteVersionStatus) if action.name == "digits-v2"]
    assert (VersionPhase.SUPERSEDED in phases) == superseded
    assert actions_of(observed, CreateVersion) == []


@pytest.mark.parametrize(
    ("job", "deleted"),
    [
        pytest.param({"state": JobState.RUNNING}, True, id="one that runs"),
        pytest.param({"state": JobState.PENDING}, True, id="one that waits"),
        pytest.param({"state": JobState.SUCCEEDED}, False, id="not one that has ended"),
        pytest.param({"state": JobState.RUNNING, "deleting": True}, False, id="not twice"),
        pytest.param({"state": JobState.RUNNING, "owner_uid": "other"}, False, id="not that of another owner"),
    ],
)
def test_the_job_of_a_superseded_run_is_deleted(job: dict[str, Any], *, deleted: bool) -> None:
    old = make_version(2, VersionPhase.SUPERSEDED)
    observed = make_observed(V1, old, jobs=[make_job(old, **job)])
    assert [action.name for action in actions_of(observed, DeleteJob)] == (["digits-v2-train-1"] if deleted else [])


def test_of_two_runs_only_the_newest_goes_on() -> None:
    observed = make_observed(V1, RUN, make_version(3, VersionPhase.TRAINING))
    writes = [(action.name, action.status.phase) for action in actions_of(observed, WriteVersionStatus)]
    assert ("digits-v2", VersionPhase.SUPERSEDED) in writes
    assert ("digits-v3", VersionPhase.SUPERSEDED) not in writes


def test_the_wait_for_old_pods_is_said() -> None:
    observed = make_observed(make_version(1, VersionPhase.SUPERSEDED), orphaned=frozenset({1}))
    assert "pods of version 1" in condition(observed, ConditionType.RECONCILING).message
    assert planned(observed).requeue_after is not None


# --- history ----------------------------------------------------------------------------------------------------------


def archived(*numbers: int) -> list[Any]:
    return [make_version(number, VersionPhase.ARCHIVED) for number in numbers]


def rejected(number: int) -> Any:
    trigger = VersionTrigger(reason="AccuracyAlarm", message="It fell.", alarm_seq=ALARM.seq, alarm_at=ALARM.at)
    failure = VersionFailure(reason="Rejected", message="It was no better.")
    return make_version(number, VersionPhase.REJECTED, trigger=trigger, failure=failure, run={"parent": 3})


SHORT: dict[str, Any] = {"revisionHistoryLimit": 1}


@pytest.mark.parametrize(
    ("observed", "deleted"),
    [
        pytest.param(make_observed(*archived(1, 2), make_version(3)), [], id="up to the limit all are kept"),
        pytest.param(
            make_observed(*archived(1, 2), make_version(3), spec=make_spec(**SHORT)),
            ["digits-v1"],
            id="the oldest goes",
        ),
        pytest.param(
            make_observed(*archived(1, 2), make_version(3), spec=make_spec(**SHORT, version=1)),
            [],
            id="not one that is pinned",
        ),
        pytest.param(
            make_observed(make_version(1), *archived(2, 3), spec=make_spec(**SHORT)),
            ["digits-v2"],
            id="never the champion, however old",
        ),
        pytest.param(
            replace(
                make_observed(*archived(1, 2), make_version(3), spec=make_spec(**SHORT)),
                service=make_service(make_observed().model, 1),
            ),
            [],
            id="not one with the traffic",
        ),
        pytest.param(
            make_observed(*archived(1, 2), make_version(3), rejected(4), rejected(5), spec=make_spec(**SHORT)),
            ["digits-v1"],
            id="not attempts that are counted, nor the predecessor",
        ),
        pytest.param(
            make_observed(
                *[replace(version, deleting=True) for version in archived(1)],
                *archived(2),
                make_version(3),
                spec=make_spec(**SHORT),
            ),
            [],
            id="not twice",
        ),
    ],
)
def test_history(observed: Observed, deleted: list[str]) -> None:
    assert [action.name for action in actions_of(observed, DeleteVersion)] == deleted
