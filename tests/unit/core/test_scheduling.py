"""Runs by the clock: NOW is 12:00, and version 1 was made at 6:00."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.unit.core.made import (
    ALARM,
    BETTER,
    EARLIER,
    NOW,
    actions_of,
    condition,
    known,
    make_observed,
    make_quality,
    make_spec,
    make_version,
    planned,
)
from tests.unit.core.world import Crash, Model, World

from evermodel.api.conditions import ConditionType, Reason
from evermodel.api.modeldeployment import ImportedModel, ModelDeploymentSpec
from evermodel.api.modelversion import ModelVersionStatus, VersionFailure, VersionPhase, VersionTrigger
from evermodel.contract import Learnt, Strategy
from evermodel.core.actions import CreateJob, CreateVersion, DeleteVersion, EventType, WriteVersionStatus
from evermodel.core.observed import Observed, VersionView
from evermodel.core.questions import quality_query
from evermodel.core.timestamps import rfc3339

SCHEDULED = VersionTrigger(reason="Scheduled", message="It was due.")
REJECTED = VersionFailure(reason="Rejected", message="It was no better.")


def by_clock(schedule: str, **retraining: Any) -> ModelDeploymentSpec:
    return from_source({"uri": "hub://digits.csv"}, schedule, **retraining)


def from_source(source: dict[str, Any], schedule: str = "0 9 * * *", **retraining: Any) -> ModelDeploymentSpec:
    clock = {"triggers": ["Accuracy", "Schedule"], "schedule": schedule}
    return make_spec(data={"train": source}, retraining={**clock, **retraining})


V1 = make_version(1, spec=by_clock("0 9 * * *"))


def ended(
    number: int, phase: VersionPhase, *, made_ago: timedelta, why: VersionFailure | None = REJECTED
) -> VersionView:
    version = make_version(
        number,
        phase,
        spec=by_clock("0 9 * * *"),
        trigger=SCHEDULED,
        failure=why,
        finished_at=rfc3339(NOW - made_ago + timedelta(minutes=1)),
    )
    return replace(version, created_at=NOW - made_ago)


def nothing_new(number: int, *, made_ago: timedelta) -> VersionView:
    why = VersionFailure(reason="NothingNew", message="Nothing was trained.")
    version = ended(number, VersionPhase.REJECTED, made_ago=made_ago, why=why)
    bare = ModelVersionStatus(phase=VersionPhase.REJECTED, message=why.message, failure=why, data_sha256="data-1")
    return replace(version, status=msgspec.structs.replace(bare, finished_at=version.status.finished_at))


def alarmed(spec: ModelDeploymentSpec) -> Observed:
    quality = make_quality(alarm=ALARM, records=900, records_counted=0, last_seq=1400)
    observed = make_observed(V1, spec=spec, quality=quality)
    return replace(observed, quality_query=quality_query(observed))


@pytest.mark.parametrize(
    ("observed", "begins"),
    [
        pytest.param(make_observed(V1, spec=by_clock("0 9 * * *")), True, id="its time has passed"),
        pytest.param(make_observed(V1, spec=by_clock("0 12 * * *")), True, id="its time is now"),
        pytest.param(make_observed(V1, spec=by_clock("1 12 * * *")), False, id="its time is to come"),
        pytest.param(make_observed(V1, spec=by_clock("0 6 * * *")), False, id="the newest run began at its time"),
        pytest.param(make_observed(V1, spec=by_clock("0 0 31 2 *")), False, id="it is never due"),
        pytest.param(make_observed(V1, spec=by_clock("0 9 * * *", mode="Observe")), False, id="not in mode Observe"),
        pytest.param(make_observed(V1, spec=by_clock("0 9 * * *", mode="Manual")), False, id="not in mode Manual"),
        pytest.param(
            make_observed(V1, spec=msgspec.structs.replace(by_clock("0 9 * * *"), paused=True)), False, id="not paused"
        ),
        pytest.param(
            make_observed(V1, spec=msgspec.structs.replace(by_clock("0 9 * * *"), version=1)), False, id="not pinned"
        ),
        pytest.param(
            make_observed(V1, make_version(2, VersionPhase.TRAINING), spec=by_clock("0 9 * * *")),
            False,
            id="not while a run is under way",
        ),
        pytest.param(
            make_observed(V1, ended(2, VersionPhase.REJECTED, made_ago=timedelta(hours=2)), spec=by_clock("0 * * * *")),
            True,
            id="again after a run that was no better",
        ),
        pytest.param(
            make_observed(
                V1, ended(2, VersionPhase.REJECTED, made_ago=timedelta(minutes=30)), spec=by_clock("0 9 * * *")
            ),
            False,
            id="times that were missed make one run",
        ),
        pytest.param(
            make_observed(
                V1,
                ended(
                    2,
                    VersionPhase.FAILED,
                    made_ago=timedelta(hours=2),
                    why=VersionFailure(reason="DataInvalid", message="Bad."),
                ),
                spec=by_clock("0 * * * *"),
            ),
            True,
            id="again after bad data, which may have been corrected",
        ),
        pytest.param(
            make_observed(V1, nothing_new(2, made_ago=timedelta(minutes=30)), spec=by_clock("0 9 * * *")),
            False,
            id="not before the next time after a run that found nothing new",
        ),
        pytest.param(
            make_observed(V1, nothing_new(2, made_ago=timedelta(hours=2)), spec=by_clock("0 * * * *")),
            True,
            id="again after a run that found nothing new",
        ),
        pytest.param(alarmed(by_clock("0 9 * * *", data={"includeFeedback": True})), False, id="labels say when"),
        pytest.param(alarmed(by_clock("0 9 * * *")), True, id="after an alarm that labels cannot cure"),
    ],
)
def test_a_run_begins(observed: Observed, *, begins: bool) -> None:
    created = actions_of(observed, CreateVersion)
    assert [action.spec.trigger.reason for action in created] == (["Scheduled"] if begins else [])


def test_the_clock_is_looked_at_when_it_is_due() -> None:
    assert planned(make_observed(V1, spec=by_clock("20 12 * * *"), quality=None)).requeue_after is not None
    spec = msgspec.structs.replace(
        by_clock("20 12 * * *"), monitoring=msgspec.structs.replace(make_spec().monitoring, interval="1h")
    )
    assert planned(make_observed(V1, spec=spec)).requeue_after == timedelta(minutes=20)


def test_the_status_says_when() -> None:
    assert planned(make_observed(V1, spec=by_clock("0 3 * * *"))).status.retraining.next_scheduled_time == (
        "2030-01-02T03:00:00Z"
    )
    assert planned(make_observed(V1)).status.retraining.next_scheduled_time is None


def test_runs_that_are_merely_not_better_count_no_attempt() -> None:
    rejected = [ended(number, VersionPhase.REJECTED, made_ago=timedelta(hours=9 - number)) for number in range(2, 8)]
    observed = make_observed(V1, *rejected, spec=by_clock("0 * * * *"))

    assert planned(observed).status.retraining.attempt == 0
    assert [action.spec.number for action in actions_of(observed, CreateVersion)] == [8]


def test_observe_tells_of_each_time_once() -> None:
    before = known(make_observed(V1, spec=by_clock("0 * * * *", mode="Observe")))
    later = NOW + timedelta(hours=1)

    told = planned(before, later).events
    again = planned(known(before, later), later).events

    assert [(event.reason, "at 2030-01-01T13:00:00Z" in event.message) for event in told] == [
        (Reason.WOULD_RETRAIN, True)
    ]
    assert again == ()


def test_without_accuracy_among_the_triggers_an_alarm_starts_nothing_and_says_so() -> None:
    spec = by_clock("0 0 1 1 *", triggers=["Schedule"], data={"includeFeedback": True})
    quality = make_quality(alarm=ALARM, records=900, records_counted=500, last_seq=1400)
    observed = make_observed(V1, spec=spec, quality=quality)
    observed = replace(observed, quality_query=quality_query(observed))

    assert actions_of(observed, CreateVersion) == []
    healthy = condition(observed, ConditionType.HEALTHY)
    assert (healthy.reason, "leaves Accuracy out" in healthy.message) == (Reason.BELOW_THRESHOLD, True)


FIXED = {"uri": "hub://digits.csv", "sha256": "ab" * 32}
BUNDLED = {"uri": "sklearn://digits"}


@pytest.mark.parametrize(
    ("spec", "run", "begins"),
    [
        pytest.param(from_source(BUNDLED), {}, False, id="rows of the image stay as they are"),
        pytest.param(from_source(FIXED), {}, False, id="so does a file of a declared digest"),
        pytest.param(from_source(BUNDLED), {"image": "runtime:0"}, True, id="another image may have other rows"),
        pytest.param(from_source(FIXED), {"image": "runtime:0"}, False, id="an image changes no declared digest"),
        pytest.param(from_source(BUNDLED, data={"includeFeedback": True}), {}, True, id="labels may have come"),
        pytest.param(
            from_source(FIXED),
            {"model": ImportedModel(uri="hub://one", sha256="ab" * 32)},
            True,
            id="an imported model learnt from none of it",
        ),
        pytest.param(
            make_spec(
                training={"estimator": None, "container": {"image": "trainer:1"}},
                retraining={"triggers": ["Schedule"], "schedule": "0 9 * * *"},
            ),
            {},
            True,
            id="a container of the user's own may learn from more",
        ),
    ],
)
def test_nothing_begins_where_nothing_can_be_new(
    spec: ModelDeploymentSpec, run: dict[str, Any], *, begins: bool
) -> None:
    observed = make_observed(make_version(1, spec=spec, run=run), spec=spec)

    assert len(actions_of(observed, CreateVersion)) == int(begins)
    assert ("which cannot change" in planned(observed).status.retraining.nothing_new) is not begins


def test_observe_tells_of_no_time_at_which_nothing_can_be_new() -> None:
    spec = from_source(BUNDLED, "0 * * * *", mode="Observe")
    before = known(make_observed(make_version(1, spec=spec), spec=spec))

    assert planned(before, NOW + timedelta(hours=1)).events == ()


def test_what_a_run_by_the_clock_need_not_learn_again() -> None:
    spec = by_clock("0 * * * *")
    tuned = make_version(
        3,
        VersionPhase.REJECTED,
        spec=spec,
        trigger=VersionTrigger(reason="AccuracyAlarm", message="It fell.", strategy=Strategy.TUNE),
        failure=REJECTED,
    )
    refused = replace(
        ended(4, VersionPhase.REJECTED, made_ago=timedelta(hours=1)),
        spec=msgspec.structs.replace(ended(4, VersionPhase.REJECTED, made_ago=timedelta(0)).spec, feedback_through=70),
    )
    broken = ended(5, VersionPhase.FAILED, made_ago=timedelta(hours=1))
    before = (V1, make_version(2, VersionPhase.SUPERSEDED, spec=spec), tuned, refused, broken)

    def told(reason: str) -> Any:
        trigger = VersionTrigger(reason=reason, message="Why.")
        run = make_version(6, VersionPhase.TRAINING, spec=spec, trigger=trigger)
        return actions_of(make_observed(*before, run, spec=spec), CreateJob)[0].run.known

    assert told("Scheduled") == (
        Learnt(version=1, data_sha256="data-1"),
        Learnt(version=4, data_sha256="data-1", feedback_through=70),
    )
    assert told("Requested") == ()


def test_a_run_that_found_nothing_new_changes_no_condition_and_counts_no_attempt() -> None:
    spec = by_clock("1 12 * * *")
    before = known(make_observed(V1, spec=spec))
    after = replace(before, versions=(V1, nothing_new(2, made_ago=timedelta(minutes=5))))

    told = planned(after)

    assert told.events == ()
    assert told.status.conditions == before.model.status.conditions
    assert (told.status.retraining.attempt, told.status.retraining.nothing_new) == (0, "Nothing was trained.")


def test_a_failure_is_over_once_a_run_found_nothing_new() -> None:
    spec = by_clock("1 12 * * *")
    failed = ended(
        2, VersionPhase.FAILED, made_ago=timedelta(hours=1), why=VersionFailure(reason="Crashed", message="Why.")
    )
    before = known(make_observed(V1, failed, spec=spec))
    after = replace(before, versions=(V1, failed, nothing_new(3, made_ago=timedelta(minutes=5))))

    assert actions_of(before, CreateVersion) != []
    assert actions_of(after, CreateVersion) == []
    assert condition(before, ConditionType.TRAINED).reason == "Crashed"
    assert condition(after, ConditionType.TRAINED).reason == Reason.PROMOTED


def test_changed_rules_let_a_version_through_that_was_rejected_before_nothing_was_new() -> None:
    spec = msgspec.structs.replace(by_clock("1 12 * * *"), revision_history_limit=0)
    better = make_version(2, VersionPhase.REJECTED, spec=spec, reference=BETTER, failure=REJECTED)
    observed = make_observed(V1, better, nothing_new(3, made_ago=timedelta(minutes=5)), spec=spec)

    [written] = actions_of(observed, WriteVersionStatus)
    assert (written.name, written.status.phase) == (better.name, VersionPhase.CANDIDATE)
    assert actions_of(observed, DeleteVersion) == []


def test_of_runs_that_found_nothing_new_the_newest_is_kept() -> None:
    found = [nothing_new(number, made_ago=timedelta(hours=9 - number)) for number in (2, 3, 4)]
    observed = make_observed(V1, *found, spec=by_clock("1 12 * * *"))

    assert [action.name for action in actions_of(observed, DeleteVersion)] == ["digits-v2", "digits-v3"]


def clocked(world: World, step: Callable[[], None]) -> None:
    """Go on for four hours of a schedule; what is there to be learnt from changes before the last."""
    for hour in range(1, 5):
        world.source = "more" if hour == 4 else world.source
        world.time_passes(timedelta(hours=1))
        for _ in range(12):
            try:
                world.reconcile(step)
            except Crash:
                world.answer = None
                world.reconcile()
            for job in world.waiting_jobs():
                world.job_succeeds(job, Model.EQUAL)
            world.pods_end()
            world.time_passes(timedelta(seconds=5))


def begun() -> World:
    world = World(by_clock("0 * * * *"))
    world.settle()
    return world


def ends_of(world: World) -> dict[int, tuple[str, str]]:
    return {
        version.number: (version.status.phase.value, version.status.failure.reason if version.status.failure else "")
        for version in world.versions.values()
    }


def test_an_unchanged_source_costs_no_use_of_held_out_rows_wherever_the_operator_ends() -> None:
    calm, writes = begun(), []
    clocked(calm, lambda: writes.append(1))

    assert ends_of(calm) == {1: ("Champion", ""), 4: ("Rejected", "NothingNew"), 5: ("Rejected", "Rejected")}
    assert calm.hub.uses == [1, 5]
    assert [event.type for event in calm.events if event.reason == Reason.SCHEDULED] == [EventType.NORMAL] * 4
    assert [event.reason for event in calm.events if event.type is EventType.WARNING] == ["Rejected"]

    for at in range(1, len(writes) + 1):
        world, left = begun(), [at]

        def step(left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Crash

        clocked(world, step)
        assert (ends_of(world), world.hub.uses) == (ends_of(calm), calm.hub.uses), f"a crash at write {at}"


def test_times_are_counted_from_the_newest_run_that_was_not_broken_off() -> None:
    broken = replace(make_version(2, VersionPhase.SUPERSEDED), created_at=NOW - timedelta(minutes=5))
    assert V1.created_at == EARLIER
    assert len(actions_of(make_observed(V1, broken, spec=by_clock("0 9 * * *")), CreateVersion)) == 1
