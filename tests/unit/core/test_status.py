"""The status: what people read, what deployment tools wait for, and when it is written."""

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
    condition,
    known,
    make_deployment,
    make_job,
    make_new,
    make_observed,
    make_quality,
    make_service,
    make_spec,
    make_version,
    planned,
)

from evermodel.api.conditions import Condition, ConditionStatus, ConditionType, Reason
from evermodel.api.modeldeployment import Phase
from evermodel.api.modelversion import VersionFailure, VersionPhase, VersionTrigger
from evermodel.contract import Alarm, FailureReason, WindowStats
from evermodel.core.actions import EventType
from evermodel.core.conditions import LONGEST_MESSAGE, Wanted, set_conditions
from evermodel.core.names import serving_selector
from evermodel.core.observed import HubView, JobState, Observed, VersionView
from evermodel.core.phases.status import REFRESH

V1 = make_version(1)
MODEL = make_observed().model
ATTEMPT = VersionTrigger(reason="AccuracyAlarm", message="It fell.", alarm_seq=ALARM.seq, alarm_at=ALARM.at)


def failed(number: int = 1, why: str = "DataInvalid", **change: Any) -> Any:
    failure = VersionFailure(reason=why, message="Column 'target' is missing: add it.")
    return make_version(number, VersionPhase.FAILED, failure=failure, **change)


def serving(**change: Any) -> Observed:
    return make_observed(V1, deployments={1: make_deployment(MODEL, V1, **change)})


def candidate(**change: Any) -> Observed:
    version = make_version(1, VersionPhase.CANDIDATE)
    return make_observed(version, deployments={1: make_deployment(MODEL, version, **change)}, quality=None)


@pytest.mark.parametrize(
    ("observed", "ready", "progress", "phase"),
    [
        pytest.param(
            make_new(lineage=None), "NoVersionYet", ("Reconciling", "Progressing"), Phase.PENDING, id="just created"
        ),
        pytest.param(
            make_observed(make_version(1, VersionPhase.TRAINING)),
            "NoVersionYet", ("Reconciling", "Progressing"), Phase.TRAINING, id="the first version in training",
        ),
        pytest.param(
            make_observed(make_version(1, VersionPhase.EVALUATING)),
            "NoVersionYet", ("Reconciling", "Progressing"), Phase.EVALUATING, id="the first version in evaluation",
        ),
        pytest.param(
            candidate(ready_replicas=0), "NoVersionYet", ("Reconciling", "Progressing"), Phase.DEPLOYING,
            id="the first version rolled out",
        ),
        pytest.param(make_observed(V1), "Serving", None, Phase.READY, id="the champion serves"),
        pytest.param(
            make_observed(V1, make_version(2, VersionPhase.TRAINING)), "Serving", None, Phase.TRAINING,
            id="a retraining in the background is no reconciling",
        ),
        pytest.param(make_observed(V1, failed(2)), "Serving", None, Phase.READY, id="nor is one that failed"),
        pytest.param(
            make_observed(failed()), "NoVersionYet", ("Stalled", "DataInvalid"), Phase.FAILED,
            id="a first version that cannot be made is stalled",
        ),
        pytest.param(
            make_observed(failed(why="Crashed")), "NoVersionYet", ("Reconciling", "Retrying"), Phase.PENDING,
            id="one that will be repeated is not",
        ),
        pytest.param(
            make_observed(failed(), spec=make_spec(training={"estimator": "SVC"})),
            "NoVersionYet", ("Reconciling", "Progressing"), Phase.PENDING,
            id="nor is one whose spec was changed",
        ),
        pytest.param(
            make_new(make_spec(paused=True)), "NoVersionYet", ("Reconciling", "Paused"), Phase.PAUSED, id="paused"
        ),
        pytest.param(
            make_observed(V1, spec=make_spec(serving={"replicas": 2}), deployments={1: make_deployment(MODEL, V1)}),
            "RollingOut", ("Reconciling", "RollingOut"), Phase.DEPLOYING, id="a changed serving spec is rolled out",
        ),
        pytest.param(
            serving(updated=False, stuck=True), "RollingOut", ("Stalled", "RollingOut"), Phase.DEGRADED,
            id="one whose pods never become ready is stalled",
        ),
        pytest.param(
            serving(ready_replicas=0), "ReplicasUnavailable", None, Phase.DEGRADED, id="pods that are not ready"
        ),
        pytest.param(
            replace(make_observed(V1), service=None), "RollingOut", ("Reconciling", "RollingOut"), Phase.DEPLOYING,
            id="traffic that has not moved yet",
        ),
        pytest.param(
            make_observed(V1, spec=make_spec(version=4)),
            "PinnedVersionNotFound", ("Stalled", "PinnedVersionNotFound"), Phase.DEGRADED, id="a pin of no version",
        ),
        pytest.param(
            make_observed(V1, failed(2), spec=make_spec(version=2)),
            "PinnedVersionNotFound", ("Stalled", "PinnedVersionNotFound"), Phase.DEGRADED,
            id="a pin of a version that failed",
        ),
        pytest.param(
            make_observed(V1, make_version(2, VersionPhase.TRAINING), spec=make_spec(version=2)),
            "RollingOut", ("Reconciling", "RollingOut"), Phase.TRAINING, id="a pin of a version that is being made",
        ),
        pytest.param(
            make_observed(make_version(1, VersionPhase.ARCHIVED), make_version(2), spec=make_spec(version=1)),
            "RollingOut", ("Reconciling", "RollingOut"), Phase.DEPLOYING, id="a pin that is rolled out",
        ),
        pytest.param(make_observed(V1, spec=make_spec(version=1)), "Serving", None, Phase.READY, id="a pin that holds"),
    ],
)  # fmt: skip
def test_what_deployment_tools_read(
    observed: Observed, ready: str, progress: tuple[str, str] | None, phase: Phase
) -> None:
    status = planned(observed).status
    transient = {ConditionType.RECONCILING, ConditionType.STALLED}
    found = [(one.type.value, one.reason) for one in status.conditions if one.type in transient]
    assert (condition(observed, ConditionType.READY).reason, found, status.phase) == (
        ready,
        [progress] if progress is not None else [],
        phase,
    )
    assert (condition(observed, ConditionType.READY).status is ConditionStatus.TRUE) == (ready == "Serving")


def test_attempts_that_are_used_up_leave_the_object_current() -> None:
    attempts = [
        make_version(
            number, VersionPhase.REJECTED, trigger=ATTEMPT, run={"parent": 1},
            failure=VersionFailure(reason="Rejected", message="It was no better."),
        )
        for number in (2, 3, 4)
    ]  # fmt: skip
    spec = make_spec(retraining={"data": {"includeFeedback": True}})
    versions = [replace(version, spec=msgspec.structs.replace(version.spec)) for version in attempts]
    observed = make_observed(V1, *versions, spec=spec, quality=make_quality(alarm=ALARM))
    kinds = {one.type for one in planned(observed).status.conditions}
    assert kinds == {ConditionType.READY, ConditionType.HEALTHY, ConditionType.TRAINED}
    assert condition(observed, ConditionType.READY).status is ConditionStatus.TRUE
    assert condition(observed, ConditionType.HEALTHY).reason == Reason.RETRAINING_EXHAUSTED
    assert planned(observed).status.phase is Phase.DEGRADED


@pytest.mark.parametrize(
    ("observed", "status", "reason"),
    [
        pytest.param(make_new(), ConditionStatus.UNKNOWN, "Progressing", id="no run yet"),
        pytest.param(
            make_observed(make_version(1, VersionPhase.TRAINING)), ConditionStatus.UNKNOWN, "Progressing",
            id="under way",
        ),
        pytest.param(make_observed(V1), ConditionStatus.TRUE, "Promoted", id="let through"),
        pytest.param(make_observed(V1, failed(2)), ConditionStatus.FALSE, "DataInvalid", id="failed"),
        pytest.param(
            make_observed(V1, make_version(
                2, VersionPhase.REJECTED, failure=VersionFailure(reason="Rejected", message="No better.")
            )),
            ConditionStatus.FALSE, "Rejected", id="not let through",
        ),
        pytest.param(
            make_observed(V1, make_version(
                2, VersionPhase.REJECTED, failure=VersionFailure(reason="Inconclusive", message="Too few rows.")
            )),
            ConditionStatus.FALSE, "Inconclusive", id="too little to tell",
        ),
        pytest.param(
            make_observed(make_version(1, VersionPhase.SUPERSEDED)), ConditionStatus.UNKNOWN, "Superseded",
            id="broken off",
        ),
        pytest.param(
            make_observed(make_version(1, run={"adopted_manifest": "m"})), ConditionStatus.TRUE, "Adopted", id="adopted"
        ),
    ],
)  # fmt: skip
def test_trained(observed: Observed, status: ConditionStatus, reason: str) -> None:
    trained = condition(observed, ConditionType.TRAINED)
    assert (trained.status, trained.reason) == (status, reason)


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        pytest.param(make_observed(failed()), "Column 'target' is missing: add it.", id="a failure in the Job's words"),
        pytest.param(make_new(hub=HubView(message="no volume")), "hub: no volume", id="what the hub waits for"),
        pytest.param(
            make_observed(
                make_version(1, VersionPhase.TRAINING),
                jobs=[make_job(V1, JobState.PENDING, message="no node takes the pod: 8 cpu wanted")],
            ),
            "no node takes the pod: 8 cpu wanted", id="why a Job does not start",
        ),
        pytest.param(
            candidate(ready_replicas=0, message="the image x cannot be pulled"), "the image x cannot be pulled",
            id="why serving pods are not ready",
        ),
        pytest.param(make_observed(failed(why="Crashed")), "Attempt 1 of 3", id="how many attempts are left"),
    ],
)  # fmt: skip
def test_the_reason_reaches_the_condition(observed: Observed, words: str) -> None:
    transient = {ConditionType.RECONCILING, ConditionType.STALLED}
    [progress] = [one for one in planned(observed).status.conditions if one.type in transient]
    assert words in progress.message


def test_the_champion_and_where_it_answers() -> None:
    status = planned(make_observed(V1)).status
    assert status.champion is not None
    assert (status.champion.version, status.champion.holdout) == (1, 0.96)
    assert (status.url, status.replicas, status.observed_generation) == ("http://digits.team.svc", 1, 1)
    assert status.selector == ",".join(f"{key}={value}" for key, value in sorted(serving_selector("digits", 1).items()))


def test_a_candidate_that_may_not_take_traffic_says_what_it_waits_for() -> None:
    held = make_observed(V1, make_version(2, VersionPhase.CANDIDATE, reference=BETTER), spec=make_spec(paused=True))
    shown = planned(held).status.candidate
    assert shown is not None
    assert "spec.paused" in shown.message


def test_an_object_on_its_way_out_is_left_alone() -> None:
    decision = planned(make_observed(V1, deleting=True))
    assert (decision.actions, decision.events) == ((), ())


# --- figures ----------------------------------------------------------------------------------------------------------


def moved(value: float, *, after: timedelta, labels: int = 1000) -> Observed:
    """Return a status that was written, and a later answer of the hub with another window."""
    observed = known(make_observed())
    window = WindowStats(value=value, lower=value - 0.01, upper=value + 0.01, samples=labels)
    return replace(observed, quality=make_quality(as_of=(NOW + after).timestamp(), window=window))


@pytest.mark.parametrize(
    ("observed", "after", "written"),
    [
        pytest.param(moved(0.951, after=timedelta(seconds=30)), timedelta(seconds=30), False, id="a small move waits"),
        pytest.param(moved(0.951, after=REFRESH), REFRESH, True, id="until it is ten minutes old"),
        pytest.param(
            moved(0.93, after=timedelta(seconds=30)), timedelta(seconds=30), True, id="a move that people would notice"
        ),
        pytest.param(
            replace(known(make_observed()), quality=make_quality(as_of=(NOW + REFRESH).timestamp())), REFRESH, False,
            id="figures that stay are never written again",
        ),
    ],
)  # fmt: skip
def test_moving_figures_are_written_seldom(observed: Observed, after: timedelta, *, written: bool) -> None:
    assert (planned(observed, NOW + after).status != observed.model.status) == written


def test_figures_of_another_champion_are_not_shown() -> None:
    observed = known(make_observed())
    promoted = replace(
        observed,
        versions=(make_version(1, VersionPhase.ARCHIVED), make_version(2)),
        service=make_service(observed.model, 2),
        quality=None,
    )
    assert planned(promoted).status.live is None


# --- conditions -------------------------------------------------------------------------------------------------------


def wanted(status: ConditionStatus, reason: str = "Because", message: str = "So it is.") -> Wanted:
    return Wanted(type=ConditionType.READY, status=status, reason=reason, message=message)


def once(status: ConditionStatus) -> tuple[Condition, ...]:
    return set_conditions((), [wanted(status)], generation=1, now=EARLIER)


@pytest.mark.parametrize(
    ("after", "time"),
    [
        pytest.param(wanted(ConditionStatus.TRUE), "2030-01-01T06:00:00Z", id="the same"),
        pytest.param(wanted(ConditionStatus.TRUE, "Else"), "2030-01-01T06:00:00Z", id="another reason"),
        pytest.param(wanted(ConditionStatus.TRUE, message="Else."), "2030-01-01T06:00:00Z", id="another message"),
        pytest.param(wanted(ConditionStatus.FALSE), "2030-01-01T12:00:00Z", id="another status"),
        pytest.param(wanted(ConditionStatus.UNKNOWN), "2030-01-01T12:00:00Z", id="unknown is another status"),
    ],
)
def test_the_transition_time_moves_only_with_the_status(after: Wanted, time: str) -> None:
    [made] = set_conditions(once(ConditionStatus.TRUE), [after], generation=2, now=NOW)
    assert (made.last_transition_time, made.observed_generation) == (time, 2)


def test_conditions_that_nobody_wants_are_gone() -> None:
    assert set_conditions(once(ConditionStatus.TRUE), [], generation=1, now=NOW) == ()


def test_a_message_is_cut_to_what_people_read() -> None:
    [made] = set_conditions((), [wanted(ConditionStatus.TRUE, message="x" * 5000)], generation=1, now=NOW)
    assert len(made.message) == LONGEST_MESSAGE


# --- events -----------------------------------------------------------------------------------------------------------


def fell(**retraining: Any) -> Observed:
    spec = make_spec(retraining={"data": {"includeFeedback": True}, **retraining})
    observed = known(make_observed(V1, spec=spec))
    return replace(observed, quality=make_quality(alarm=ALARM, labels=1200))


@pytest.mark.parametrize(
    ("observed", "reasons"),
    [
        pytest.param(known(make_observed()), [], id="nothing changed, nothing is said"),
        pytest.param(make_observed(make_version(1, VersionPhase.TRAINING)), ["FirstVersion"], id="a run began"),
        pytest.param(known(make_observed(make_version(1, VersionPhase.TRAINING))), [], id="which is said once"),
        pytest.param(make_observed(V1), ["Promoted"], id="a version takes traffic"),
        pytest.param(make_observed(failed()), ["DataInvalid"], id="a run failed"),
        pytest.param(known(make_observed(failed())), [], id="which is said once as well"),
        pytest.param(fell(), ["BelowThreshold"], id="the accuracy fell"),
        pytest.param(known(fell()), [], id="the alarm stands"),
        pytest.param(fell(mode="Observe"), ["BelowThreshold"], id="Observe, with labels still to come"),
        pytest.param(fell(data={}), ["NothingNew"], id="the accuracy fell, and there is nothing to learn from"),
        pytest.param(replace(known(fell()), quality=make_quality()), ["AboveThreshold"], id="the accuracy is back"),
        pytest.param(
            make_observed(V1, spec=make_spec(version=9), status=known(make_observed(V1)).model.status),
            ["PinnedVersionNotFound"],
            id="a pin of no version",
        ),
    ],
)
def test_events(observed: Observed, reasons: list[str]) -> None:
    assert [event.reason.value for event in planned(observed).events] == reasons


RARE = "95.0% of the labels are 'no', so always saying it has an accuracy of 0.950."
WARNED: dict[str, Any] = {"notes": ("Numbers are scaled.", f"Warning: {RARE}")}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param(
            make_version(2, VersionPhase.TRAINING),
            make_version(2, VersionPhase.EVALUATING, **WARNED),
            [f"Version 2: {RARE}"],
            id="when its training has ended",
        ),
        pytest.param(
            make_version(2, VersionPhase.EVALUATING, **WARNED),
            make_version(2, VersionPhase.CANDIDATE, **WARNED),
            [],
            id="not again when it goes on",
        ),
        pytest.param(
            make_version(2, VersionPhase.EVALUATING, **WARNED),
            make_version(3, VersionPhase.EVALUATING, **WARNED),
            [f"Version 3: {RARE}"],
            id="of the next version as well",
        ),
        pytest.param(
            make_version(2, VersionPhase.REJECTED, **WARNED),
            make_version(2, VersionPhase.CANDIDATE, finished_at="2030-01-01T06:00:00Z", **WARNED),
            [],
            id="not again of one that the changed rules let through",
        ),
        pytest.param(
            make_version(2, VersionPhase.TRAINING),
            make_version(2, VersionPhase.EVALUATING, notes=("Numbers are scaled.",)),
            [],
            id="other notes are no warnings",
        ),
    ],
)
def test_a_warning_of_a_training_is_announced_once(before: VersionView, after: VersionView, said: list[str]) -> None:
    seen = known(make_observed(V1, before)).model.status
    observed = make_observed(V1, after, status=seen)

    told = [event for event in planned(observed).events if event.reason is Reason.TRAINING_WARNING]

    assert [(event.type, event.message) for event in told] == [(EventType.WARNING, message) for message in said]
    assert planned(known(observed)).events == ()


def test_an_event_says_what_the_status_says() -> None:
    observed = fell()
    [event] = planned(observed).events
    assert event.message == condition(observed, ConditionType.HEALTHY).message


def test_every_reason_of_a_failure_may_be_an_event() -> None:
    for reason in FailureReason:
        [event] = planned(make_observed(failed(why=reason.value))).events
        assert event.reason is reason


def test_an_alarm_is_described_with_its_own_figures() -> None:
    alarm = Alarm(seq=1, at=EARLIER.timestamp(), value=0.8712, samples=2412, changed_after=0)
    observed = replace(fell(), quality=make_quality(alarm=alarm, labels=3000))
    assert "0.871 over 2,412 labels is below 0.92" in condition(observed, ConditionType.HEALTHY).message
