"""Pods that make trials beside a training Job: there while it runs, gone afterwards, and never a reason to fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.unit.core.made import (
    ALARM,
    MODEL,
    NOW,
    actions_of,
    known,
    make_job,
    make_observed,
    make_spec,
    make_version,
    planned,
)
from tests.unit.core.test_training import REPORT

from evermodel.api.modeldeployment import ImportedModel, ModelDeploymentSpec
from evermodel.api.modelversion import VersionPhase, VersionTrigger
from evermodel.contract import Strategy, TrainRun
from evermodel.core import names
from evermodel.core.actions import CreateJob, CreateSearchJob, CreateVersion, DeleteJob, WriteVersionStatus
from evermodel.core.observed import JobState, JobView, Observed, VersionView, Workers

SEARCH: dict[str, Any] = {"parameters": {"max_depth": [3, 5, 9]}, "parallelism": 3}
BY_THREE = make_spec(training={"search": SEARCH})
ALONE = make_spec(training={"search": {**SEARCH, "parallelism": 1}})
OF_ANOTHER = make_spec(training={"estimator": "ExtraTreesClassifier", "search": SEARCH})
TRAINING = make_version(1, VersionPhase.TRAINING, spec=BY_THREE)


def search_job(version: VersionView = TRAINING, state: JobState = JobState.RUNNING, **change: Any) -> JobView:
    name = names.search_job_name(MODEL, version.number)
    return make_job(version, state, name=name, uid=f"{name}-uid", **change)


def observed(
    *jobs: JobView,
    version: VersionView = TRAINING,
    spec: ModelDeploymentSpec = BY_THREE,
    job: JobState = JobState.RUNNING,
    **more: Any,
) -> Observed:
    return make_observed(version, spec=spec, jobs=[make_job(version, job), *jobs], **more)


def test_other_pods_are_asked_for_once_the_training_job_runs() -> None:
    [asked] = actions_of(observed(), CreateSearchJob)

    assert (asked.name, asked.version, asked.workers) == ("digits-v1-search", "digits-v1", 2)
    [job] = actions_of(make_observed(TRAINING, spec=BY_THREE), CreateJob)
    assert isinstance(job.run, TrainRun)
    assert asked.run == job.run
    assert actions_of(observed(search_job()), CreateSearchJob) == []


def after_alarm(strategy: Strategy) -> VersionView:
    trigger = VersionTrigger(
        reason="AccuracyAlarm", message="", alarm_seq=ALARM.seq, alarm_at=ALARM.at, strategy=strategy
    )
    return make_version(1, VersionPhase.TRAINING, spec=BY_THREE, trigger=trigger)


IMPORTED = ImportedModel(uri="hub://forest.onnx", sha256="a" * 64)


@pytest.mark.parametrize(
    ("look", "workers"),
    [
        pytest.param(observed(job=JobState.PENDING), [], id="the training Job waits for its place"),
        pytest.param(observed(job=JobState.SUCCEEDED), [], id="the training Job has ended"),
        pytest.param(
            observed(version=make_version(1, VersionPhase.TRAINING, spec=ALONE), spec=ALONE), [], id="one pod declared"
        ),
        pytest.param(observed(spec=OF_ANOTHER), [], id="the spec has changed"),
        pytest.param(observed(version=after_alarm(Strategy.REFIT)), [], id="a refit"),
        pytest.param(observed(version=after_alarm(Strategy.ENSEMBLE)), [], id="an ensemble of others"),
        pytest.param(observed(version=after_alarm(Strategy.TUNE)), [2], id="a search after an alarm"),
        pytest.param(
            observed(version=make_version(1, VersionPhase.TRAINING, spec=BY_THREE, run={"model": IMPORTED})),
            [],
            id="an imported model",
        ),
        pytest.param(
            observed(version=make_version(1, VersionPhase.EVALUATING, spec=BY_THREE)), [], id="the version is evaluated"
        ),
    ],
)
def test_where_nothing_is_searched_for_by_several_nobody_helps(look: Observed, workers: list[int]) -> None:
    assert [asked.workers for asked in actions_of(look, CreateSearchJob)] == workers


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize(
    ("phase", "goes"),
    [
        pytest.param(VersionPhase.TRAINING, False, id="stay while the training goes on"),
        *(
            pytest.param(phase, True, id=f"go when it is {phase}")
            for phase in (VersionPhase.EVALUATING, VersionPhase.AWAITING_LABELS, VersionPhase.CANDIDATE)
        ),
        *(
            pytest.param(phase, True, id=f"go when it is {phase}")
            for phase in (VersionPhase.SUPERSEDED, VersionPhase.FAILED, VersionPhase.REJECTED)
        ),
    ],
)
def test_the_other_pods(phase: VersionPhase, state: JobState, *, goes: bool) -> None:
    version = make_version(1, phase, spec=BY_THREE)

    deleted = actions_of(observed(search_job(version, state), version=version, job=JobState.SUCCEEDED), DeleteJob)

    assert [one.name for one in deleted] == (["digits-v1-search"] if goes else [])


def test_both_jobs_of_a_superseded_run_go_and_the_next_run_waits_for_all_pods() -> None:
    version = make_version(1, VersionPhase.SUPERSEDED, spec=ALONE)
    look = observed(search_job(version), version=version)
    assert {one.name for one in actions_of(look, DeleteJob)} == {"digits-v1-train-1", "digits-v1-search"}

    ended = replace(make_job(version, JobState.FAILED), live_pods=0)
    lingering = make_observed(version, spec=BY_THREE, jobs=[ended, search_job(version, deleting=True)])
    assert actions_of(lingering, CreateVersion) == []
    assert len(actions_of(make_observed(version, spec=BY_THREE, jobs=[ended]), CreateVersion)) == 1


def test_a_job_of_an_earlier_version_of_this_name_is_left_alone() -> None:
    version = make_version(1, VersionPhase.EVALUATING, spec=BY_THREE)
    foreign = search_job(version, owner_uid="of another version")

    assert actions_of(observed(foreign, version=version), DeleteJob) == []


NOTE = "Warning: The search goes on without 1 of 2 pods beside the training Job: memory ran out"


@pytest.mark.parametrize(
    ("job", "minutes", "note"),
    [
        pytest.param(
            search_job(workers=Workers(running=1, failed=1), message="memory ran out"), 0, NOTE, id="one that failed"
        ),
        pytest.param(
            search_job(state=JobState.FAILED, workers=Workers(failed=2), message="exit code 1"),
            0,
            "Warning: The search goes on without 2 of 2 pods beside the training Job: exit code 1",
            id="all that failed",
        ),
        pytest.param(
            search_job(workers=Workers(running=1), message="no node takes the pod"), 14, None, id="one that starts"
        ),
        pytest.param(
            search_job(workers=Workers(running=1), message="no node takes the pod"),
            15,
            "Warning: The search goes on without 1 of 2 pods beside the training Job: no node takes the pod",
            id="one that did not start in time",
        ),
        pytest.param(search_job(workers=Workers(running=1, succeeded=1)), 60, None, id="all that work or have ended"),
    ],
)
def test_pods_that_are_missing_are_told_once_and_the_run_goes_on(job: JobView, minutes: int, note: str | None) -> None:
    now = NOW + timedelta(minutes=minutes)
    look = known(observed(job), now)
    writes = actions_of(look, WriteVersionStatus, now)

    assert [write.status.notes for write in writes] == ([] if note is None else [(note,)])
    if note is None:
        return
    [write] = writes
    assert write.status.phase is VersionPhase.TRAINING
    told = replace(look, versions=(replace(TRAINING, status=write.status),))
    assert actions_of(told, WriteVersionStatus, now) == []
    [event] = planned(told, now).events
    assert (event.reason, event.message) == ("TrainingWarning", f"Version 1: {note.removeprefix('Warning: ')}")
    assert planned(known(told, now), now).events == ()


def test_a_pod_that_is_to_start_is_looked_at_again_in_time() -> None:
    deadline = make_spec(training={"search": SEARCH, "pendingDeadline": "10s"})
    version = make_version(1, VersionPhase.TRAINING, spec=deadline)

    decision = planned(known(observed(search_job(version), version=version, spec=deadline)))

    assert decision.requeue_after == timedelta(seconds=10)


def test_a_note_on_missing_pods_stays_beside_those_of_the_training_and_each_is_announced_once() -> None:
    version = replace(TRAINING, status=msgspec.structs.replace(TRAINING.status, notes=(NOTE,)))
    before = known(observed(version=version))
    rare = "Warning: Only 3 rows are of class 7."
    ended = make_job(version, JobState.SUCCEEDED, report=msgspec.structs.replace(REPORT, notes=("Scaled.", rare)))

    [write] = actions_of(replace(before, jobs={ended.name: ended}), WriteVersionStatus)

    assert write.status.notes == (NOTE, "Scaled.", rare)
    after = replace(before, versions=(replace(version, status=write.status),))
    assert [event.message for event in planned(after).events if event.reason == "TrainingWarning"] == [
        "Version 1: Only 3 rows are of class 7."
    ]


@pytest.mark.parametrize(
    ("job", "shown"),
    [
        pytest.param(search_job(workers=Workers(running=2)), "12 of 40 trials have ended (3 of 3 pods)", id="all"),
        pytest.param(search_job(workers=Workers(running=1)), "12 of 40 trials have ended (2 of 3 pods)", id="some"),
        pytest.param(search_job(), "12 of 40 trials have ended", id="none of the others"),
    ],
)
def test_the_progress_says_how_many_pods_are_at_work(job: JobView, shown: str) -> None:
    [write] = actions_of(observed(job, progress="12 of 40 trials have ended"), WriteVersionStatus)

    assert write.status.progress is not None
    assert write.status.progress.message == shown
