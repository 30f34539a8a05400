"""A model of numbers: its objective is an error, and all that is said of it names the metric and the right side."""

from typing import Any

import msgspec
import pytest
from tests.unit.core.made import (
    actions_of,
    condition,
    make_job,
    make_new,
    make_observed,
    make_quality,
    make_spec,
    make_version,
    planned,
)

from evermodel.api.conditions import ConditionStatus, ConditionType, Reason
from evermodel.api.modeldeployment import ModelDeploymentSpec
from evermodel.api.modelversion import SetScore, VersionPhase
from evermodel.contract import Alarm, Measure, Metric, Task, WindowStats
from evermodel.core.actions import CreateJob, CreateVersion
from evermodel.core.observed import JobState
from evermodel.core.phases.evaluation import judged
from evermodel.core.questions import quality_query

RMSE = Measure(metric=Metric.RMSE)
ALARM = Alarm(seq=900, at=1_893_000_000.0, value=81.234, samples=210, changed_after=700)


def regression(**change: Any) -> ModelDeploymentSpec:
    of_numbers: dict[str, Any] = {
        "task": "Regression",
        "objective": {"metric": "rmse", "threshold": 60},
        "training": {"estimator": "Ridge"},
    }
    return make_spec(**{**of_numbers, **change})


SPEC = regression()


def window(value: float) -> WindowStats:
    return WindowStats(value=value, lower=value - 2, upper=value + 2, samples=1000)


def test_a_run_is_told_its_task_and_its_objective() -> None:
    (created,) = actions_of(make_new(SPEC), CreateVersion)
    assert (created.spec.task, created.spec.objective) == (Task.REGRESSION, SPEC.objective)

    version = make_version(1, VersionPhase.TRAINING, spec=SPEC)
    (job,) = actions_of(make_new(SPEC, versions=(version,)), CreateJob)
    assert (job.run.task, job.run.objective) == (Task.REGRESSION, RMSE)


def test_an_evaluation_is_told_the_objective_too() -> None:
    version = make_version(1, VersionPhase.EVALUATING, spec=SPEC, manifest="a" * 64, data_sha256="b" * 64)
    (job,) = actions_of(make_new(SPEC, versions=(version,)), CreateJob)
    assert job.run.objective == RMSE


def test_the_hub_is_asked_for_the_error() -> None:
    query = quality_query(make_observed(spec=SPEC))
    assert query is not None
    assert (query.measure, query.threshold, query.tolerance) == (RMSE, 60, 0.01)


@pytest.mark.parametrize(
    ("quality", "status", "message"),
    [
        pytest.param(
            make_quality(window=window(55.0)),
            ConditionStatus.TRUE,
            "No evidence that the live rmse is above 60.",
            id="within the threshold",
        ),
        pytest.param(
            make_quality(window=window(62.0)),
            ConditionStatus.UNKNOWN,
            "Live rmse is close to 60: more labels are needed to tell.",
            id="a little beyond, and no alarm",
        ),
        pytest.param(
            make_quality(window=window(80.0), alarm=ALARM),
            ConditionStatus.FALSE,
            "Rmse 81.23 over 210 labels is above 60; there is nothing new to learn from: "
            "set retraining.data.includeFeedback, change data.train or the estimator.",
            id="an alarm",
        ),
    ],
)
def test_healthy_names_the_error_and_the_side_where_it_is_worse(
    quality: Any, status: ConditionStatus, message: str
) -> None:
    healthy = condition(make_observed(spec=SPEC, quality=quality), ConditionType.HEALTHY)
    assert (healthy.status, healthy.message) == (status, message)


@pytest.mark.parametrize(
    ("candidate", "phase", "message"),
    [
        pytest.param(55.0, VersionPhase.CANDIDATE, "Rmse 55 on 88 reference rows meets the threshold 60.0.", id="good"),
        pytest.param(
            62.5, VersionPhase.REJECTED, "Rmse 62.5 on 88 reference rows is above the threshold 60.0.", id="too large"
        ),
        pytest.param(
            78.0,
            VersionPhase.REJECTED,
            "Rmse 78 on 88 reference rows is no better than the mean of the training rows alone (77).",
            id="no better than the mean",
        ),
    ],
)
def test_a_verdict_names_the_error(candidate: float, phase: VersionPhase, message: str) -> None:
    version = make_version(1, VersionPhase.EVALUATING, spec=SPEC)
    score = SetScore(rows=88, metric="rmse", candidate=candidate, dummy=77.0)
    status = judged(make_new(SPEC), version, msgspec.structs.replace(version.status, reference=score))
    assert (status.phase, status.message) == (phase, message)


@pytest.mark.parametrize(
    ("candidate", "phase"),
    [
        pytest.param(51.1, VersionPhase.CANDIDATE, id="worse by less than two hundredths of the threshold"),
        pytest.param(51.3, VersionPhase.REJECTED, id="worse by more"),
    ],
)
def test_the_reference_tolerance_of_an_error_is_a_share_of_the_threshold(candidate: float, phase: VersionPhase) -> None:
    version = make_version(2, VersionPhase.EVALUATING, spec=SPEC)
    scored = msgspec.structs.replace(
        version.status,
        reference=SetScore(rows=88, metric="rmse", candidate=candidate, champion=50.0, dummy=77.0, p=0.99),
        fresh=SetScore(rows=500, metric="rmse", candidate=54.8, champion=55.0, dummy=77.0, p=1e-5),
    )
    assert judged(make_observed(spec=SPEC), version, scored).phase is phase


def test_small_errors_keep_their_digits_in_the_status() -> None:
    spec = regression(objective={"metric": "mae", "threshold": 0.0005})
    quality = make_quality(window=WindowStats(value=0.000412345, lower=0.0004, upper=0.00042, samples=1000))
    live = planned(make_observed(spec=spec, quality=quality)).status.live
    assert live is not None
    assert live.value == 0.0004123


def test_a_champion_of_another_task_is_not_watched_and_does_not_hold_up_the_run() -> None:
    champion = make_version(1)
    spec = regression(retraining={"data": {"includeFeedback": True}})
    observed = make_observed(champion, spec=spec)

    assert quality_query(observed) is None
    (created,) = actions_of(observed, CreateVersion)
    assert created.spec.feedback_through is None
    assert condition(observed, ConditionType.HEALTHY).reason == Reason.INCONCLUSIVE


def test_a_changed_metric_does_not_judge_the_scores_of_another() -> None:
    rejected = make_version(
        1,
        VersionPhase.REJECTED,
        spec=SPEC,
        reference=SetScore(rows=88, metric="rmse", candidate=62.0, dummy=77.0),
    )
    spec = regression(objective={"metric": "mae", "threshold": 70})
    observed = make_new(spec, versions=(rejected,), jobs=[make_job(rejected, JobState.SUCCEEDED)])
    assert judged(observed, rejected, rejected.status).phase is VersionPhase.REJECTED
