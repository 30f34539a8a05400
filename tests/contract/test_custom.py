"""The sample's script between the containers before and after it, as processes with a real hub process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from tests.contract.job_processes import MODEL, Ended, Hub, Jobs
from tests.unit.runtime.made_runs import make_evaluate_run, make_source, make_train_run

from evermodel.contract import (
    DATA_ERROR_EXIT_CODE,
    DISRUPTION_EXIT_CODE,
    INPUT_ENV,
    OUTPUT_ENV,
    STATE_ENV,
    EvaluationReport,
    FailureReason,
    FailureReport,
    Measure,
    Metric,
    Task,
    TrainReport,
    TrainRun,
)

SAMPLE = Path(__file__).parents[2] / "manifests" / "samples" / "custom-training.yaml"
FOLDERS = (INPUT_ENV, OUTPUT_ENV, STATE_ENV)


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    folders = {variable: str(tmp_path / variable.lower()) for variable in FOLDERS}
    for folder in folders.values():
        Path(folder).mkdir()
    return Jobs(tmp_path, folders)


@pytest.fixture
def spec() -> Any:
    return yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))["spec"]


def run_of(spec: Any, hub: Hub) -> TrainRun:
    return make_train_run(
        model=MODEL,
        hub_url=hub.url,
        data=make_source(uri=spec["data"]["train"]["uri"], target=spec["data"]["target"]),
        estimator="",
        container="the sample's script",
        parameters=spec["training"]["parameters"],
    )


def prepare(jobs: Jobs, run: TrainRun) -> int:
    """Run the first container, which reports nothing where it succeeds."""
    process = jobs.start("prepare", run)
    process.communicate(timeout=60)
    assert not (jobs.folder / "termination-log").exists()
    return process.returncode


def train(jobs: Jobs, spec: Any) -> subprocess.CompletedProcess[str]:
    """Run the user's container as the pod does: without a token, and without the folder that goes past it."""
    container = spec["training"]["container"]
    given = {name: jobs.environ[name] for name in (INPUT_ENV, OUTPUT_ENV)}
    command = [sys.executable, *container["command"][1:], *container["args"]]
    environ = {"PATH": os.environ["PATH"], **given}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_the_script_of_the_sample_makes_a_model_that_meets_its_threshold(hub: Hub, jobs: Jobs, spec: Any) -> None:
    run = run_of(spec, hub)
    assert prepare(jobs, run) == 0
    trained = train(jobs, spec)
    assert trained.returncode == 0, trained.stderr
    assert trained.stdout.startswith("epoch 0: loss 1.0986")
    published = jobs.run("publish", run)
    assert (published.exit_code, type(published.report)) == (0, TrainReport), published.errors
    assert published.report.notes == ("Softmax regression, 1000 epochs.",)
    assert hub.report(1, "train") == published.report

    evaluation = make_evaluate_run(
        published.report.manifest, published.report.data_sha256, model=MODEL, hub_url=hub.url, data=run.data, version=1
    )
    judged = jobs.run("evaluate", evaluation).report
    assert isinstance(judged, EvaluationReport)
    assert judged.reference is not None
    assert judged.reference.candidate > spec["objective"]["threshold"] + 0.05


LINE = """
import json, os
import numpy as np
from onnx import TensorProto, helper, numpy_helper

table = np.loadtxt(os.environ["EVERMODEL_INPUT"] + "/train.csv", delimiter=",", skiprows=1)
rows = np.column_stack([table[:, :-1], np.ones(len(table))])
slope = np.linalg.lstsq(rows, table[:, -1], rcond=None)[0].astype(np.float32)
weights = [numpy_helper.from_array(slope[:-1, None], "W"), numpy_helper.from_array(slope[-1:], "B")]
columns = len(slope) - 1
graph = helper.make_graph(
    [helper.make_node("Gemm", ["X", "W", "B"], ["number"])],
    "line",
    [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, columns])],
    [helper.make_tensor_value_info("number", TensorProto.FLOAT, [None, 1])],
    weights,
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
open(os.environ["EVERMODEL_OUTPUT"] + "/model.onnx", "wb").write(model.SerializeToString())
"""


def test_a_container_that_predicts_numbers_is_judged_as_any_regressor(hub: Hub, jobs: Jobs, spec: Any) -> None:
    spec["data"] = {"train": {"uri": "sklearn://diabetes"}, "target": "target"}
    spec["training"]["container"]["args"] = [LINE]
    run = msgspec.structs.replace(run_of(spec, hub), task=Task.REGRESSION)
    assert prepare(jobs, run) == 0
    trained = train(jobs, spec)
    assert trained.returncode == 0, trained.stderr
    published = jobs.run("publish", run)
    assert isinstance(published.report, TrainReport), published.errors
    evaluation = make_evaluate_run(
        published.report.manifest,
        published.report.data_sha256,
        model=MODEL,
        hub_url=hub.url,
        data=run.data,
        version=1,
        objective=Measure(metric=Metric.RMSE),
    )
    judged = jobs.run("evaluate", evaluation).report
    assert isinstance(judged, EvaluationReport)
    assert judged.reference is not None
    assert judged.reference.candidate < 65 < judged.reference.dummy


def test_the_script_is_as_short_as_the_manual_says(spec: Any) -> None:
    (script,) = spec["training"]["container"]["args"]
    lines = [line for line in script.splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) <= 40


@pytest.mark.parametrize(
    ("source", "command", "reason"),
    [
        pytest.param("hub://none.csv", "prepare", FailureReason.DATA_NOT_FOUND, id="no data"),
        pytest.param("sklearn://wine", "publish", FailureReason.MODEL_INVALID, id="no model"),
    ],
)
def test_what_ends_a_container_of_ours_for_good(
    source: str, command: str, reason: FailureReason, hub: Hub, jobs: Jobs
) -> None:
    run = make_train_run(
        model=MODEL, hub_url=hub.url, data=make_source(uri=source, target="target"), container="an image"
    )
    if command == "publish":
        assert prepare(jobs, run) == 0
    ended: Ended = jobs.run(command, run)
    assert ended.exit_code == DATA_ERROR_EXIT_CODE
    assert isinstance(ended.report, FailureReport)
    assert ended.report.reason is reason
    assert hub.report(1, "train") == ended.report


def test_a_hub_that_is_away_is_a_disruption_to_the_one_that_publishes(hub: Hub, jobs: Jobs, spec: Any) -> None:
    run = run_of(spec, hub)
    assert prepare(jobs, run) == 0
    assert train(jobs, spec).returncode == 0
    hub.stop()
    jobs.environ["EVERMODEL_HUB_PATIENCE_SECONDS"] = "0.3"
    assert jobs.run("publish", run).exit_code == DISRUPTION_EXIT_CODE
