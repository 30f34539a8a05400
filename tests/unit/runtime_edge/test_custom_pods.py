"""Pods in which a container of the user's own makes the model: what they are doing, and whose word counts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from tests.unit.runtime_edge import manifests

from evermodel.contract import FailureReason, FailureReport, RunReport, TrainReport
from evermodel.core.observed import JobState
from evermodel.runtime.views import job_view

LATER = datetime(2026, 11, 24, 8, 5, tzinfo=UTC)
COMPLETE = manifests.condition("Complete")
FAILED = manifests.condition("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
TRAINED = TrainReport(
    manifest="a" * 64, data_sha256="b" * 64, rows=1437, feedback_rows=0, window="all", validation=None, classes=10,
    seconds=3.5,
)  # fmt: skip
NO_DATA = FailureReport(reason=FailureReason.DATA_NOT_FOUND, message="ConfigMap churn has no key train.csv")
BAD_MODEL = FailureReport(reason=FailureReason.MODEL_INVALID, message="The model answers 'oak'.")


def text(report: RunReport) -> str:
    return msgspec.json.encode(report).decode()


RUNNING: dict[str, Any] = {"running": {"startedAt": manifests.CREATED}}
NO_IMAGE: dict[str, Any] = {"waiting": {"reason": "ErrImagePull", "message": "rpc error"}}
PREPARED = manifests.ended(0, at="2026-11-24T08:03:00Z")


@pytest.mark.parametrize(
    ("status", "state", "message"),
    [
        pytest.param(manifests.custom({"waiting": {"reason": "PodInitializing"}}), JobState.PENDING, "", id="starts"),
        pytest.param(manifests.custom(RUNNING), JobState.RUNNING, "", id="ours prepares"),
        pytest.param(manifests.custom(PREPARED), JobState.RUNNING, "", id="theirs is about to start"),
        pytest.param(
            manifests.custom(PREPARED, NO_IMAGE), JobState.PENDING, "the image own:1 cannot be pulled", id="no image"
        ),
        pytest.param(manifests.custom(PREPARED, RUNNING), JobState.RUNNING, "", id="theirs runs"),
        pytest.param(
            manifests.custom(PREPARED, PREPARED, RUNNING, phase="Running"), JobState.RUNNING, "", id="ours publishes"
        ),
    ],
)
def test_a_pod_works_though_kubernetes_calls_it_pending_until_its_main_container_runs(
    status: dict[str, Any], state: JobState, message: str
) -> None:
    view = job_view(manifests.job(), [manifests.pod(**status)], LATER)
    assert (view.state, view.message) == (state, message)


def test_the_image_of_the_next_container_is_waited_for_since_the_last_one_ended() -> None:
    pod = manifests.pod(**manifests.custom(PREPARED, NO_IMAGE))
    assert job_view(manifests.job(), [pod], LATER).pending_since == datetime(2026, 11, 24, 8, 3, tzinfo=UTC)


TRACEBACK = "epoch 1\n" * 20 + 'Traceback (most recent call last):\n  File "train.py", line 3\nKeyError: "age"\n'
LAST_WORDS = (
    "ended with exit code 1. Its last words: epoch 1 | epoch 1 | epoch 1 | Traceback (most recent call last): | "
    'File "train.py", line 3 | KeyError: "age"'
)


@pytest.mark.parametrize(
    ("status", "failure", "words", "exit_code"),
    [
        pytest.param(
            manifests.custom(PREPARED, manifests.ended(1, TRACEBACK)), FailureReason.TRAINER_FAILED, LAST_WORDS, 1,
            id="it fails",
        ),
        pytest.param(
            manifests.custom(PREPARED, manifests.ended(4)), FailureReason.TRAINER_FAILED,
            "ended with exit code 4 and said nothing.", 4, id="without a word, and with a code that is ours",
        ),
        pytest.param(
            manifests.custom(PREPARED, manifests.ended(3, text(NO_DATA))), FailureReason.TRAINER_FAILED,
            f"ended with exit code 3. Its last words: {text(NO_DATA)}", 3, id="with a report, which only ours may give",
        ),
        pytest.param(
            manifests.custom(PREPARED, manifests.ended(137, reason="OOMKilled")), FailureReason.OUT_OF_MEMORY,
            "raise spec.training.container.resources.limits.memory", 137, id="out of memory",
        ),
        pytest.param(
            manifests.custom(
                PREPARED, manifests.ended(137), reason="Evicted",
                message='Usage of EmptyDir volume "output" exceeds the limit "2Gi".',
            ),
            FailureReason.TRAINER_FAILED, 'Usage of EmptyDir volume "output" exceeds the limit "2Gi".', 137,
            id="it writes too much",
        ),
    ],
)  # fmt: skip
def test_how_the_container_of_the_user_failed(
    status: dict[str, Any], failure: FailureReason, words: str, exit_code: int
) -> None:
    view = job_view(manifests.job(FAILED), [manifests.pod(**status | {"phase": "Failed"})], LATER)
    assert (view.failure, view.report, view.exit_code) == (failure, None, exit_code)
    assert view.message.endswith(words) or words in view.message


def measuring(metric: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the statuses of a pod in which a container of the user's own measures."""
    waits = {"waiting": {"reason": "PodInitializing"}}
    init = manifests.container(PREPARED, name="prepare") + manifests.container(
        metric, name="metric-cost", image="own:1"
    )
    return {"initContainerStatuses": init, "containerStatuses": manifests.container(waits), **more}


OVERDUE: dict[str, Any] = {
    "phase": "Failed",
    "reason": "DeadlineExceeded",
    "message": "Pod was active on the node longer than …",
}


@pytest.mark.parametrize(
    ("status", "failure", "words"),
    [
        pytest.param(
            measuring(manifests.ended(1, TRACEBACK)), FailureReason.METRIC_FAILED,
            f"The container of spec.evaluation.customMetrics[cost] {LAST_WORDS}", id="it fails",
        ),
        pytest.param(
            measuring(manifests.ended(137), reason="Evicted", message="metric-cost-output exceeds 16Mi."),
            FailureReason.METRIC_FAILED, "metric-cost-output exceeds 16Mi.", id="it writes too much",
        ),
        pytest.param(
            measuring(manifests.ended(137, reason="OOMKilled")), FailureReason.OUT_OF_MEMORY,
            "out of memory: raise spec.evaluation.customMetrics[cost].resources.limits.memory.", id="out of memory",
        ),
        pytest.param(
            measuring(manifests.ended(137), **OVERDUE), FailureReason.DEADLINE_EXCEEDED,
            "The container of spec.evaluation.customMetrics[cost] was not done when spec.training.deadline had passed",
            id="it hangs",
        ),
        pytest.param(
            measuring(RUNNING, **OVERDUE), FailureReason.DEADLINE_EXCEEDED,
            "customMetrics[cost] was not done", id="it hangs, and the node has not said how it ended",
        ),
        pytest.param(
            manifests.custom(PREPARED, manifests.ended(137), **OVERDUE), FailureReason.DEADLINE_EXCEEDED,
            "The container of spec.training.container was not done", id="the one that trains hangs",
        ),
    ],
)  # fmt: skip
def test_how_a_container_that_measures_failed(
    status: dict[str, Any], failure: FailureReason | None, words: str
) -> None:
    view = job_view(manifests.job(FAILED), [manifests.pod(**{"phase": "Failed", **status})], LATER)
    assert (view.failure, view.report) == (failure, None)
    assert words in view.message


def test_ours_that_takes_too_long_is_told_as_that_of_any_run() -> None:
    status = manifests.custom(PREPARED, PREPARED, manifests.ended(143), **OVERDUE)
    view = job_view(manifests.job(FAILED), [manifests.pod(**status)], LATER)
    assert view.failure is FailureReason.DEADLINE_EXCEEDED
    assert "container" not in view.message


def test_long_last_words_keep_their_end() -> None:
    pod = manifests.pod(phase="Failed", **manifests.custom(PREPARED, manifests.ended(1, "x" * 3000 + " the cause")))
    message = job_view(manifests.job(FAILED), [pod], LATER).message
    assert message.endswith("x the cause")
    assert len(message) < 700


@pytest.mark.parametrize(
    ("status", "report"),
    [
        pytest.param(manifests.custom(manifests.ended(3, text(NO_DATA))), NO_DATA, id="of the one that prepares"),
        pytest.param(
            manifests.custom(PREPARED, manifests.ended(0, text(NO_DATA)), manifests.ended(3, text(BAD_MODEL))),
            BAD_MODEL, id="of the one that publishes",
        ),
    ],
)  # fmt: skip
def test_the_reports_of_ours_count(status: dict[str, Any], report: Any) -> None:
    view = job_view(manifests.job(FAILED), [manifests.pod(phase="Failed", **status)], LATER)
    assert (view.report, view.failure) == (report, None)


def test_a_forged_report_of_the_users_container_is_none() -> None:
    forged = manifests.custom(PREPARED, manifests.ended(0, text(TRAINED)), manifests.ended(0, ""))
    assert job_view(manifests.job(COMPLETE), [manifests.pod(phase="Succeeded", **forged)], LATER).report is None
