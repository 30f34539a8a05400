"""Online updates: when the champion learns on, what its Job is told, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.made import (
    ALARM,
    NOW,
    actions_of,
    make_deployment,
    make_job,
    make_observed,
    make_quality,
    make_service,
    make_spec,
    make_version,
    planned,
)

from evermodel.api.conditions import Reason
from evermodel.api.modelversion import SetScore, VersionFailure, VersionPhase, VersionTrigger
from evermodel.contract import OnlineUpdate, Task, TrainReport, TrainRun
from evermodel.core.actions import CreateJob, CreateVersion, DeleteVersion, RecordLineage, WriteVersionStatus
from evermodel.core.observed import JobState, Observed, SourceView, VersionView
from evermodel.core.phases import online
from evermodel.core.questions import looks_at, quality_query
from evermodel.core.timestamps import rfc3339

UPDATE = VersionTrigger(reason="OnlineUpdate", message="New records came.")
SGD = {"estimator": "SGDClassifier", "parameters": {}}


def declared(training: dict[str, Any] | None = None, **retraining: Any) -> Any:
    learns = {"triggers": ["Accuracy"], "data": {"includeFeedback": True}}
    return make_spec(
        training=training or SGD,
        retraining={**learns, "online": {"minRecords": 60, "minInterval": "1h"}, **retraining},
    )


SPEC = declared()
PLAIN = declared(online=None)


def champion(number: int = 1, spec: Any = SPEC, **change: Any) -> VersionView:
    run = {"feedback_through": 1000, "online": SPEC.retraining.online, **change.pop("run", {})}
    return make_version(number, spec=spec, run=run, **change)


def update(
    number: int = 2,
    phase: VersionPhase = VersionPhase.REJECTED,
    *,
    reason: str = "Rejected",
    hours_ago: float = 24,
    **change: Any,
) -> VersionView:
    ended = {"failure": VersionFailure(reason=reason, message="Not better.")} if phase in _WITHOUT_A_MODEL else {}
    return make_version(
        number,
        phase,
        spec=SPEC,
        trigger=UPDATE,
        run={"feedback_through": 1100, "parent": 1, "online": SPEC.retraining.online},
        **{"finished_at": rfc3339(NOW - timedelta(hours=hours_ago)), **ended, **change},
    )


_WITHOUT_A_MODEL = {VersionPhase.REJECTED, VersionPhase.FAILED}


def look(*versions: VersionView, spec: Any = SPEC, counted: int = 60, **change: Any) -> Observed:
    """Return a champion that serves, and labelled records that no run has learnt from."""
    parts = {name: change.pop(name) for name in ("source", "jobs", "retrain_request") if name in change}
    quality = make_quality(**{"records": 3000, "records_counted": counted, "last_seq": 1400, **change})
    observed = make_observed(*(versions or (champion(),)), spec=spec, quality=quality, **parts)
    return replace(observed, quality_query=quality_query(observed))


def reasons(observed: Observed) -> list[str]:
    return [action.spec.trigger.reason for action in actions_of(observed, CreateVersion)]


IMPORTED = champion(run={"model": make_spec(model={"uri": "hub://old", "sha256": "0" * 64}).model})


@pytest.mark.parametrize(
    ("observed", "begins"),
    [
        pytest.param(look(), True, id="as many records as minRecords"),
        pytest.param(look(counted=59), False, id="not fewer"),
        pytest.param(look(champion(spec=PLAIN), spec=PLAIN), False, id="not where it is not declared"),
        pytest.param(look(spec=declared(mode="Observe")), False, id="not in mode Observe"),
        pytest.param(look(spec=declared(mode="Manual")), False, id="not in mode Manual"),
        pytest.param(
            look(spec=declared(triggers=["Schedule"]), alarm=ALARM, counted=900), False, id="not while an alarm stands"
        ),
        pytest.param(look(spec=declared(online={"minInterval": "7h"})), False, id="not within minInterval"),
        pytest.param(look(spec=declared(online={"minInterval": "5h"})), False, id="minRecords has a default"),
        pytest.param(look(spec=declared(online={"minInterval": "5h"}), counted=100), True, id="of 100"),
        pytest.param(look(IMPORTED), False, id="not of a model that was brought, which learnt from no record"),
        pytest.param(look(champion(), update(), counted=89), False, id="after one that was no better, not so soon"),
        pytest.param(look(champion(), update(), counted=90), True, id="but after half as many again"),
        pytest.param(look(champion(), update(2), update(3), counted=134), False, id="and so on"),
        pytest.param(look(champion(), update(hours_ago=1.5), counted=900), False, id="and after twice minInterval"),
        pytest.param(look(champion(), update(hours_ago=2), counted=900), True, id="which is over by then"),
        pytest.param(
            look(champion(), update(phase=VersionPhase.FAILED), counted=89), False, id="one that failed counts as well"
        ),
        pytest.param(
            look(champion(), update(reason="NothingNew"), counted=89), False, id="and one with no record to learn from"
        ),
        pytest.param(look(champion(), update(phase=VersionPhase.SUPERSEDED)), True, id="one that was broken off not"),
    ],
)  # fmt: skip
def test_new_records_call_for_an_update(observed: Observed, *, begins: bool) -> None:
    assert reasons(observed) == (["OnlineUpdate"] if begins else [])


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        pytest.param(look(spec=declared(triggers=[]), counted=400), "MoreLabels", id="as many as minSamples: anew"),
        pytest.param(
            look(spec=declared(schedule="0 9 * * *", triggers=["Schedule"])), "Scheduled", id="the clock: anew"
        ),
    ],
)
def test_a_whole_run_that_is_due_goes_first(observed: Observed, reason: str) -> None:
    assert reasons(observed) == [reason]


def test_the_record_says_why_it_began_and_up_to_where_it_learns() -> None:
    [created] = actions_of(look(counted=72), CreateVersion)
    assert created.spec.trigger.message == (
        "72 labelled records have come that no run has learnt from; 60 call for an update of version 1."
    )
    assert (created.spec.parent, created.spec.feedback_through) == (1, 1400)
    assert created.spec.training_hash == champion().spec.training_hash
    assert created.spec.online == SPEC.retraining.online


def test_an_update_after_an_alarm_was_answered_keeps_what_is_known_of_it() -> None:
    answer = VersionTrigger(reason="AccuracyAlarm", message="", alarm_seq=900, alarm_at=ALARM.at, changed_after=700)
    [created] = actions_of(look(champion(trigger=answer)), CreateVersion)
    trigger = created.spec.trigger
    assert (trigger.alarm_seq, trigger.alarm_at, trigger.changed_after) == (900, ALARM.at, 700)


def test_until_the_pause_is_over_it_waits_and_no_longer() -> None:
    spec = declared(online={"minRecords": 60, "minInterval": "7h"})
    seldom = msgspec.structs.replace(spec.monitoring, interval="6h")
    observed = look(spec=msgspec.structs.replace(spec, monitoring=seldom))
    due = NOW + timedelta(hours=1)
    assert actions_of(observed, CreateVersion) == []
    assert planned(observed).requeue_after == timedelta(hours=1)
    assert [one.spec.trigger.reason for one in actions_of(observed, CreateVersion, due)] == ["OnlineUpdate"]


def training(version: VersionView, *others: VersionView) -> TrainRun:
    [job] = actions_of(look(*others, version), CreateJob)
    assert isinstance(job.run, TrainRun)
    return job.run


def in_training(number: int) -> VersionView:
    return update(number, VersionPhase.TRAINING, finished_at=None)


IN_TRAINING = in_training(2)


def test_its_job_is_told_which_model_learns_on_and_up_to_where_it_has_learnt() -> None:
    run = training(IN_TRAINING, champion())
    assert run.online == OnlineUpdate(base=champion().status.manifest or "", after=1000)
    assert (run.feedback_through, run.keeps_pipeline) == (1100, True)


def test_the_next_one_starts_where_the_promoted_one_ended() -> None:
    archived = champion(phase=VersionPhase.ARCHIVED)
    promoted = update(2, VersionPhase.CHAMPION)
    run = training(in_training(3), archived, promoted)
    assert run.online == OnlineUpdate(base=promoted.status.manifest or "", after=1100)


def test_what_a_rejected_one_learnt_is_learnt_again_by_the_next_for_the_champion_did_not() -> None:
    run = training(in_training(3), champion(), update(2))
    assert run.online == OnlineUpdate(base=champion().status.manifest or "", after=1000)


def test_a_champion_that_the_hub_remembered_learns_on_from_where_it_was() -> None:
    adopted = VersionTrigger(reason="Adopted", message="It is in the hub.")
    taken_over = champion(
        trigger=adopted, run={"adopted_manifest": "manifest-1", "feedback_through": 700, "online": None}
    )
    assert reasons(look(taken_over)) == ["OnlineUpdate"]
    run = training(IN_TRAINING, taken_over)
    assert run.online == OnlineUpdate(base="manifest-1", after=700)


def test_a_whole_run_fits_anew_and_keeps_its_pipeline() -> None:
    whole = make_version(2, VersionPhase.TRAINING, spec=SPEC, run={"online": SPEC.retraining.online})
    run = training(whole, champion())
    assert (run.online, run.keeps_pipeline) == (None, True)


def test_where_it_is_not_declared_jobs_are_told_nothing_of_it() -> None:
    plain = make_version(1, VersionPhase.TRAINING)
    [job] = actions_of(make_observed(plain), CreateJob)
    assert isinstance(job.run, TrainRun)
    assert (job.run.online, job.run.keeps_pipeline) == (None, False)


REPORT = TrainReport(
    manifest="m" * 64, data_sha256="d" * 64, rows=100, feedback_rows=100, window="new", validation=None, classes=2,
    seconds=3.0, started_from="c" * 64, notes=("Learns on from version 1.",),
)  # fmt: skip


def test_the_version_says_what_it_learnt_from_and_waits_for_records_that_neither_has_seen() -> None:
    assert looks_at(IN_TRAINING)
    ended = make_job(IN_TRAINING, JobState.SUCCEEDED, report=REPORT)
    [write] = actions_of(look(champion(), IN_TRAINING, counted=0, jobs=[ended]), WriteVersionStatus)
    status = write.status
    assert status.phase is VersionPhase.AWAITING_LABELS
    assert (status.rows, status.feedback_rows, status.window) == (100, 100, "new")
    assert (status.started_from, status.notes) == ("c" * 64, ("Learns on from version 1.",))


def test_an_alarm_overtakes_it() -> None:
    waiting = update(phase=VersionPhase.AWAITING_LABELS, finished_at=None)
    [write] = actions_of(look(champion(), waiting, alarm=ALARM), WriteVersionStatus)
    assert write.status.phase is VersionPhase.SUPERSEDED
    assert "accuracy fell" in write.status.message


NIGHTLY = declared(schedule="0 9 * * *", triggers=["Schedule"])
WATCHED = make_spec(
    data={"train": {"uri": "hub://rows.csv"}},
    training=SGD,
    retraining={"data": {"includeFeedback": True}, "online": {}},
)


def waiting(spec: Any, phase: VersionPhase = VersionPhase.AWAITING_LABELS, **change: Any) -> Observed:
    made: dict[str, Any] = {"spec": spec, "run": {"feedback_through": 1100, "parent": 1}, "data_sha256": "data-1"}
    return look(champion(spec=spec), make_version(2, phase, trigger=UPDATE, **made), spec=spec, **change)


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        pytest.param(waiting(NIGHTLY), "Scheduled", id="the clock"),
        pytest.param(waiting(WATCHED, source=SourceView(sha256="data-2")), "DataChanged", id="new content"),
        pytest.param(waiting(SPEC, retrain_request="now"), "Requested", id="a request"),
    ],
)
def test_a_whole_run_that_is_due_takes_the_place_of_one_that_waits_for_labels(observed: Observed, reason: str) -> None:
    [write] = actions_of(observed, WriteVersionStatus)
    assert (write.status.phase, write.name) == (VersionPhase.SUPERSEDED, "digits-v2")
    assert "A whole run became due" in write.status.message

    superseded = replace(observed.versions[1], status=write.status)
    after = replace(observed, versions=(observed.versions[0], superseded))
    assert reasons(replace(after, quality_query=quality_query(after))) == [reason]


@pytest.mark.parametrize(
    "observed",
    [
        pytest.param(waiting(SPEC, counted=0), id="where nothing is due"),
        pytest.param(waiting(NIGHTLY, VersionPhase.EVALUATING), id="nor one that is judged by now"),
    ],
)
def test_otherwise_it_goes_on(observed: Observed) -> None:
    assert VersionPhase.SUPERSEDED not in [one.status.phase for one in actions_of(observed, WriteVersionStatus)]


def test_one_that_failed_is_not_repeated_by_itself() -> None:
    crashed = update(phase=VersionPhase.FAILED, reason="Crashed")
    assert reasons(look(champion(), crashed, counted=0)) == []


def test_what_a_source_holds_is_new_though_an_update_has_read_it() -> None:
    spec = make_spec(
        data={"train": {"uri": "hub://rows.csv"}},
        training=SGD,
        retraining={"data": {"includeFeedback": True}, "online": {}},
    )
    first = make_version(1, VersionPhase.ARCHIVED, spec=spec, data_sha256="data-1")
    promoted = make_version(2, spec=spec, trigger=UPDATE, data_sha256="data-2")
    observed = look(first, promoted, spec=spec, counted=0, version=2, source=SourceView(sha256="data-2"))
    assert reasons(observed) == ["DataChanged"]


def test_what_was_read_of_a_source_is_known_after_any_number_of_updates() -> None:
    spec = msgspec.structs.replace(WATCHED, revision_history_limit=1)
    made: dict[str, Any] = {"spec": spec, "data_sha256": "data-2"}
    updates = [make_version(number, VersionPhase.ARCHIVED, trigger=UPDATE, **made) for number in range(2, 6)]
    first = make_version(1, VersionPhase.ARCHIVED, spec=spec, data_sha256="data-1")
    newest = make_version(6, trigger=UPDATE, **made)
    observed = look(first, *updates, newest, spec=spec, counted=0, version=6, source=SourceView(sha256="data-2"))
    kept = {action.name for action in actions_of(observed, DeleteVersion)}
    assert kept == {"digits-v2", "digits-v3", "digits-v4"}, "version 1 read the source, and version 5 served before"


def test_the_hub_remembers_the_source_that_the_last_whole_run_learnt() -> None:
    candidate = update(2, VersionPhase.CANDIDATE, data_sha256="data-2")
    observed = look(champion(data_sha256="data-1"), candidate)
    deployed = {one.number: make_deployment(observed.model, one) for one in observed.versions}
    served = replace(observed, deployments=deployed, service=make_service(observed.model, 2))
    [recorded] = actions_of(served, RecordLineage)
    assert (recorded.entry.number, recorded.entry.data_sha256) == (2, "data-1")


def test_a_scheduled_run_fits_anew_though_an_update_has_seen_all_there_is() -> None:
    promoted = update(2, VersionPhase.CHAMPION, data_sha256="data-1")
    clock = VersionTrigger(reason="Scheduled", message="It is due.")
    scheduled = make_version(3, VersionPhase.TRAINING, spec=SPEC, trigger=clock, run={"feedback_through": 1100})
    assert training(scheduled, champion(phase=VersionPhase.ARCHIVED), promoted).known == ()


def test_updates_that_the_pauses_are_counted_by_are_kept() -> None:
    spec = msgspec.structs.replace(SPEC, revision_history_limit=1)
    tried = [update(number) for number in range(2, 6)]
    assert actions_of(look(champion(), *tried, spec=spec, counted=0), DeleteVersion) == []


@given(fruitless=st.integers(0, 12), counted=st.integers(0, 20_000), hours=st.floats(0, 48))
def test_none_begins_before_its_records_have_come_and_its_pause_is_over(
    fruitless: int, counted: int, hours: float
) -> None:
    tried = [update(2 + place, hours_ago=hours) for place in range(fruitless)]
    base = champion(promoted_at=rfc3339(NOW - timedelta(hours=48)), finished_at=rfc3339(NOW - timedelta(hours=48)))
    observed = look(base, *tried, counted=counted)

    began = reasons(observed)

    needed, due = online.records_needed(observed), online.may_run_at(observed)
    assert needed is not None
    assert due is not None
    assert needed >= 60 * 1.5**fruitless - 1
    assert due - NOW >= timedelta(hours=2 ** min(fruitless, 3) - (hours if fruitless else 48)) - timedelta(seconds=1)
    assert began == (["OnlineUpdate"] if counted >= needed and due <= NOW else [])


def test_a_model_of_another_task_does_not_learn_on() -> None:
    regressor = msgspec.structs.replace(champion().spec, task=Task.REGRESSION)
    assert online.records_needed(look(replace(champion(), spec=regressor))) is None


def test_a_candidate_that_leads_by_chance_leaves_the_pause_as_it_is() -> None:
    by_chance = SetScore(rows=400, candidate=0.95, dummy=0.5, champion=0.94, candidate_only=5, champion_only=4)
    clearly = SetScore(rows=400, candidate=0.97, dummy=0.5, champion=0.9, candidate_only=30, champion_only=2)
    archived, tried = champion(phase=VersionPhase.ARCHIVED), update(2)
    assert online.records_needed(look(archived, tried, update(3, VersionPhase.CHAMPION, fresh=by_chance))) == 90
    assert online.records_needed(look(archived, tried, update(3, VersionPhase.CHAMPION, fresh=clearly))) == 60


def test_the_plan_says_nothing_of_it_where_nothing_is_due() -> None:
    assert Reason.ONLINE_UPDATE not in [event.reason for event in planned(look(counted=0)).events]
