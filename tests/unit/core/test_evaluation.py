"""A trained version on its way through the gate."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.unit.core.made import (
    ALARM,
    BETTER,
    actions_of,
    make_job,
    make_observed,
    make_quality,
    make_spec,
    make_version,
    planned,
)

from evermodel.api.modeldeployment import ModelDeploymentSpec
from evermodel.api.modelversion import SetScore, VersionPhase, VersionTrigger
from evermodel.contract import (
    EvaluateRun,
    EvaluationReport,
    FailureReason,
    FreshRange,
    PairedScore,
    ReportDigests,
    Slice,
    SliceScore,
    TrainReport,
)
from evermodel.core.actions import CreateJob, DeleteJob, WriteVersionStatus
from evermodel.core.observed import JobState, Observed
from evermodel.core.questions import quality_query
from evermodel.core.runs import measured

FEEDBACK = make_spec(retraining={"data": {"includeFeedback": True}})
TRIGGER = VersionTrigger(
    reason="AccuracyAlarm",
    message="It fell.",
    alarm_seq=ALARM.seq,
    alarm_at=ALARM.at,
    changed_after=ALARM.changed_after,
)
V1 = make_version(1, run={"feedback_through": 50})
WAITING = make_version(
    2,
    VersionPhase.AWAITING_LABELS,
    trigger=TRIGGER,
    run={"feedback_through": 1300},
    message="Trained; waits for 100 labelled records that neither model has seen.",
)
JUDGED = make_version(2, VersionPhase.EVALUATING, message="Trained; is compared on rows that it has not seen.")
REFERENCE = PairedScore(**msgspec.structs.asdict(BETTER))
FIRST = PairedScore(rows=500, candidate=0.96, dummy=0.1)
EARLY = PairedScore(rows=100, candidate=0.96, champion=0.93, dummy=0.1, candidate_only=5, champion_only=2)
"""Somewhat better: too little to tell at an early look."""
LATE = msgspec.structs.replace(EARLY, rows=400, candidate=0.93, candidate_only=3, champion_only=3)
REPORT = EvaluationReport(reference=REFERENCE, fresh=None, seconds=2.0)


def waiting(counted: int, spec: ModelDeploymentSpec = FEEDBACK, **status: Any) -> Observed:
    """Return a trained version after an alarm, and how many records neither model has seen."""
    quality = make_quality(alarm=ALARM, last_seq=1800, records=900, records_counted=counted)
    version = replace(WAITING, status=msgspec.structs.replace(WAITING.status, **status))
    observed = make_observed(V1, version, spec=spec, quality=quality)
    return replace(observed, quality_query=quality_query(observed))


def looked(fresh: PairedScore | None, spec: ModelDeploymentSpec = FEEDBACK, **status: Any) -> Observed:
    """Return an evaluation after an alarm that has ended; keywords say which looks came before it."""
    version = make_version(2, VersionPhase.EVALUATING, trigger=TRIGGER, run={"feedback_through": 1300}, **status)
    report = EvaluationReport(reference=REFERENCE, fresh=fresh, seconds=1.0)
    number = len(version.status.looks) + 1
    job = replace(
        make_job(version, JobState.SUCCEEDED, evaluates=True, report=report),
        name="digits-v2-evaluate" if number == 1 else f"digits-v2-evaluate-{number}",
    )
    return make_observed(V1, version, spec=spec, jobs=[job])


def judging(version: Any = JUDGED, **job: Any) -> Observed:
    made = make_job(version, **{"state": JobState.SUCCEEDED, "report": REPORT, **job}, evaluates=True)
    before = () if version.number == 1 else (V1,)
    return make_observed(*before, version, jobs=[made])


def written(observed: Observed) -> Any:
    writes = actions_of(observed, WriteVersionStatus)
    return writes[0].status if writes else None


@pytest.mark.parametrize(
    ("observed", "phase"),
    [
        pytest.param(waiting(99), None, id="too few records are waited for"),
        pytest.param(waiting(100), VersionPhase.EVALUATING, id="a quarter of minSamples allow a first look"),
        pytest.param(waiting(199, looks=(100,), fresh_records=100), None, id="the next look takes more"),
        pytest.param(
            waiting(200, looks=(100,), fresh_records=100), VersionPhase.EVALUATING, id="half of minSamples, for one"
        ),
        pytest.param(
            waiting(399, looks=(100,), fresh_records=200), None, id="twice as many where only half could be scored"
        ),
        pytest.param(waiting(400, looks=(100,), fresh_records=200), VersionPhase.EVALUATING, id="and then it goes on"),
        pytest.param(
            waiting(0, make_spec()), VersionPhase.EVALUATING, id="without feedback no more will come: it is judged now"
        ),
        pytest.param(
            replace(waiting(5000), quality_query=None, quality=None), None, id="before the hub has counted, nothing"
        ),
    ],
)
def test_labels_to_judge_on(observed: Observed, phase: VersionPhase | None) -> None:
    status = written(observed)
    assert (status.phase if status is not None else None) == phase
    assert actions_of(observed, CreateJob) == []


def test_the_records_that_neither_model_has_seen_are_asked_for() -> None:
    query = quality_query(waiting(0))
    assert query is not None
    assert (query.records_after, query.predicted_after) == (1300, ALARM.at)


def test_the_rows_that_decide_are_fixed_before_the_job_that_looks_at_them() -> None:
    status = written(waiting(400))
    assert (status.fresh_through, status.fresh_records) == (1800, 400)
    begun = replace(WAITING, status=status)
    observed = replace(waiting(900), versions=(V1, begun))
    [job] = actions_of(observed, CreateJob)
    assert isinstance(job.run, EvaluateRun)
    assert job.run.fresh == FreshRange(after=1300, through=1800, predicted_after=ALARM.at)
    assert (job.run.candidate, job.run.champion) == ("manifest-2", "manifest-1")


@pytest.mark.parametrize(
    ("observed", "phase", "reason"),
    [
        pytest.param(looked(EARLY), VersionPhase.AWAITING_LABELS, None, id="an early look that cannot tell waits"),
        pytest.param(
            looked(msgspec.structs.replace(EARLY, candidate_only=40)),
            VersionPhase.CANDIDATE, None, id="one that can promotes",
        ),
        pytest.param(
            looked(LATE, looks=(100, 200)), VersionPhase.REJECTED, "Rejected", id="the last look rejects"
        ),
        pytest.param(
            looked(msgspec.structs.replace(EARLY, rows=150, candidate_only=40), looks=(100,), fresh_records=200),
            VersionPhase.AWAITING_LABELS, None, id="too few rows for the next look are no look",
        ),
        pytest.param(
            looked(EARLY, make_spec()), VersionPhase.REJECTED, "Inconclusive", id="without feedback no more will come"
        ),
        pytest.param(
            looked(None, fresh_records=400), VersionPhase.REJECTED, "Inconclusive", id="records that cannot be scored"
        ),
        pytest.param(
            looked(msgspec.structs.replace(EARLY, rows=20), fresh_records=3200),
            VersionPhase.REJECTED, "Inconclusive", id="or hardly any of them",
        ),
    ],
)  # fmt: skip
def test_a_look_after_an_alarm(observed: Observed, phase: VersionPhase, reason: str | None) -> None:
    status = written(observed)
    assert (status.phase, status.failure and status.failure.reason) == (phase, reason)


def test_what_a_look_found_is_kept_and_said() -> None:
    status = written(looked(EARLY, fresh_records=100))
    assert status.looks == (100,)
    assert status.message.startswith("So far, accuracy 0.960 on 100 fresh rows is not significantly better")
    assert status.message.endswith("Waits for 200 labelled records.")
    assert (status.finished_at, status.holdout) == (None, None)


def test_each_look_has_a_job_of_its_own() -> None:
    second = make_version(2, VersionPhase.EVALUATING, trigger=TRIGGER, looks=(100,))
    first_job = make_job(second, JobState.SUCCEEDED, evaluates=True)
    [job] = actions_of(make_observed(V1, second, spec=FEEDBACK, jobs=[first_job]), CreateJob)
    assert job.name == "digits-v2-evaluate-2"


def test_a_second_look_that_is_broken_off_has_its_job_deleted() -> None:
    old = make_version(2, VersionPhase.SUPERSEDED, trigger=TRIGGER, looks=(100,))
    job = replace(make_job(old, JobState.RUNNING, evaluates=True), name="digits-v2-evaluate-2")
    assert [action.name for action in actions_of(make_observed(V1, old, jobs=[job]), DeleteJob)] == [job.name]


def test_a_candidate_of_an_early_look_that_changed_rules_take_back_waits_for_the_next() -> None:
    passed = make_version(
        2,
        VersionPhase.CANDIDATE,
        trigger=TRIGGER,
        looks=(100,),
        fresh_records=100,
        fresh=SetScore(rows=100, candidate=0.96, champion=0.6, dummy=0.1, candidate_only=40, champion_only=2),
    )
    spec = make_spec(
        retraining={"data": {"includeFeedback": True}}, evaluation={"improvement": {"confidence": 1 - 1e-12}}
    )
    assert written(make_observed(V1, passed, spec=FEEDBACK)) is None
    assert written(make_observed(V1, passed, spec=spec)).phase is VersionPhase.AWAITING_LABELS


def test_the_first_version_is_judged_alone() -> None:
    [job] = actions_of(make_observed(make_version(1, VersionPhase.EVALUATING)), CreateJob)
    assert isinstance(job.run, EvaluateRun)
    assert (job.name, job.run.champion, job.run.fresh) == ("digits-v1-evaluate", None, None)


@pytest.mark.parametrize(
    ("observed", "phase", "reason"),
    [
        pytest.param(judging(), VersionPhase.CANDIDATE, None, id="better is a candidate"),
        pytest.param(
            judging(report=EvaluationReport(
                reference=msgspec.structs.replace(REFERENCE, candidate_only=10), fresh=None, seconds=1.0
            )),
            VersionPhase.REJECTED, "Rejected", id="not better is rejected",
        ),
        pytest.param(
            judging(report=EvaluationReport(reference=None, fresh=None, seconds=1.0)),
            VersionPhase.REJECTED, "Inconclusive", id="no rows, no verdict",
        ),
        pytest.param(
            judging(make_version(1, VersionPhase.EVALUATING), report=EvaluationReport(
                reference=FIRST, fresh=None, seconds=1.0
            )),
            VersionPhase.CANDIDATE, None, id="a first version that meets the threshold",
        ),
        pytest.param(
            judging(make_version(2, VersionPhase.EVALUATING, trigger=TRIGGER)),
            VersionPhase.REJECTED, "Inconclusive", id="after an alarm the reference alone never promotes",
        ),
        pytest.param(
            judging(state=JobState.FAILED, report=None, failure=FailureReason.DEADLINE_EXCEEDED),
            VersionPhase.FAILED, "DeadlineExceeded", id="a judgement that takes too long",
        ),
        pytest.param(
            judging(report=TrainReport(
                manifest="m", data_sha256="d", rows=1, feedback_rows=0, window="all", validation=None, classes=2,
                seconds=1.0,
            )),
            VersionPhase.FAILED, "Crashed", id="the report of another kind of run is none",
        ),
        pytest.param(
            make_observed(V1, make_version(2, VersionPhase.EVALUATING, manifest=None)),
            VersionPhase.FAILED, "ReportLost", id="a status that has lost its artifact",
        ),
        pytest.param(judging(state=JobState.RUNNING, report=None), None, None, id="under way"),
    ],
)  # fmt: skip
def test_the_verdict(observed: Observed, phase: VersionPhase | None, reason: str | None) -> None:
    status = written(observed)
    found = (status.phase, status.failure and status.failure.reason) if status is not None else (None, None)
    assert found == (phase, reason)


def test_the_job_is_told_what_to_measure() -> None:
    spec = make_spec(
        evaluation={
            "metrics": [{"metric": "f1", "average": "weighted"}],
            "constraints": [{"metric": "recall", "positiveClass": "fraud", "threshold": 0.6}],
            "slices": [{"column": "age", "bins": 3, "threshold": 0.9}, {"column": "sex", "values": ["f", "m"]}],
            "customMetrics": [{"name": "cost", "direction": "Minimize", "image": "cost:1"}],
        }
    )
    [job] = actions_of(make_observed(make_version(1, VersionPhase.EVALUATING), spec=spec), CreateJob)
    assert isinstance(job.run, EvaluateRun)
    assert [str(measure) for measure in job.run.metrics] == ["f1 (weighted)", "recall of fraud"]
    assert job.run.custom_metrics == ("cost",)
    assert job.run.slices == (Slice(column="age", bins=3), Slice(column="sex", values=("f", "m")))


def test_where_the_report_is_is_kept() -> None:
    report = EvaluationReport(
        reference=REFERENCE, fresh=None, report=ReportDigests(json="a" * 64, html="b" * 64), seconds=1.0
    )
    kept = written(judging(report=report)).report
    assert (kept.json, kept.html) == ("a" * 64, "b" * 64)


def test_groups_of_rows_are_kept() -> None:
    group = SliceScore(column="age", group="above 60", rows=40, candidate=0.9, lower=0.8, upper=0.95)
    scored = msgspec.structs.replace(REFERENCE, slices=(group,), metrics={"logLoss": 0.3})
    status = written(judging(report=EvaluationReport(reference=scored, fresh=None, seconds=1.0)))
    assert measured(status.reference) == scored


def test_all_figures_of_the_comparison_are_kept() -> None:
    status = written(judging())
    assert status.reference == BETTER
    assert (status.holdout, status.holdout_set, status.finished_at) == (0.96, "reference", "2030-01-01T12:00:00Z")
    assert status.message[0].isupper()


def test_scores_that_were_written_before_there_were_other_metrics_are_of_accuracy() -> None:
    old = {
        "rows": 500,
        "candidate": 0.96,
        "dummy": 0.1,
        "champion": 0.9,
        "candidateOnly": 40,
        "championOnly": 10,
        "use": 2,
    }
    score = measured(msgspec.convert(old | {"metrics": {"precision": 0.95, "recall": 0.96, "f1": 0.955}}, SetScore))
    assert score is not None
    assert (score.metric, score.p, score.use) == ("accuracy", None, 2)


def test_scores_survive_being_written_and_read() -> None:
    status = written(judging())
    assert msgspec.convert(msgspec.to_builtins(status), type(status)) == status
    assert isinstance(status.reference, SetScore)


def test_a_run_that_nobody_interrupts_asks_the_hub_as_often_as_declared() -> None:
    observed = make_observed(V1, JUDGED, jobs=[make_job(JUDGED, JobState.RUNNING, evaluates=True)])
    assert planned(observed).requeue_after is not None
    assert planned(observed).requeue_after == planned(make_observed(V1)).requeue_after
