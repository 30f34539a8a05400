"""A model whose objective is about one class: how it is judged and watched, and what another metric starts."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.unit.core.made import (
    GOOD,
    NOW,
    actions_of,
    condition,
    make_new,
    make_observed,
    make_quality,
    make_spec,
    make_version,
)
from tests.unit.core.world import Model, World

from evermodel.api.conditions import ConditionStatus, ConditionType, Reason
from evermodel.api.modeldeployment import ModelDeploymentSpec
from evermodel.api.modelversion import SetScore, VersionFailure, VersionPhase
from evermodel.contract import Alarm, EvaluateRun, Measure, Metric, WindowStats
from evermodel.core import facts
from evermodel.core.actions import CreateJob, CreateVersion
from evermodel.core.phases.evaluation import judged
from evermodel.core.questions import quality_query
from evermodel.core.timestamps import rfc3339

RECALL = Measure(metric=Metric.RECALL, positive_class="fraud")
ALARM = Alarm(seq=900, at=1_893_000_000.0, value=0.71, samples=210, changed_after=700)


def of_fraud(metric: str = "recall", **change: Any) -> ModelDeploymentSpec:
    return make_spec(**{"objective": {"metric": metric, "positiveClass": "fraud", "threshold": 0.8}, **change})


SPEC = of_fraud()


def window(value: float) -> WindowStats:
    return WindowStats(value=value, lower=value - 0.1, upper=value + 0.1, samples=40)


def test_both_jobs_and_the_record_are_told_the_class() -> None:
    (created,) = actions_of(make_new(SPEC), CreateVersion)
    assert created.spec.objective == SPEC.objective
    for phase in (VersionPhase.TRAINING, VersionPhase.EVALUATING):
        (job,) = actions_of(make_new(SPEC, versions=(make_version(1, phase, spec=SPEC),)), CreateJob)
        assert job.run.objective == RECALL


def test_the_hub_is_asked_about_the_class() -> None:
    query = quality_query(make_observed(spec=SPEC))
    assert query is not None
    assert (query.measure, query.threshold, query.tolerance) == (RECALL, 0.8, 0.01)


@pytest.mark.parametrize(
    ("quality", "status", "message"),
    [
        pytest.param(
            make_quality(window=window(0.85)),
            ConditionStatus.TRUE,
            'No evidence that the live recall of class "fraud" is below 0.8.',
            id="it holds",
        ),
        pytest.param(
            make_quality(window=window(0.79)),
            ConditionStatus.UNKNOWN,
            'Live recall of class "fraud" is close to 0.8: more labels are needed to tell.',
            id="a little below, and no alarm",
        ),
        pytest.param(
            make_quality(window=None),
            ConditionStatus.UNKNOWN,
            'None of the newest labelled predictions tells about recall of class "fraud": more labels are needed.',
            id="labels enough, but none of the class",
        ),
        pytest.param(
            make_quality(window=window(0.7), alarm=ALARM),
            ConditionStatus.FALSE,
            'Recall of class "fraud" 0.710 over 210 labels is below 0.8; there is nothing new to learn from: '
            "set retraining.data.includeFeedback, change data.train or the estimator.",
            id="an alarm",
        ),
    ],
)
def test_healthy_names_the_class(quality: Any, status: ConditionStatus, message: str) -> None:
    healthy = condition(make_observed(spec=SPEC, quality=quality), ConditionType.HEALTHY)
    assert (healthy.status, healthy.message) == (status, message)


@pytest.mark.parametrize(
    ("candidate", "phase", "message"),
    [
        pytest.param(
            0.9, VersionPhase.CANDIDATE, 'Recall of class "fraud" 0.900 on 88 reference rows meets the threshold 0.8.',
            id="good",
        ),
        pytest.param(
            0.71, VersionPhase.REJECTED,
            'Recall of class "fraud" 0.710 on 88 reference rows is below the threshold 0.8.',
            id="too low",
        ),
    ],
)  # fmt: skip
def test_a_verdict_names_the_class(candidate: float, phase: VersionPhase, message: str) -> None:
    version = make_version(1, VersionPhase.EVALUATING, spec=SPEC)
    score = SetScore(rows=88, metric="recall of fraud", candidate=candidate, dummy=0.1)
    status = judged(make_new(SPEC), version, msgspec.structs.replace(version.status, reference=score))
    assert (status.phase, status.message) == (phase, message)


# --- another metric ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        pytest.param(
            make_spec(),
            SPEC,
            'The objective is recall of class "fraud"; version 1 was made for accuracy.',
            id="from accuracy",
        ),
        pytest.param(
            SPEC,
            make_spec(),
            'The objective is accuracy; version 1 was made for recall of class "fraud".',
            id="to accuracy",
        ),
        pytest.param(
            SPEC,
            of_fraud("f1"),
            'The objective is f1 of class "fraud"; version 1 was made for recall of class "fraud".',
            id="of the same class",
        ),
    ],
)
@pytest.mark.parametrize("phase", [VersionPhase.CHAMPION, VersionPhase.REJECTED])
def test_another_metric_starts_a_run(
    before: ModelDeploymentSpec, after: ModelDeploymentSpec, message: str, phase: VersionPhase
) -> None:
    observed = make_observed(make_version(1, phase, spec=before, reference=GOOD), spec=after)
    (created,) = actions_of(observed, CreateVersion)
    assert (created.spec.trigger.reason, created.spec.trigger.message) == (Reason.SPEC_CHANGED, message)


def test_what_was_recorded_without_an_objective_was_for_accuracy() -> None:
    old = make_version(1, run={"objective": None})
    assert actions_of(make_observed(old), CreateVersion) == []
    (created,) = actions_of(make_observed(old, spec=SPEC), CreateVersion)
    assert created.spec.trigger.message.endswith("version 1 was made for accuracy.")


def test_failures_for_another_metric_use_up_no_attempt() -> None:
    def crashed(number: int, spec: ModelDeploymentSpec) -> Any:
        failure = VersionFailure(reason="Crashed", message="It failed.")
        finished_at = rfc3339(NOW - timedelta(hours=1))
        return make_version(number, VersionPhase.FAILED, spec=spec, failure=failure, finished_at=finished_at)

    versions = [*(crashed(number, make_spec()) for number in (1, 2, 3)), crashed(4, SPEC)]
    assert [version.number for version in facts.current_attempts(make_observed(*versions, spec=SPEC))] == [4]


@pytest.mark.parametrize("model", [Model.BETTER, Model.EQUAL])
def test_another_metric_is_measured_once_and_then_there_is_rest(model: Model) -> None:
    world = World(make_spec())
    world.settle()

    world.edit(SPEC)
    world.settle(model)

    assert list(world.versions) == ["digits-v1", "digits-v2"]
    judged_by = [job.run.objective for job in world.jobs.values() if isinstance(job.run, EvaluateRun)]
    assert judged_by == [Measure(), RECALL]
    phases = [version.status.phase for version in world.versions.values()]
    better = model is Model.BETTER
    assert phases == (
        [VersionPhase.ARCHIVED, VersionPhase.CHAMPION] if better else [VersionPhase.CHAMPION, VersionPhase.REJECTED]
    )
    failure = world.versions["digits-v2"].status.failure
    assert failure is None if better else failure is not None and failure.reason == Reason.REJECTED


def test_a_run_for_a_metric_that_nobody_asks_for_any_more_is_broken_off() -> None:
    world = World(make_spec())
    world.reconcile()
    world.hub_starts()
    world.reconcile()
    world.edit(SPEC)
    world.settle()
    phases = [version.status.phase for version in world.versions.values()]
    assert phases == [VersionPhase.SUPERSEDED, VersionPhase.CHAMPION]
