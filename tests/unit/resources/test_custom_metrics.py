"""The pod of an evaluation with custom metrics: what each of its containers can see."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.resources import made

from evermodel.api.evaluation import CustomMetric, Direction
from evermodel.api.modeldeployment import Evaluation
from evermodel.api.template import Resources
from evermodel.contract import DISRUPTION_EXIT_CODE, TOKEN_ENV, DataSource, EvaluateRun
from evermodel.resources.jobs import build_job

COST = CustomMetric(
    name="cost",
    direction=Direction.MINIMIZE,
    image="registry.example/cost:1",
    command=("python", "cost.py"),
    args=("--fast",),
    resources=Resources(requests={"cpu": "50m"}),
)
PROFIT = CustomMetric(name="profit", direction=Direction.MAXIMIZE, command=("python3", "-c", "pass"))


def pod_and_job(*declared: CustomMetric) -> tuple[dict[str, Any], dict[str, Any]]:
    spec = made.changed(evaluation=Evaluation(custom_metrics=declared))
    run = EvaluateRun(
        namespace="team",
        model="iris",
        version=1,
        hub_url=made.SETTINGS.hub_url,
        data=DataSource(uri="configmap://churn/train.csv", target="target"),
        data_sha256="0" * 64,
        candidate="1" * 64,
        custom_metrics=tuple(one.name for one in declared),
    )
    job = build_job(made.model(spec), made.version(spec), made.SETTINGS, "iris-v1-evaluate", run)
    return job["spec"]["template"]["spec"], job["spec"]


def containers() -> dict[str, Any]:
    pod, _ = pod_and_job(COST, PROFIT)
    return {one["name"]: one for one in (*pod["initContainers"], *pod["containers"])}


def mounts(container: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    return {one["mountPath"]: (one["name"], one.get("readOnly", False)) for one in container["volumeMounts"]}


def test_they_run_one_after_the_other_between_ours() -> None:
    found = containers()
    assert list(found) == ["prepare", "metric-cost", "metric-profit", "evermodel"]
    assert (found["prepare"]["args"], found["evermodel"]["args"]) == (["predict"], ["evaluate"])


@pytest.mark.parametrize("name", ["cost", "profit"])
def test_each_sees_truth_and_predictions_and_its_own_folder_and_nothing_else(name: str) -> None:
    found = containers()[f"metric-{name}"]
    assert mounts(found) == {
        "/tmp": (f"metric-{name}-tmp", False),
        "/evermodel/input": ("input", True),
        "/evermodel/output": (f"metric-{name}-output", False),
    }
    assert {one["name"] for one in found["env"]} == {"HOME", "EVERMODEL_INPUT", "EVERMODEL_OUTPUT"}
    said = json.dumps(found)
    for secret in (TOKEN_ENV, "envFrom", "secretKeyRef", made.SETTINGS.hub_url, "configmap", "1" * 64):
        assert secret not in said
    assert found["securityContext"] == containers()["evermodel"]["securityContext"]
    assert found["securityContext"]["readOnlyRootFilesystem"] is True


def test_ours_write_what_is_given_and_only_read_what_comes_back() -> None:
    found = containers()
    assert mounts(found["prepare"]) == {
        "/tmp": ("tmp", False),
        "/var/run/evermodel/source": ("source", True),
        "/evermodel/input": ("input", False),
    }
    assert mounts(found["evermodel"]) == {
        "/tmp": ("tmp", False),
        "/var/run/evermodel/source": ("source", True),
        "/evermodel/input": ("input", True),
        "/evermodel/metrics/cost": ("metric-cost-output", True),
        "/evermodel/metrics/profit": ("metric-profit-output", True),
    }


def test_what_is_mounted_is_there_and_what_they_may_write_is_bounded() -> None:
    pod, _ = pod_and_job(COST, PROFIT)
    mounted = {name for one in containers().values() for name, _ in mounts(one).values()}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    assert {"name": "metric-cost-output", "emptyDir": {"sizeLimit": "16Mi"}} in pod["volumes"]
    assert pod["automountServiceAccountToken"] is False


def test_each_is_as_declared() -> None:
    found = containers()
    cost, profit = found["metric-cost"], found["metric-profit"]
    assert (cost["image"], cost["command"], cost["args"]) == (COST.image, ["python", "cost.py"], ["--fast"])
    assert cost["resources"]["requests"]["cpu"] == "50m"
    assert (profit["image"], profit["command"]) == ("evermodel-runtime:1", ["python3", "-c", "pass"])


def test_only_ours_are_started_again_for_what_they_say() -> None:
    _, job = pod_and_job(COST, PROFIT)
    again = [rule["onExitCodes"] for rule in job["podFailurePolicy"]["rules"] if "onExitCodes" in rule]
    named = {one["containerName"] for one in again if one["values"] == [DISRUPTION_EXIT_CODE]}
    assert named == {"prepare", "evermodel"}


def test_a_pod_with_containers_of_the_user_ends_before_its_job_does() -> None:
    pod, job = pod_and_job(COST)
    assert pod["activeDeadlineSeconds"] == 3600
    assert job["activeDeadlineSeconds"] == 3720


def test_an_evaluation_without_custom_metrics_is_one_container() -> None:
    pod, job = pod_and_job()
    assert "initContainers" not in pod
    assert "activeDeadlineSeconds" not in pod
    assert job["activeDeadlineSeconds"] == 3600


def test_the_longest_names_fit_into_those_of_volumes() -> None:
    pod, _ = pod_and_job(CustomMetric(name="m" * 40, direction=Direction.MAXIMIZE, image="x"))
    assert max(len(volume["name"]) for volume in pod["volumes"]) <= 63
