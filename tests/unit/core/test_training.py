"""A version in training: what its Job says decides what becomes of it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.unit.core.made import (
    ALARM,
    NOW,
    actions_of,
    make_job,
    make_new,
    make_observed,
    make_spec,
    make_version,
    planned,
)

from evermodel.api.modelversion import EpochsRun, SearchRun, ShownProgress, VersionPhase, VersionTrigger
from evermodel.contract import (
    Ensemble,
    EnsembleType,
    Epochs,
    EpochSummary,
    EvaluationReport,
    FailureReason,
    FailureReport,
    FeedbackRules,
    FoldStrategy,
    ImportedModel,
    Member,
    ModelFormat,
    PreprocessingStep,
    Search,
    SearchSummary,
    TrainReport,
    TrainRun,
    WarmStart,
    WarmStartMode,
)
from evermodel.core.actions import CreateJob, CreateVersion, EnsureSecrets, WriteVersionStatus
from evermodel.core.observed import JobState, JobView, Observed
from evermodel.core.phases.jobs import REPORT_PATIENCE
from evermodel.core.timestamps import rfc3339

REPORT = TrainReport(
    manifest="m" * 64, data_sha256="d" * 64, rows=1400, feedback_rows=0, window="all", validation=None, classes=10,
    seconds=3.0,
)  # fmt: skip
BAD_DATA = FailureReport(reason=FailureReason.DATA_INVALID, message="Column 'target' is missing: add it.")
TRAINING = make_version(1, VersionPhase.TRAINING, started_at="2030-01-01T06:00:00Z")
AFTER_ALARM = make_version(
    2,
    VersionPhase.TRAINING,
    started_at="2030-01-01T06:00:00Z",
    trigger=VersionTrigger(reason="AccuracyAlarm", message="", alarm_seq=ALARM.seq, alarm_at=ALARM.at),
    run={"feedback_through": 1300},
)
IN_EPOCHS = make_spec(training={"estimator": "MLPClassifier", "epochs": {"max": 50}})
FEEDBACK = make_spec(retraining={"data": {"includeFeedback": True}})


def in_training(job: JobView | None = None) -> Observed:
    return make_observed(TRAINING, jobs=[job] if job is not None else [])


def written(observed: Observed) -> WriteVersionStatus | None:
    writes = actions_of(observed, WriteVersionStatus)
    assert len(writes) <= 1
    return writes[0] if writes else None


def test_a_job_is_made_once_with_what_the_record_says() -> None:
    [job] = actions_of(in_training(), CreateJob)
    assert isinstance(job.run, TrainRun)
    assert (job.name, job.version, job.run.estimator) == ("digits-v1-train-1", "digits-v1", "RandomForestClassifier")
    assert actions_of(in_training(make_job(TRAINING, JobState.PENDING)), CreateJob) == []


def test_a_job_is_told_how_records_are_merged_by_the_time_of_its_version() -> None:
    declared = {"includeFeedback": True, "maxAge": "720h", "maxShare": 0.5, "halfLife": "1h30m"}
    spec = make_spec(retraining={"data": declared})
    merging = {"retraining_data": spec.retraining.data, "feedback_through": 900}
    version = make_version(2, VersionPhase.TRAINING, spec=spec, run=merging)

    [job] = actions_of(make_observed(make_version(1), version, spec=spec), CreateJob)

    assert isinstance(job.run, TrainRun)
    assert job.run.feedback_rules == FeedbackRules(
        as_of=version.created_at.timestamp(), max_age=720 * 3600.0, max_share=0.5, half_life=5400.0
    )


@pytest.mark.parametrize(
    ("declared", "recorded"),
    [
        pytest.param({"includeFeedback": True, "maxShare": 0.5}, True, id="rules"),
        pytest.param({"includeFeedback": True}, False, id="all records alike"),
    ],
)
def test_a_version_records_how_records_are_merged(declared: dict[str, Any], *, recorded: bool) -> None:
    spec = make_spec(retraining={"data": declared})

    [created] = actions_of(make_new(spec), CreateVersion)

    assert created.spec.retraining_data == (spec.retraining.data if recorded else None)


def test_the_record_says_how_the_model_is_stored_and_why_not_as_onnx() -> None:
    report = msgspec.structs.replace(REPORT, format=ModelFormat.SKOPS, format_reason="metric='canberra' has no graph")
    write = written(in_training(make_job(TRAINING, JobState.SUCCEEDED, report=report)))
    assert write is not None
    assert (write.status.format, write.status.format_reason) == ("skops", "metric='canberra' has no graph")


def test_a_job_is_told_what_to_search_for_and_the_record_says_what_was_found() -> None:
    spec = make_spec(training={"search": {"parameters": {"C": [0.1, 1]}, "folds": 3, "foldStrategy": "Temporal"}})
    version = make_version(1, VersionPhase.TRAINING, spec=spec)
    [job] = actions_of(make_observed(version, spec=spec), CreateJob)
    assert isinstance(job.run, TrainRun)
    assert job.run.search == Search(parameters={"C": [0.1, 1]}, folds=3, fold_strategy=FoldStrategy.TEMPORAL)

    found = SearchSummary(trials=2, failed=0, score=0.97, std=0.01, parameters='{"C":1}')
    ended = make_job(version, JobState.SUCCEEDED, report=msgspec.structs.replace(REPORT, search=found))
    write = written(make_observed(version, spec=spec, jobs=[ended]))
    assert write is not None
    assert write.status.search == SearchRun(trials=2, failed=0, score=0.97, std=0.01, parameters='{"C":1}')


def test_a_job_is_told_what_an_ensemble_is_made_of() -> None:
    members = [
        {"name": "forest", "estimator": "RandomForestClassifier", "parameters": {"n_estimators": 9}},
        {"name": "linear", "estimator": "LogisticRegression", "preprocessing": [{"transformer": "StandardScaler"}]},
    ]
    final = {"estimator": "GaussianNB"}
    declared = {"type": "Stacking", "folds": 3, "members": members, "finalEstimator": final}
    spec = make_spec(training={"ensemble": declared})
    version = make_version(1, VersionPhase.TRAINING, spec=spec)
    [job] = actions_of(make_observed(version, spec=spec), CreateJob)
    assert isinstance(job.run, TrainRun)
    scale = PreprocessingStep(transformer="StandardScaler", columns=("*",))
    assert job.run.estimator == "StackingClassifier"
    assert job.run.ensemble == Ensemble(
        type=EnsembleType.STACKING,
        folds=3,
        members=(
            Member(name="forest", estimator="RandomForestClassifier", parameters={"n_estimators": 9}),
            Member(name="linear", estimator="LogisticRegression", preprocessing=(scale,)),
        ),
        final_estimator=Member(name="final", estimator="GaussianNB"),
    )


def test_a_job_is_told_of_its_epochs_and_the_record_says_how_they_went() -> None:
    version = make_version(1, VersionPhase.TRAINING, spec=IN_EPOCHS)
    [job] = actions_of(make_observed(version, spec=IN_EPOCHS), CreateJob)
    assert isinstance(job.run, TrainRun)
    assert job.run.epochs == Epochs(max=50, patience=10, validation_fraction=0.1, min_improvement=0.0)

    report = msgspec.structs.replace(REPORT, epochs=EpochSummary(run=23, best=13, validation=0.97, loss=0.1))
    ended = make_job(version, JobState.SUCCEEDED, report=report)
    write = written(make_observed(version, spec=IN_EPOCHS, jobs=[ended]))
    assert write is not None
    assert write.status.epochs == EpochsRun(run=23, best=13, validation=0.97, loss=0.1)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        pytest.param({"from": "Champion", "mode": "Grow"}, {"mode": "Grow", "champion": "manifest-1"}, id="champion"),
        pytest.param(
            {"from": "hub://old", "mode": "Features", "sha256": "0" * 64},
            {"mode": "Features", "uri": "hub://old", "sha256": "0" * 64},
            id="a file",
        ),
    ],
)
def test_a_job_is_told_what_it_starts_from(declared: dict[str, str], told: dict[str, str]) -> None:
    spec = make_spec(training={"warmStart": declared})
    version = make_version(2, VersionPhase.TRAINING, spec=spec)
    [job] = actions_of(make_observed(make_version(1, manifest="manifest-1"), version, spec=spec), CreateJob)
    assert isinstance(job.run, TrainRun)
    assert job.run.warm_start == msgspec.convert(told, WarmStart)

    report = msgspec.structs.replace(REPORT, started_from="manifest-1")
    ended = make_job(version, JobState.SUCCEEDED, report=report)
    write = written(make_observed(make_version(1), version, spec=spec, jobs=[ended]))
    assert write is not None
    assert write.status.started_from == "manifest-1"


def test_a_job_is_told_which_model_to_take_over() -> None:
    declared = {"uri": "hub://old", "sha256": "0" * 64}
    spec = make_spec(model=declared)
    version = make_version(1, VersionPhase.TRAINING, spec=spec, run={"model": spec.model})
    [job] = actions_of(make_observed(version, spec=spec), CreateJob)
    assert isinstance(job.run, TrainRun)
    assert job.run.imported == ImportedModel(uri="hub://old", sha256="0" * 64)


def test_the_first_job_has_nothing_to_start_from() -> None:
    spec = make_spec(training={"warmStart": {"from": "Champion", "mode": "Grow"}})
    [job] = actions_of(make_observed(make_version(1, VersionPhase.TRAINING, spec=spec), spec=spec), CreateJob)
    assert isinstance(job.run, TrainRun)
    assert job.run.warm_start == WarmStart(mode=WarmStartMode.GROW)


def test_the_spec_of_a_run_is_its_record_and_not_a_spec_that_moved_on() -> None:
    paused = make_spec(paused=True, training={"estimator": "SVC"})  # paused: the run is not superseded
    [job] = actions_of(make_observed(TRAINING, spec=paused), CreateJob)
    assert job.run.estimator == "RandomForestClassifier"


def test_the_tokens_of_the_pods_come_before_the_first_job_and_not_again() -> None:
    first = [type(action) for action in planned(in_training()).actions]
    assert first.index(EnsureSecrets) < first.index(CreateJob)
    second = make_observed(make_version(1), make_version(2, VersionPhase.TRAINING))
    assert actions_of(second, CreateJob) != []
    assert actions_of(second, EnsureSecrets) == []


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        pytest.param({"state": JobState.PENDING}, None, id="a pod that waits is waited for"),
        pytest.param({"state": JobState.RUNNING}, None, id="a run is waited for, however long it takes"),
        pytest.param(
            {"state": JobState.SUCCEEDED, "report": REPORT}, (VersionPhase.EVALUATING, None), id="a model is judged"
        ),
        pytest.param(
            {"state": JobState.FAILED, "report": BAD_DATA, "exit_code": 3},
            (VersionPhase.FAILED, "DataInvalid"),
            id="bad data fails with the Job's own words",
        ),
        pytest.param(
            {"state": JobState.FAILED, "exit_code": 3, "message": "lost"},
            (VersionPhase.FAILED, "DataInvalid"),
            id="the exit code tells bad data when the message is lost",
        ),
        pytest.param(
            {"state": JobState.FAILED, "failure": FailureReason.OUT_OF_MEMORY, "exit_code": 137},
            (VersionPhase.FAILED, "OutOfMemory"),
            id="out of memory is what Kubernetes says",
        ),
        pytest.param(
            {"state": JobState.FAILED, "exit_code": 1}, (VersionPhase.FAILED, "Crashed"), id="anything else crashed"
        ),
        pytest.param({"state": JobState.SUCCEEDED}, None, id="a report that is late is waited for"),
        pytest.param(
            {"state": JobState.SUCCEEDED, "finished_at": NOW - REPORT_PATIENCE},
            (VersionPhase.FAILED, "ReportLost"),
            id="a report that does not come is lost, and nothing is trained again for it",
        ),
        pytest.param(
            {"state": JobState.SUCCEEDED, "report": EvaluationReport(reference=None, fresh=None, seconds=1.0)},
            (VersionPhase.FAILED, "Crashed"),
            id="the report of another kind of run is none",
        ),
        pytest.param(
            {"state": JobState.SUCCEEDED, "report": REPORT, "owner_uid": "another"},
            None,
            id="a Job of an earlier object of this name says nothing",
        ),
        pytest.param({"state": JobState.FAILED, "deleting": True}, None, id="a Job on its way out says nothing"),
        pytest.param(
            {"state": JobState.PENDING, "created_at": NOW - timedelta(minutes=15)},
            (VersionPhase.FAILED, "CannotStart"),
            id="a pod that has waited for pendingDeadline fails",
        ),
        pytest.param(
            {"state": JobState.PENDING, "created_at": NOW - timedelta(minutes=15), "pending_since": NOW},
            None,
            id="a pod that was made again after a disruption has its own pendingDeadline",
        ),
    ],
)
def test_what_becomes_of_a_job(job: dict[str, Any], expected: tuple[VersionPhase, str | None] | None) -> None:
    write = written(in_training(make_job(TRAINING, **job)))
    status = write.status if write is not None else None
    found = (status.phase, status.failure and status.failure.reason) if status is not None else None
    assert found == expected


@pytest.mark.parametrize(
    ("said", "shown", "expected"),
    [
        pytest.param("", None, None, id="a Job that says nothing is not spoken of"),
        pytest.param("epoch 3 of 60", None, "epoch 3 of 60", id="the first word is shown"),
        pytest.param("epoch 4 of 60", (59, "epoch 3 of 60"), None, id="another one has to wait"),
        pytest.param("epoch 9 of 60", (60, "epoch 3 of 60"), "epoch 9 of 60", id="after a minute it is shown"),
        pytest.param("epoch 3 of 60", (600, "epoch 3 of 60"), None, id="the same word is not written again"),
        pytest.param("", (600, "epoch 3 of 60"), None, id="a hub that has forgotten it takes nothing back"),
    ],
)
def test_what_a_running_job_says_is_shown_seldom(
    said: str, shown: tuple[int, str] | None, expected: str | None
) -> None:
    version = TRAINING
    if shown is not None:
        at = rfc3339(NOW - timedelta(seconds=shown[0]))
        version = replace(
            version, status=msgspec.structs.replace(version.status, progress=ShownProgress(message=shown[1], at=at))
        )
    observed = replace(make_observed(version, jobs=[make_job(version, JobState.RUNNING)]), progress=said)

    write = written(observed)

    found = write.status.progress if write is not None else None
    assert (found and found.message) == expected
    wait = planned(observed).requeue_after
    assert wait is not None
    assert timedelta(0) < wait <= timedelta(seconds=30)


@pytest.mark.parametrize("report", [REPORT, BAD_DATA], ids=["a model", "a failure"])
def test_what_a_job_said_is_gone_when_it_has_ended(report: TrainReport | FailureReport) -> None:
    progress = ShownProgress(message="epoch 3 of 60", at=rfc3339(NOW))
    version = replace(TRAINING, status=msgspec.structs.replace(TRAINING.status, progress=progress))
    write = written(make_observed(version, jobs=[make_job(version, JobState.SUCCEEDED, report=report)]))
    assert write is not None
    assert write.status.progress is None


def test_a_failure_keeps_the_words_for_the_person_and_the_time() -> None:
    write = written(in_training(make_job(TRAINING, JobState.FAILED, report=BAD_DATA, exit_code=3)))
    assert write is not None
    assert write.status.failure is not None
    assert write.status.failure.message == BAD_DATA.message
    assert (write.status.failure.exit_code, write.status.finished_at) == (3, "2030-01-01T12:00:00Z")


def test_a_missing_secret_is_made_again() -> None:
    waiting = make_job(TRAINING, JobState.PENDING, missing_secret=True)
    assert actions_of(in_training(waiting), EnsureSecrets) == [EnsureSecrets(hub=False, model=True)]


def test_the_pending_deadline_is_looked_at_when_it_ends() -> None:
    waiting = make_job(TRAINING, JobState.PENDING, created_at=NOW - timedelta(minutes=14))
    assert planned(in_training(waiting)).requeue_after == timedelta(minutes=1)


def test_the_model_is_recorded_with_what_it_was_made_of() -> None:
    write = written(in_training(make_job(TRAINING, JobState.SUCCEEDED, report=REPORT)))
    assert write is not None
    status = write.status
    assert (status.manifest, status.data_sha256, status.rows, status.window) == ("m" * 64, "d" * 64, 1400, "all")


@pytest.mark.parametrize(
    ("observed", "phase"),
    [
        pytest.param(make_observed(make_version(1), AFTER_ALARM, spec=FEEDBACK), VersionPhase.AWAITING_LABELS,
                     id="after an alarm it waits for labels"),
        pytest.param(make_observed(make_version(1), AFTER_ALARM), VersionPhase.EVALUATING,
                     id="without feedback no label will come, so it is judged at once"),
    ],
)  # fmt: skip
def test_a_model_made_after_an_alarm(observed: Observed, phase: VersionPhase) -> None:
    job = make_job(AFTER_ALARM, JobState.SUCCEEDED, report=REPORT)
    write = written(replace(observed, jobs={job.name: job}))
    assert write is not None
    assert write.status.phase is phase


@pytest.mark.parametrize(
    ("uri", "said", "words"),
    [
        pytest.param("sklearn://digits", "", "its pod was not scheduled", id="without a word"),
        pytest.param("pvc://sales/2026", "", "did not get the claim sales", id="a claim that another node uses"),
        pytest.param(
            "pvc://sales/2026",
            'persistentvolumeclaim "sales" not found',
            '"sales" not found',
            id="a claim that is none",
        ),
    ],
)
def test_a_pod_that_never_starts_is_told_with_what_it_waits_for(uri: str, said: str, words: str) -> None:
    spec = make_spec(data={"train": {"uri": uri}})
    version = make_version(1, VersionPhase.TRAINING, spec=spec)
    job = make_job(version, JobState.PENDING, created_at=NOW - timedelta(minutes=15), message=said)
    write = written(make_observed(version, spec=spec, jobs=[job]))
    assert write is not None
    assert words in write.status.message
