"""A model that ONNX cannot hold is trained, judged and served by real processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
from tests.contract.job_processes import KEY, MODEL, Hub, Jobs, environment, free_port, start_process, until_up
from tests.unit.runtime.made_runs import as_csv, make_evaluate_run, make_source, make_table, make_train_run

from evermodel.contract import (
    SERVE_ENV,
    TOKEN_ENV,
    Ensemble,
    EnsembleType,
    EvaluationReport,
    Member,
    ModelFormat,
    PreprocessingStep,
    ServeConfig,
)
from evermodel.tokens import Role, role_token

CANBERRA = {"estimator": "KNeighborsClassifier", "parameters": {"metric": "canberra", "n_neighbors": 9}}
ENCODE = PreprocessingStep(transformer="OneHotEncoder", columns=("colour",))
SOURCE = make_source(id_column="id")
START_SECONDS = 60.0


def serve(hub: Hub, manifest: str, **options: Any) -> tuple[subprocess.Popen[bytes], str]:
    port = free_port()
    config = ServeConfig(namespace="ml", model=MODEL, version=1, hub_url=hub.url, manifest=manifest)
    environ = {
        SERVE_ENV: msgspec.json.encode(config).decode(),
        TOKEN_ENV: role_token(KEY, MODEL, Role.SERVER),
        "EVERMODEL_HOST": "127.0.0.1",
        "EVERMODEL_PORT": str(port),
        "EVERMODEL_DRAIN_SECONDS": "0",
    }
    return start_process(["serve"], environ, **options), f"http://127.0.0.1:{port}"


def flower(height: float, width: float, colour: str) -> dict[str, Any]:
    numbers = {"height": height, "width": width}
    inputs = [{"name": name, "shape": [1], "datatype": "FP64", "data": [value]} for name, value in numbers.items()]
    return {"inputs": [*inputs, {"name": "colour", "shape": [1], "datatype": "BYTES", "data": [colour]}]}


def test_it_is_trained_judged_and_served_and_two_processes_make_the_same_bytes(hub: Hub, tmp_path: Path) -> None:
    hub.upload("flowers.csv", as_csv(make_table(300)))
    jobs = Jobs(tmp_path)
    run = make_train_run(model=MODEL, hub_url=hub.url, data=SOURCE, preprocessing=(ENCODE,), **CANBERRA)

    trained = []
    for seed in ("1", "2"):
        jobs.environ["PYTHONHASHSEED"] = seed
        trained.append(jobs.run("train", run))
    report = trained[0].report
    judged = jobs.run(
        "evaluate",
        make_evaluate_run(
            report.manifest, report.data_sha256, model=MODEL, hub_url=hub.url, data=SOURCE, champion=report.manifest
        ),
    )

    assert trained[0].exit_code == 0, trained[0].errors
    assert (report.format, trained[1].report.manifest) == (ModelFormat.SKOPS, report.manifest)
    assert f"no ONNX: {report.format_reason}" in trained[0].output
    assert isinstance(judged.report, EvaluationReport), judged.errors
    assert judged.report.reference is not None
    assert judged.report.reference.candidate == judged.report.reference.champion
    assert judged.report.reference.candidate > 0.8

    pod, url = serve(hub, report.manifest, stderr=subprocess.PIPE)
    try:
        session = requests.Session()
        session.mount(url, requests.adapters.HTTPAdapter(max_retries=until_up()))
        ready = session.get(f"{url}/v2/health/ready", timeout=START_SECONDS)
        metadata = session.get(f"{url}/v2/models/{MODEL}", timeout=START_SECONDS).json()
        rose = session.post(f"{url}/v2/models/{MODEL}/infer", json=flower(2.0, 0.1, "red"), timeout=START_SECONDS)
        unseen = session.post(f"{url}/v2/models/{MODEL}/infer", json=flower(-2.0, 0.1, "grey"), timeout=START_SECONDS)
    finally:
        pod.terminate()
        _, said = pod.communicate(timeout=START_SECONDS)

    assert [line for line in said.splitlines() if not line.startswith(b"{")] == [], "the log is JSON lines alone"
    assert ready.status_code == 200, ready.text
    assert metadata["platform"] == "sklearn_skops"
    assert rose.status_code == unseen.status_code == 200, rose.text + unseen.text
    outputs = {output["name"]: output["data"] for output in rose.json()["outputs"]}
    assert outputs["label"] == ["rose"]
    assert sum(outputs["probabilities"]) == pytest.approx(1.0)
    assert unseen.json()["outputs"][0]["data"] == ["tulip"]


def test_a_version_votes_in_a_later_one_and_is_served_within_it(hub: Hub, tmp_path: Path) -> None:
    hub.upload("flowers.csv", as_csv(make_table(300)))
    jobs = Jobs(tmp_path)
    run = make_train_run(model=MODEL, hub_url=hub.url, data=SOURCE, estimator="LogisticRegression")
    first = jobs.run("train", run).report
    members = (
        Member(name="before", version=1, manifest=first.manifest),
        Member(name="tree", estimator="DecisionTreeClassifier", parameters={"max_depth": 1}),
    )
    vote = Ensemble(type=EnsembleType.VOTING, members=members, weights=(3.0, 1.0))

    ended = jobs.run("train", msgspec.structs.replace(run, version=2, estimator="VotingClassifier", ensemble=vote))

    assert ended.exit_code == 0, ended.errors
    assert (first.format, ended.report.format) == (ModelFormat.ONNX, ModelFormat.SKOPS)
    pod, url = serve(hub, ended.report.manifest)
    try:
        session = requests.Session()
        session.mount(url, requests.adapters.HTTPAdapter(max_retries=until_up()))
        session.get(f"{url}/v2/health/ready", timeout=START_SECONDS).raise_for_status()
        rose = session.post(f"{url}/v2/models/{MODEL}/infer", json=flower(2.0, 0.1, "red"), timeout=START_SECONDS)
    finally:
        pod.terminate()
        pod.wait(START_SECONDS)
    assert rose.json()["outputs"][0]["data"] == ["rose"]


@pytest.mark.parametrize(
    ("declared", "imported"),
    [pytest.param({}, "False", id="ONNX needs no scikit-learn"), pytest.param(CANBERRA, "True", id="skops does")],
)
def test_scikit_learn_is_imported_only_where_it_is_needed(
    declared: dict[str, Any], imported: str, hub: Hub, tmp_path: Path
) -> None:
    hub.upload("flowers.csv", as_csv(make_table(300)))
    run = make_train_run(model=MODEL, hub_url=hub.url, data=SOURCE, preprocessing=(ENCODE,), **declared)
    report = Jobs(tmp_path).run("train", run).report
    code = (
        "import sys, evermodel_runtime.serve.process\n"
        "from evermodel_runtime.artifacts.hub_client import HubClient\n"
        "from evermodel_runtime.artifacts.manifests import load_model\n"
        f"hub = HubClient({hub.url!r}, {MODEL!r}, {role_token(KEY, MODEL, Role.TRAINER)!r})\n"
        f"load_model(hub, {report.manifest!r})\n"
        "print('sklearn' in sys.modules)"
    )

    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    ).stdout

    assert said.strip() == imported
