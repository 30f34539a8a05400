"""Offline evaluations: NOW is 12:00, version 1 was promoted at 6:00, and the schedule calls for one at 9:00."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from tests.unit.core.made import (
    EARLIER,
    MODEL,
    NOW,
    actions_of,
    condition,
    known,
    make_job,
    make_observed,
    make_quality,
    make_spec,
    make_version,
    planned,
)

from evermodel.api.conditions import ConditionStatus, ConditionType, Reason
from evermodel.api.modeldeployment import ConstraintResult, ModelDeploymentSpec
from evermodel.api.modelversion import VersionPhase
from evermodel.contract import (
    FailureReason,
    FailureReport,
    FreshRange,
    Measure,
    Metric,
    OfflineReport,
    OfflineRun,
    PairedScore,
    ReportDigests,
    SliceScore,
)
from evermodel.core import names
from evermodel.core.actions import CreateJob, CreateVersion, EnsureSecrets, EventType
from evermodel.core.observed import HubView, JobState, JobView, Observed
from evermodel.core.phases.offline import due_time
from evermodel.core.timestamps import rfc3339

NINE = datetime.fromisoformat("2030-01-01T09:00:00+00:00")
AT_NINE = names.offline_job_name(MODEL, 1, NINE)
RECALL = {"metric": "recall", "positiveClass": "fraud", "threshold": 0.8}
HEALTHY = ConditionType.OFFLINE_HEALTHY


def declared(schedule: str = "0 9 * * *", **change: Any) -> ModelDeploymentSpec:
    return make_spec(monitoring={"offline": {"schedule": schedule, "samples": 500}}, **change)


SPEC = declared()


def scored(
    value: float = 0.95, *, half: float = 0.02, rows: int = 500, slices: tuple[SliceScore, ...] = (), **metrics: float
) -> OfflineReport:
    named = {name.replace("_of_", " of "): figure for name, figure in metrics.items()}
    score = PairedScore(rows=rows, candidate=value, dummy=0.1, metrics=named, slices=slices)
    return OfflineReport(
        scheduled=rfc3339(NINE),
        rows=rows,
        score=score,
        lower=value - half,
        upper=value + half,
        report=ReportDigests(json="json-1", html="html-1"),
        seconds=1.0,
    )


def ended(state: JobState = JobState.SUCCEEDED, **change: Any) -> JobView:
    return make_job(make_version(1, spec=SPEC), state, name=AT_NINE, **change)


def look(*jobs: JobView, spec: ModelDeploymentSpec = SPEC, **change: Any) -> Observed:
    return make_observed(make_version(1, spec=spec), spec=spec, jobs=jobs, **change)


@pytest.mark.parametrize(
    ("observed", "jobs"),
    [
        pytest.param(look(), [AT_NINE], id="its time has passed"),
        pytest.param(look(spec=declared("0 13 * * *")), [], id="its time is to come"),
        pytest.param(look(spec=declared("0 * * * *")), [names.offline_job_name(MODEL, 1, EARLIER + timedelta(hours=1))],
                     id="times that were missed make one Job"),
        pytest.param(look(spec=declared("0 0 31 2 *")), [], id="it is never due"),
        pytest.param(look(spec=make_spec()), [], id="nobody asks for it"),
        pytest.param(look(ended(JobState.RUNNING)), [], id="it runs"),
        pytest.param(look(spec=declared(paused=True)), [], id="not paused"),
        pytest.param(look(hub=HubView()), [], id="not without a hub"),
        pytest.param(look(quality=None), [], id="not before the ledger's end is known"),
        pytest.param(
            make_observed(make_version(1, spec=SPEC), make_version(2, VersionPhase.TRAINING, spec=SPEC), spec=SPEC),
            [],
            id="not while a version is being made",
        ),
    ],
)  # fmt: skip
def test_a_job_is_made(observed: Observed, jobs: list[str]) -> None:
    made = [action for action in actions_of(observed, CreateJob) if isinstance(action.run, OfflineRun)]
    assert [action.name for action in made] == jobs


def test_what_the_job_is_told() -> None:
    evaluation = {"metrics": [{"metric": "mcc"}], "constraints": [RECALL], "slices": [{"column": "age", "bins": 2}]}
    spec = declared(evaluation=evaluation)
    version = make_version(1, spec=spec, run={"feedback_through": 40})
    (action,) = actions_of(make_observed(version, spec=spec, quality=make_quality(last_seq=900)), CreateJob)
    run = action.run
    assert (action.version, run.champion, run.samples) == (version.name, "manifest-1", 500)
    assert run.records == FreshRange(after=40, through=900, predicted_after=EARLIER.timestamp())
    assert run.metrics == (Measure(metric=Metric.MCC), Measure(metric=Metric.RECALL, positive_class="fraud"))
    assert [one.column for one in run.slices] == ["age"]


@pytest.mark.parametrize(
    ("report", "spec", "reason", "says"),
    [
        pytest.param(
            scored(), SPEC, "AboveThreshold",
            "Accuracy 0.950 (95 % interval 0.930 to 0.970) of version 1 over 500 labelled production records meets",
            id="it holds",
        ),
        pytest.param(
            scored(0.85), SPEC, "BelowThreshold",
            "(95 % interval 0.830 to 0.870) of version 1 over 500 labelled production records is below 0.92",
            id="its whole interval is below",
        ),
        pytest.param(
            scored(0.91), SPEC, "Inconclusive", "misses 0.92 by no more than chance",
            id="its interval holds the threshold"
        ),
        pytest.param(
            scored(0.2, rows=399), SPEC, "Inconclusive",
            "399 labelled production records that version 1 has not learnt from could be scored; "
            "monitoring.minSamples asks for 400.",
            id="too few records",
        ),
        pytest.param(
            OfflineReport(scheduled=rfc3339(NINE), rows=0, score=None, seconds=1.0), SPEC, "Inconclusive",
            "0 labelled production records", id="no records",
        ),
        pytest.param(
            scored(recall_of_fraud=0.7), declared(evaluation={"constraints": [RECALL]}), "ConstraintBroken",
            "0.700 on 500 production rows is below 0.8", id="a constraint is broken",
        ),
        pytest.param(
            scored(), declared(evaluation={"constraints": [RECALL]}), "Inconclusive", "which has no value",
            id="a constraint has no value",
        ),
        pytest.param(
            scored(recall_of_fraud=0.7),
            declared(evaluation={"constraints": [RECALL, {"metric": "mcc", "threshold": 0.5}]}),
            "ConstraintBroken", "0.700 on 500", id="one is broken and another has no value",
        ),
        pytest.param(
            scored(slices=(SliceScore(column="age", group="old", rows=60, candidate=0.7),)),
            declared(evaluation={"slices": [{"column": "age", "threshold": 0.8}]}),
            "ConstraintBroken", "on the 60 production rows whose age is old is below 0.8",
            id="a group of rows falls short",
        ),
    ],
)  # fmt: skip
def test_the_verdict(report: OfflineReport, spec: ModelDeploymentSpec, reason: str, says: str) -> None:
    observed = look(ended(report=report), spec=spec)
    status = planned(observed).status.offline
    assert status is not None
    assert (status.reason, status.version, status.samples) == (reason, 1, report.rows)
    assert says in status.message
    told = condition(observed, HEALTHY)
    assert (told.reason, told.message) == (reason, status.message)
    expected = {"AboveThreshold": ConditionStatus.TRUE, "Inconclusive": ConditionStatus.UNKNOWN}
    assert told.status is expected.get(reason, ConditionStatus.FALSE)


def test_what_is_recorded() -> None:
    spec = declared(evaluation={"constraints": [RECALL, {"metric": "logLoss", "threshold": 0.3}]})
    status = planned(look(ended(report=scored(recall_of_fraud=0.7, logLoss=0.2)), spec=spec)).status.offline
    assert status is not None
    assert (status.scheduled_time, status.finished_at) == (rfc3339(NINE), rfc3339(NOW))
    assert (status.value, status.lower, status.upper, status.report) == (0.95, 0.93, 0.97, "json-1")
    assert status.metrics == {"recall of fraud": 0.7, "logLoss": 0.2}
    assert status.constraints == (
        ConstraintResult(metric="recall of fraud", threshold=0.8, value=0.7, met=False),
        ConstraintResult(metric="logLoss", threshold=0.3, value=0.2, met=True),
    )


@pytest.mark.parametrize(
    ("lower", "upper", "reason"),
    [
        pytest.param(2.1, 2.9, "BelowThreshold", id="above the threshold as a whole"),
        pytest.param(1.9, 3.1, "Inconclusive", id="around the threshold"),
    ],
)
def test_errors_are_judged_by_the_lower_end_of_their_interval(lower: float, upper: float, reason: str) -> None:
    spec = declared(task="Regression", objective={"metric": "rmse", "threshold": 2.0}, training={"estimator": "Ridge"})
    report = msgspec.structs.replace(scored(2.5), lower=lower, upper=upper)
    told = condition(look(ended(report=report), spec=spec), HEALTHY)
    assert told.reason == reason
    assert f"Rmse 2.5 (95 % interval {lower} to {upper})" in told.message


def test_the_report_of_an_earlier_time_is_none_of_this_one() -> None:
    earlier = msgspec.structs.replace(scored(), scheduled=rfc3339(NINE - timedelta(days=1)))
    assert condition(look(ended(report=earlier)), HEALTHY).message.endswith("its report is nowhere.")


def test_once_it_is_recorded_the_next_time_is_waited_for() -> None:
    observed = known(look(ended(report=scored()), spec=declared("0 * * * *")))
    assert due_time(replace(observed, jobs={})) == EARLIER + timedelta(hours=1)  # another Job than the one at nine
    observed = known(look(ended(report=scored())))
    assert due_time(observed) == NINE + timedelta(days=1)
    after = replace(observed, jobs={})  # it goes by itself after a day
    assert [one for one in actions_of(after, CreateJob) if isinstance(one.run, OfflineRun)] == []
    assert planned(after).status.offline == observed.model.status.offline


def test_a_clock_behind_the_operators_calls_for_nothing_twice() -> None:
    observed = known(look(ended(report=scored(), finished_at=NINE - timedelta(minutes=1))))
    assert due_time(observed) == NINE + timedelta(days=1)


def test_a_new_champion_is_scored_anew() -> None:
    observed = known(look(ended(report=scored(0.85))))
    second = make_version(2, spec=SPEC, promoted_at=rfc3339(NOW))
    later = replace(
        make_observed(make_version(1, VersionPhase.ARCHIVED, spec=SPEC), second, spec=SPEC), model=observed.model
    )
    told = condition(later, HEALTHY)
    assert (told.status, told.reason) == (ConditionStatus.UNKNOWN, Reason.NOT_SCORED)
    assert told.message.endswith(f"the schedule calls for it at {rfc3339(NINE + timedelta(days=1))}.")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(
            {"report": FailureReport(reason=FailureReason.DATA_INVALID, message="It answers no row.")},
            "It answers no row.",
            id="in its own words",
        ),
        pytest.param({"message": "The image is not there."}, "The image is not there.", id="in those of Kubernetes"),
        pytest.param({"failure": FailureReason.OUT_OF_MEMORY}, "it ended with OutOfMemory.", id="by a reason"),
        pytest.param({}, "it left no message: see its log.", id="without a word"),
    ],
)
def test_a_job_that_failed_is_told_of_and_waited_over(change: dict[str, Any], says: str) -> None:
    observed = look(ended(JobState.FAILED, **change))
    told = condition(observed, HEALTHY)
    assert (told.status, told.reason) == (ConditionStatus.UNKNOWN, Reason.OFFLINE_FAILED)
    assert told.message == f"Job {AT_NINE} has not scored version 1: {says}"
    assert due_time(known(observed)) == NINE + timedelta(days=1)


def test_a_report_is_waited_for_and_then_given_up() -> None:
    observed = look(ended())
    assert planned(observed).status.offline is None
    later = condition(observed, HEALTHY, NOW + timedelta(minutes=6))
    assert later.message.endswith("its report is nowhere.")


def test_a_secret_that_is_missing_is_made() -> None:
    waiting = look(ended(JobState.PENDING, missing_secret=True))
    assert actions_of(waiting, EnsureSecrets) == [EnsureSecrets(hub=False, model=True)]


def events_after(first: Callable[[], OfflineReport | None], second: OfflineReport | None) -> list[tuple[str, str]]:
    """Return the Events of the second of two evaluations; None is one that fails."""
    before = known(_day(first(), NINE))
    later = replace(_day(second, NINE + timedelta(days=1)), model=before.model)
    return [(event.type, event.reason) for event in planned(later, NOW + timedelta(days=1)).events]


def _day(report: OfflineReport | None, at: datetime) -> Observed:
    job = ended() if report is not None else ended(JobState.FAILED)
    told = msgspec.structs.replace(report, scheduled=rfc3339(at)) if report is not None else None
    name, finished = names.offline_job_name(MODEL, 1, at), at + timedelta(hours=3)
    return look(replace(job, name=name, report=told, finished_at=finished))


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        pytest.param(scored(), scored(0.85), [(EventType.WARNING, "BelowThreshold")], id="it fell"),
        pytest.param(scored(0.85), scored(0.84), [], id="it is still down"),
        pytest.param(scored(0.85), scored(), [(EventType.NORMAL, "AboveThreshold")], id="it holds again"),
        pytest.param(scored(), scored(0.96), [], id="it holds as before"),
        pytest.param(scored(), None, [(EventType.WARNING, "OfflineEvaluationFailed")], id="its Job failed"),
        pytest.param(None, None, [], id="its Job failed again"),
        pytest.param(scored(), scored(rows=10), [], id="there are too few records"),
    ],
)
def test_events_tell_of_changes(
    first: OfflineReport | None, second: OfflineReport | None, told: list[tuple[str, str]]
) -> None:
    assert events_after(lambda: first, second) == told


def test_it_starts_no_run_and_changes_no_other_condition() -> None:
    fell = look(ended(report=scored(0.5)))
    assert actions_of(fell, CreateVersion) == []
    assert condition(fell, ConditionType.HEALTHY) == condition(look(spec=make_spec()), ConditionType.HEALTHY)
