from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from tests.unit.runtime_edge import manifests

from evermodel.contract import DATA_ERROR_EXIT_CODE, FailureReason, FailureReport, RunReport, TrainReport
from evermodel.core.names import Component
from evermodel.core.observed import JobState, Workers
from evermodel.runtime import pods
from evermodel.runtime.views import autoscaler_view, deployment_view, job_view, model_view, orphaned, version_view
from evermodel.runtime.workers import search_job_view

SOON = datetime(2026, 11, 24, 8, 0, 5, tzinfo=UTC)
LATER = datetime(2026, 11, 24, 8, 5, tzinfo=UTC)
COMPLETE = manifests.condition("Complete")
FAILED = manifests.condition("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
TRAINED = TrainReport(
    manifest="a" * 64, data_sha256="b" * 64, rows=1437, feedback_rows=0, window="all", validation=None, classes=10,
    seconds=3.5,
)  # fmt: skip
NO_DATA = FailureReport(reason=FailureReason.DATA_NOT_FOUND, message="ConfigMap churn has no key train.csv")


def text(report: RunReport) -> str:
    return msgspec.json.encode(report).decode()


def test_a_model_and_a_version_are_read_with_the_defaults_of_what_they_leave_out() -> None:
    model = model_view(manifests.model(annotations={"evermodel.dev/retrain": "now"}))
    assert (model.spec.monitoring.interval, model.spec.serving.replicas, model.retrain_request) == ("30s", None, "now")
    assert model.status.observed_generation == -1
    version = version_view(manifests.version(startedAt=manifests.CREATED, laterField="of a newer operator"))
    assert (version.number, version.status.phase, version.status.started_at) == (1, "Training", manifests.CREATED)


@pytest.mark.parametrize(
    ("conditions", "pod", "expected"),
    [
        pytest.param((), {"phase": "Pending"}, JobState.PENDING, id="a pod that starts"),
        pytest.param((), {"phase": "Running"}, JobState.RUNNING, id="a pod that runs"),
        pytest.param((COMPLETE,), {"phase": "Succeeded"}, JobState.SUCCEEDED, id="complete"),
        pytest.param((FAILED,), {"phase": "Failed"}, JobState.FAILED, id="failed"),
        pytest.param(
            (manifests.condition("SuccessCriteriaMet"),), {"phase": "Running"}, JobState.RUNNING,
            id="criteria met, pods not ended",
        ),
        pytest.param(
            (manifests.condition("FailureTarget", "PodFailurePolicy"),), {"phase": "Running"}, JobState.RUNNING,
            id="to fail, pods not ended",
        ),
        pytest.param(
            (manifests.condition("FailureTarget", "DeadlineExceeded"),), {"phase": "Failed"}, JobState.RUNNING,
            id="to fail, pods ended",
        ),
    ],
)  # fmt: skip
def test_the_state_of_a_job(conditions: tuple[Any, ...], pod: dict[str, Any], expected: JobState) -> None:
    assert job_view(manifests.job(*conditions), [manifests.pod(**pod)], LATER).state is expected


def test_a_job_reports_what_its_newest_pod_left() -> None:
    old = manifests.pod("old", phase="Failed", containerStatuses=manifests.terminated(1, reason="Error"))
    new = manifests.pod(
        "new", phase="Succeeded", containerStatuses=manifests.terminated(0, message=text(TRAINED))
    )  # fmt: skip
    new["metadata"]["creationTimestamp"] = "2026-11-24T08:04:00Z"
    foreign = manifests.pod("foreign", phase="Running")
    foreign["metadata"]["ownerReferences"][0]["uid"] = "of another Job"
    view = job_view(manifests.job(COMPLETE), [new, old, foreign], LATER)
    assert (view.report, view.exit_code, view.live_pods) == (TRAINED, 0, 0)
    assert view.finished_at == datetime(2026, 11, 24, 8, 5, tzinfo=UTC)
    assert view.owner_uid == manifests.VERSION_UID


def test_a_message_that_is_no_report_is_a_lost_report() -> None:
    for message in ("", "Killed", '{"kind":"trained"', '{"kind":"of a newer runtime"}'):
        pod = manifests.pod(phase="Succeeded", containerStatuses=manifests.terminated(0, message=message))
        assert job_view(manifests.job(COMPLETE), [pod], LATER).report is None


def test_bad_data_is_told_by_report_and_exit_code() -> None:
    ended = manifests.terminated(DATA_ERROR_EXIT_CODE, reason="Error", message=text(NO_DATA))
    view = job_view(manifests.job(FAILED), [manifests.pod(phase="Failed", containerStatuses=ended)], LATER)
    assert (view.report, view.exit_code, view.failure) == (NO_DATA, DATA_ERROR_EXIT_CODE, None)


@pytest.mark.parametrize(
    ("condition", "ended", "expected"),
    [
        pytest.param(
            FAILED, manifests.terminated(137, reason="OOMKilled"), FailureReason.OUT_OF_MEMORY, id="out of memory"
        ),
        pytest.param(
            manifests.condition("Failed", "DeadlineExceeded", "Job was active longer than specified deadline"), None,
            FailureReason.DEADLINE_EXCEEDED, id="deadline, pod deleted",
        ),
        pytest.param(FAILED, manifests.terminated(1, reason="Error"), None, id="a crash says nothing of itself"),
    ],
)  # fmt: skip
def test_what_kubernetes_itself_says_of_a_failure(
    condition: Any, ended: list[Any] | None, expected: FailureReason | None
) -> None:
    gone: list[Any] = []
    pod = gone if ended is None else [manifests.pod(phase="Failed", containerStatuses=ended)]
    view = job_view(manifests.job(condition), pod, LATER)
    assert (view.state, view.failure, view.message) == (JobState.FAILED, expected, condition["message"])


UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available: 3 Insufficient memory.",
}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param({}, "", id="it simply starts"),
        pytest.param({"containerStatuses": manifests.waiting("ContainerCreating")}, "", id="it is being created"),
        pytest.param(
            {"conditions": [UNSCHEDULABLE]},
            "no node takes the pod: 0/3 nodes are available: 3 Insufficient memory.",
            id="no node has room",
        ),
        pytest.param(
            {"containerStatuses": manifests.waiting("ErrImagePull", "rpc error: code = NotFound desc = …")},
            "the image evermodel-runtime:0.1.0 cannot be pulled",
            id="the pull failed",
        ),
        pytest.param(
            {"containerStatuses": manifests.waiting("ImagePullBackOff", 'Back-off pulling image "…"')},
            "the image evermodel-runtime:0.1.0 cannot be pulled",
            id="the same in words that do not alternate",
        ),
        pytest.param(
            {
                "containerStatuses": manifests.waiting(
                    "CreateContainerConfigError", 'secret "digits-tokens-1" not found'
                )
            },
            'the container cannot be created: secret "digits-tokens-1" not found',
            id="a Secret is missing",
        ),
        pytest.param(
            {
                "containerStatuses": manifests.waiting(
                    "CrashLoopBackOff",
                    "back-off 2m40s restarting failed container",
                    lastState={"terminated": {"exitCode": 1, "reason": "Error"}},
                )
            },
            "the container ends again and again: exit code 1 (Error)",
            id="it crashes",
        ),
    ],
)
def test_why_a_pod_does_not_run(status: dict[str, Any], expected: str) -> None:
    pod = manifests.pod(**status)
    assert pods.why_not_running(pod) == expected
    assert job_view(manifests.job(), [pod], LATER).message == expected


@pytest.mark.parametrize(
    ("reason", "message", "expected"),
    [
        pytest.param("CreateContainerConfigError", 'secret "a" not found', True, id="a Secret"),
        pytest.param("CreateContainerConfigError", "couldn't find key x in Secret team/a", False, id="a key of one"),
        pytest.param("CreateContainerConfigError", 'configmap "a" not found', False, id="a ConfigMap"),
        pytest.param("ErrImagePull", 'secret "a" not found', False, id="another reason"),
    ],
)
def test_only_a_missing_secret_is_a_missing_secret(reason: str, message: str, *, expected: bool) -> None:
    pod = manifests.pod(containerStatuses=manifests.waiting(reason, message))
    assert job_view(manifests.job(), [pod], LATER).missing_secret is expected


def test_a_job_without_a_pod_is_worth_a_word_only_after_a_while() -> None:
    assert job_view(manifests.job(), [], SOON).message == ""
    assert "kubectl describe job digits-v1-train-1" in job_view(manifests.job(), [], LATER).message


SERVED = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}


@pytest.mark.parametrize(
    ("manifest", "updated"),
    [
        pytest.param(manifests.deployment(**SERVED), True, id="all pods run the newest template"),
        pytest.param(manifests.deployment(**SERVED, generation=2), False, id="the controller has not seen it"),
        pytest.param(manifests.deployment(**SERVED | {"replicas": 3}), False, id="an old pod is left"),
        pytest.param(manifests.deployment(**SERVED | {"updatedReplicas": 1}), False, id="a new pod is missing"),
        pytest.param(manifests.deployment(), False, id="no status yet"),
        pytest.param(manifests.deployment(wanted=0, observedGeneration=1), True, id="no pod is asked for"),
    ],
)
def test_a_deployment_is_updated_when_all_its_pods_are_of_the_newest_template(
    manifest: dict[str, Any], *, updated: bool
) -> None:
    assert deployment_view(manifest, [], drifted=False).updated is updated


def test_a_deployment_says_what_its_pods_lack() -> None:
    missing = manifests.waiting("CreateContainerConfigError", 'secret "digits-tokens-1" not found')
    ready = manifests.pod("a", component=Component.SERVE, phase="Running", conditions=[manifests.condition("Ready")])
    waits = manifests.pod("b", component=Component.SERVE, containerStatuses=missing)
    gave_up = manifests.condition("Progressing", "ProgressDeadlineExceeded") | {"status": "False"}
    view = deployment_view(manifests.deployment(**SERVED, conditions=[gave_up]), [ready, waits], drifted=False)
    assert (view.missing_secret, view.stuck, view.fingerprint) == (True, True, "f00d")
    assert view.message.endswith('secret "digits-tokens-1" not found')
    refused = manifests.condition("ReplicaFailure", "FailedCreate", "exceeded quota: team")
    assert deployment_view(manifests.deployment(conditions=[refused]), [], drifted=False).message == refused["message"]


FAILS = manifests.condition("ScalingActive", "FailedGetPodsMetric", "no metrics returned") | {"status": "False"}


@pytest.mark.parametrize(
    ("conditions", "works", "message"),
    [
        pytest.param([], None, "", id="it has not tried"),
        pytest.param(
            [manifests.condition("AbleToScale"), manifests.condition("ScalingActive")], True, "", id="it works"
        ),
        pytest.param(
            [manifests.condition("AbleToScale"), FAILS], False, "no metrics returned.", id="it has no metrics"
        ),
        pytest.param(
            [manifests.condition("ScalingLimited") | {"status": "False"}, manifests.condition("AbleToScale")],
            True,
            "",
            id="that it is within its bounds is no failure",
        ),
    ],
)
def test_an_autoscaler_says_what_it_lacks(conditions: list[dict[str, Any]], works: bool | None, message: str) -> None:  # noqa: FBT001
    view = autoscaler_view(manifests.autoscaler(conditions=conditions), drifted=False)
    assert (view.works, view.message) == (works, message)
    assert (view.fails_since is not None) == (works is False)


@pytest.mark.parametrize(
    ("pod", "jobs", "expected"),
    [
        pytest.param({"phase": "Running"}, [manifests.job()], set(), id="a pod whose Job is there"),
        pytest.param({"phase": "Running"}, [], {1}, id="a pod whose Job was deleted"),
        pytest.param({"phase": "Failed"}, [], set(), id="one that has ended"),
    ],
)
def test_pods_outlive_their_job(pod: dict[str, Any], jobs: list[Any], expected: set[int]) -> None:
    assert orphaned([manifests.pod(**pod)], jobs) == expected


def test_serving_pods_are_nobodys_run() -> None:
    serving = manifests.pod(phase="Running")
    serving["metadata"]["labels"]["evermodel.dev/component"] = Component.SERVE.value
    assert orphaned([serving], []) == set()


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        pytest.param("Pending", datetime(2026, 11, 24, 8, 4, tzinfo=UTC), id="since the newest pod was made"),
        pytest.param("Failed", LATER, id="a disrupted pod is about to be made again"),
    ],
)
def test_how_long_a_pod_is_waited_for(phase: str, expected: datetime) -> None:
    old, new = manifests.pod("old", phase="Failed"), manifests.pod("new", phase=phase)
    new["metadata"]["creationTimestamp"] = "2026-11-24T08:04:00Z"
    assert job_view(manifests.job(), [old, new], LATER).pending_since == expected


LOST = manifests.terminated(137, reason="OOMKilled")
TOLD = manifests.terminated(3, message=text(NO_DATA))


@pytest.mark.parametrize(
    ("status", "pods_of_it", "workers", "message"),
    [
        pytest.param(
            {"succeeded": 1}, [{"phase": "Running"}, {"phase": "Pending"}], Workers(running=1, succeeded=1), "",
            id="pods that run and one that starts",
        ),
        pytest.param(
            {"failedIndexes": "1,3-5"}, [{"phase": "Running"}, {"phase": "Failed", "containerStatuses": LOST}],
            Workers(running=1, failed=4), "memory ran out: raise spec.training.template.resources.limits.memory",
            id="pods without memory",
        ),
        pytest.param(
            {"failedIndexes": "0"}, [{"phase": "Failed", "containerStatuses": TOLD}], Workers(failed=1),
            NO_DATA.message, id="a pod that said why",
        ),
        pytest.param(
            {"failedIndexes": "0"}, [{"phase": "Failed", "containerStatuses": manifests.terminated(1, reason="Error")}],
            Workers(failed=1), "exit code 1, see the log of pod pod-0", id="a pod that did not",
        ),
        pytest.param(
            {"failedIndexes": "2"}, [{"phase": "Running"}], Workers(running=1, failed=1), "", id="a pod that is gone"
        ),
        pytest.param(
            {"failed": 1}, [{"phase": "Failed", "containerStatuses": LOST}, {"phase": "Running"}],
            Workers(running=1), "", id="a pod that is started again",
        ),
    ],
)  # fmt: skip
def test_pods_that_search_speak_by_those_that_failed(
    status: dict[str, Any], pods_of_it: list[dict[str, Any]], workers: Workers, message: str
) -> None:
    job = manifests.job()
    job["status"] = {**job.get("status", {}), **status}
    made = [manifests.pod(f"pod-{place}", **one) for place, one in enumerate(pods_of_it)]

    view = search_job_view(job, made, SOON)

    assert (view.workers, view.message) == (workers, message)


def test_of_a_search_that_failed_as_a_whole_all_its_pods_did() -> None:
    job = manifests.job(manifests.condition("Failed", "DeadlineExceeded", "Job was active longer than specified"))
    job["status"]["failed"] = 2

    view = search_job_view(job, [], SOON)

    assert (view.workers.failed, view.message) == (2, "Job was active longer than specified")
