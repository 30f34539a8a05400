"""The pod of a custom training: what each of its containers can see."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from tests.unit.resources import made

from evermodel.api.container import Container
from evermodel.api.modeldeployment import Training
from evermodel.api.template import EnvVar, PodTemplate, Resources
from evermodel.contract import DISRUPTION_EXIT_CODE, TOKEN_ENV, EvaluateRun
from evermodel.resources.jobs import build_job

TEMPLATE = PodTemplate(
    env=(EnvVar(name="OURS", value="1"),), resources=Resources(limits={"memory": "3Gi"}), node_selector={"gpu": "yes"}
)
OWN = Container(
    image="registry.example/trainer:1",
    command=("python", "train.py"),
    args=("--fast",),
    env=(EnvVar(name="THEIRS", value="2"),),
    resources=Resources(requests={"nvidia.com/gpu": 1}, limits={"nvidia.com/gpu": 1}),
)


def job(container: Container = OWN, run: Any = None, *, uri: str = "configmap://churn/train.csv") -> dict[str, Any]:
    training = Training(container=container, template=TEMPLATE)
    spec = made.changed(training=training)
    run = run or msgspec.structs.replace(made.train_run(uri), estimator="", container="registry.example/trainer:1")
    return build_job(made.model(spec), made.version(spec), made.SETTINGS, "iris-v1-train-1", run)


def containers(manifest: dict[str, Any]) -> dict[str, Any]:
    spec = manifest["spec"]["template"]["spec"]
    found = [*spec["initContainers"], *spec["containers"]]
    assert [one["name"] for one in found] == ["prepare", "trainer", "evermodel"]
    return {one["name"]: one for one in found}


def mounts(container: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    return {one["mountPath"]: (one["name"], one.get("readOnly", False)) for one in container["volumeMounts"]}


def test_the_container_of_the_user_sees_its_rows_and_its_folder_and_nothing_else() -> None:
    trainer = containers(job())["trainer"]
    assert mounts(trainer) == {
        "/tmp": ("trainer-tmp", False),
        "/evermodel/input": ("input", True),
        "/evermodel/output": ("output", False),
    }
    assert {one["name"]: one["value"] for one in trainer["env"]} == {
        "HOME": "/tmp",
        "THEIRS": "2",
        "EVERMODEL_INPUT": "/evermodel/input",
        "EVERMODEL_OUTPUT": "/evermodel/output",
    }
    said = json.dumps(trainer)
    assert "envFrom" not in said
    for secret in (TOKEN_ENV, "secretKeyRef", made.SETTINGS.hub_url, "configmap", "holdout"):
        assert secret not in said


def test_what_ours_do_before_and_after_it() -> None:
    found = containers(job())
    assert (found["prepare"]["args"], found["evermodel"]["args"]) == (["prepare"], ["publish"])
    assert mounts(found["prepare"]) == {
        "/tmp": ("tmp", False),
        "/var/run/evermodel/source": ("source", True),
        "/evermodel/input": ("input", False),
        "/evermodel/state": ("state", False),
    }
    assert mounts(found["evermodel"]) == {
        "/tmp": ("tmp", False),
        "/evermodel/output": ("output", True),
        "/evermodel/state": ("state", True),
    }
    for name in ("prepare", "evermodel"):
        assert TOKEN_ENV in {one["name"] for one in found[name]["env"]}
        assert found[name]["image"] == "evermodel-runtime:1"
        assert found[name]["resources"]["limits"] == {"memory": "3Gi"}


def test_what_is_mounted_is_there() -> None:
    spec = job()["spec"]["template"]["spec"]
    mounted = {name for one in containers(job()).values() for name, _ in mounts(one).values()}
    assert mounted == {volume["name"] for volume in spec["volumes"]}
    assert {"name": "output", "emptyDir": {"sizeLimit": "2Gi"}} in spec["volumes"]


def test_the_container_of_the_user_is_as_declared_and_as_restricted_as_ours() -> None:
    found = containers(job())
    trainer = found["trainer"]
    assert (trainer["image"], trainer["command"], trainer["args"]) == (OWN.image, ["python", "train.py"], ["--fast"])
    assert trainer["resources"]["limits"] == {"nvidia.com/gpu": 1}
    assert trainer["resources"]["requests"]["nvidia.com/gpu"] == 1
    assert trainer["securityContext"] == found["evermodel"]["securityContext"]
    assert trainer["terminationMessagePolicy"] == "FallbackToLogsOnError"
    pod = job()["spec"]["template"]["spec"]
    assert (pod["automountServiceAccountToken"], pod["nodeSelector"]) == (False, {"gpu": "yes"})


@pytest.mark.parametrize(
    ("container", "image", "home"),
    [
        pytest.param(Container(command=("python3", "-c", "pass")), "evermodel-runtime:1", "/tmp", id="no image"),
        pytest.param(Container(image="own", env=(EnvVar(name="HOME", value="/x"),)), "own", "/x", id="a home"),
    ],
)
def test_defaults_of_the_container(container: Container, image: str, home: str) -> None:
    trainer = containers(job(container))["trainer"]
    assert trainer["image"] == image
    assert [one["value"] for one in trainer["env"] if one["name"] == "HOME"] == [home]
    assert ("command" in trainer, "args" in trainer) == (bool(container.command), False)


def test_only_a_container_of_ours_is_started_again_for_what_it_says() -> None:
    rules = job()["spec"]["podFailurePolicy"]["rules"]
    again = [rule["onExitCodes"] for rule in rules if rule["action"] == "Ignore" and "onExitCodes" in rule]
    assert {one["containerName"] for one in again} == {"prepare", "evermodel"}
    assert all(one["values"] == [DISRUPTION_EXIT_CODE] for one in again)


def test_its_evaluation_is_that_of_any_model() -> None:
    run = made.train_run()
    evaluation = EvaluateRun(
        namespace=run.namespace,
        model=run.model,
        version=1,
        hub_url=run.hub_url,
        data=run.data,
        data_sha256="0" * 64,
        candidate="1" * 64,
    )
    spec = job(run=evaluation)["spec"]["template"]["spec"]
    assert "initContainers" not in spec
    assert spec["containers"][0]["args"] == ["evaluate"]
