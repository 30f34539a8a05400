"""Runs by the clock: NOW is 12:00, and version 1 was made at 6:00."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.unit.core.made import (
    ALARM,
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

from evermodel.api.conditions import ConditionType, Reason
from evermodel.api.modeldeployment import ModelDeploymentSpec
from evermodel.api.modelversion import VersionFailure, VersionPhase, VersionTrigger
from evermodel.core.actions import CreateVersion
from evermodel.core.observed import Observed, VersionView
from evermodel.core.questions import quality_query
from evermodel.core.timestamps import rfc3339

V1 = make_version(1)
SCHEDULED = VersionTrigger(reason="Scheduled", message="It was due.")
REJECTED = VersionFailure(reason="Rejected", message="It was no better.")


def by_clock(schedule: str, **retraining: Any) -> ModelDeploymentSpec:
    return make_spec(retraining={"triggers": ["Accuracy", "Schedule"], "schedule": schedule, **retraining})


def ended(
    number: int, phase: VersionPhase, *, made_ago: timedelta, why: VersionFailure | None = REJECTED
) -> VersionView:
    version = make_version(
        number, phase, trigger=SCHEDULED, failure=why, finished_at=rfc3339(NOW - made_ago + timedelta(minutes=1))
    )
    return replace(version, created_at=NOW - made_ago)


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


def test_times_are_counted_from_the_newest_run_that_was_not_broken_off() -> None:
    broken = replace(make_version(2, VersionPhase.SUPERSEDED), created_at=NOW - timedelta(minutes=5))
    assert V1.created_at == EARLIER
    assert len(actions_of(make_observed(V1, broken, spec=by_clock("0 9 * * *")), CreateVersion)) == 1
