"""The sample's metric between the containers before and after it, as processes with a real hub process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from tests.contract.job_processes import MODEL, Hub, Jobs
from tests.unit.runtime.made_runs import make_evaluate_run, make_source, make_train_run

from evermodel.contract import (
    DATA_ERROR_EXIT_CODE,
    INPUT_ENV,
    METRICS_ENV,
    OUTPUT_ENV,
    EvaluateRun,
    EvaluationReport,
    FailureReason,
    FailureReport,
    TrainReport,
)
from evermodel_runtime.evaluate.report import Report

SAMPLE = Path(__file__).parents[2] / "manifests" / "samples" / "custom-metric.yaml"
SOURCE = make_source(uri="sklearn://breast_cancer", target="target")


@pytest.fixture(scope="module")
def metric() -> Any:
    (declared,) = yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))["spec"]["evaluation"]["customMetrics"]
    return declared


@pytest.fixture
def jobs(tmp_path: Path, metric: Any) -> Jobs:
    (tmp_path / "input").mkdir()
    (tmp_path / "metrics" / metric["name"]).mkdir(parents=True)
    return Jobs(tmp_path, {INPUT_ENV: str(tmp_path / "input"), METRICS_ENV: str(tmp_path / "metrics")})


@pytest.fixture
def run(hub: Hub, jobs: Jobs, metric: Any) -> EvaluateRun:
    """A candidate, and a champion that asks one question alone."""
    trained = [
        jobs.run("train", make_train_run(model=MODEL, hub_url=hub.url, version=number, data=SOURCE, **made)).report
        for number, made in (
            (1, {"estimator": "DecisionTreeClassifier", "parameters": {"max_depth": 1}}),
            (2, {"estimator": "LogisticRegression"}),
        )
    ]
    champion, candidate = trained
    assert isinstance(champion, TrainReport)
    assert isinstance(candidate, TrainReport)
    return make_evaluate_run(
        candidate.manifest, candidate.data_sha256, model=MODEL, hub_url=hub.url, data=SOURCE, version=2,
        champion=champion.manifest, custom_metrics=(metric["name"],),
    )  # fmt: skip


def predict(jobs: Jobs, run: EvaluateRun) -> None:
    """Run the first container, which reports nothing where it succeeds."""
    (jobs.folder / "termination-log").unlink()  # of the training
    process = jobs.start("predict", run)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()
    assert not (jobs.folder / "termination-log").exists()


def measure(jobs: Jobs, metric: Any) -> None:
    """Run the user's container as the pod does: without a token."""
    command = [sys.executable, *metric["command"][1:], *metric["args"]]
    output = Path(jobs.environ[METRICS_ENV]) / metric["name"]
    environ = {"PATH": os.environ["PATH"], INPUT_ENV: jobs.environ[INPUT_ENV], OUTPUT_ENV: str(output)}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr


def test_the_metric_of_the_sample_is_recorded_of_both_models(
    hub: Hub, jobs: Jobs, run: EvaluateRun, metric: Any
) -> None:
    predict(jobs, run)
    measure(jobs, metric)

    judged = jobs.run("evaluate", run)

    assert isinstance(judged.report, EvaluationReport), judged.errors
    assert judged.report.reference is not None
    assert judged.report.reference.use == 1  # to predict for a metric uses no rows up
    cost = judged.report.reference.metrics[metric["name"]]
    assert 0 < cost < metric["threshold"] / 2
    assert judged.report.report is not None
    report = msgspec.json.decode(hub.client().blob(judged.report.report.json), type=Report)
    (only,) = report.sets
    assert only.score.metrics[metric["name"]] == cost
    assert only.champion_metrics[metric["name"]] > 2 * cost
    assert metric["name"].encode() in hub.client().blob(judged.report.report.html)


def test_without_its_numbers_there_is_no_evaluation(hub: Hub, jobs: Jobs, run: EvaluateRun, metric: Any) -> None:
    predict(jobs, run)

    judged = jobs.run("evaluate", run)

    assert judged.exit_code == DATA_ERROR_EXIT_CODE
    assert isinstance(judged.report, FailureReport)
    assert judged.report.reason is FailureReason.METRIC_INVALID
    assert judged.report.message.startswith(f"Custom metric {metric['name']}: its container wrote no values.json")
    assert hub.report(2, "evaluate") == judged.report
