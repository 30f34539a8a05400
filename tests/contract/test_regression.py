"""Numbers through real processes: trained, served, labelled, watched by their error, and judged on fresh records."""

from __future__ import annotations

import csv
import io
import math
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.contract.job_processes import MODEL, Hub, Jobs
from tests.contract.serving_pods import serving
from tests.unit.runtime.made_runs import make_evaluate_run, make_source, make_train_run

from evermodel.contract import (
    EvaluationReport,
    FreshRange,
    Measure,
    Metric,
    Quality,
    QualityQuery,
    ServeConfig,
    Task,
    TrainReport,
)
from evermodel_runtime.data.bundled import bundled_csv

RMSE = Measure(metric=Metric.RMSE)
SOURCE = make_source(uri="sklearn://diabetes?rows=:300", target="target")
REGRESSION: dict[str, Any] = {"model": MODEL, "data": SOURCE, "task": Task.REGRESSION, "objective": RMSE}
START_SECONDS = 60.0


def diabetes(rows: str) -> tuple[list[list[float]], list[float]]:
    table = list(csv.reader(io.StringIO(bundled_csv("diabetes", rows).decode())))[1:]
    return [[float(cell) for cell in row[:-1]] for row in table], [float(row[-1]) for row in table]


def quality(hub: Hub) -> Quality:
    query = QualityQuery(version=1, measure=RMSE, threshold=65.0, tolerance=0.01, false_alarm_every=1e5, window=1000)
    return hub.quality(query)


@pytest.mark.parametrize(
    "estimator",
    [
        pytest.param({"estimator": "Ridge"}, id="onnx"),
        pytest.param({"estimator": "KNeighborsRegressor", "parameters": {"metric": "canberra"}}, id="skops"),
    ],
)
def test_a_number_from_training_to_the_error_that_is_watched(tmp_path: Path, estimator: dict[str, Any]) -> None:
    hub, jobs = Hub(tmp_path / "hub"), Jobs(tmp_path)
    hub.folder.mkdir()
    hub.start()
    try:
        trained = jobs.run("train", make_train_run(hub_url=hub.url, **REGRESSION, **estimator))
        assert isinstance(trained.report, TrainReport), trained.errors
        hub.promote(trained.report.manifest)
        config = ServeConfig(
            namespace="ml", model=MODEL, version=1, hub_url=hub.url, manifest=trained.report.manifest, capture=True
        )
        with serving(hub, config) as pod:
            url = f"{pod.url}/v2"
            rows, truth = diabetes("300:440")
            tensor = {"name": "X", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": rows}
            answer = requests.post(f"{url}/models/{MODEL}/infer", json={"inputs": [tensor]}, timeout=30).json()
            ids, numbers = answer["parameters"]["prediction_ids"], answer["outputs"][0]["data"]
            wrong = {"labels": [{"id": ids[0], "label": "a lot"}]}
            refused = requests.post(f"{url}/models/{MODEL}/feedback", json=wrong, timeout=30).json()
            labels = {"labels": [{"id": one, "label": label} for one, label in zip(ids, truth, strict=True)]}
            accepted = requests.post(f"{url}/models/{MODEL}/feedback", json=labels, timeout=30).json()
            window = quality(hub).window
            wait_for(lambda: quality(hub).records == len(rows))
            fresh = FreshRange(after=0, through=len(rows))
            run = make_evaluate_run(
                trained.report.manifest, trained.report.data_sha256, hub_url=hub.url, fresh=fresh,
                model=MODEL, data=SOURCE, objective=RMSE,
            )  # fmt: skip
            judged = jobs.run("evaluate", run)
    finally:
        hub.stop()

    assert refused["results"][0]["status"] == "Invalid"
    assert "this model predicts numbers" in refused["results"][0]["message"]
    assert accepted["accepted"] == len(rows)
    rmse = math.sqrt(sum((said - true) ** 2 for said, true in zip(numbers, truth, strict=True)) / len(rows))
    assert window is not None
    assert window.samples == len(rows)
    assert window.value == pytest.approx(rmse)
    assert isinstance(judged.report, EvaluationReport), judged.errors
    assert judged.report.reference is not None
    assert judged.report.fresh is not None
    assert judged.report.fresh.candidate == pytest.approx(rmse, rel=1e-4)
    assert judged.report.reference.candidate < judged.report.reference.dummy


def wait_for(holds: Any) -> None:
    end = time.monotonic() + START_SECONDS
    while not holds():
        assert time.monotonic() < end, "it did not come to hold in time"
        time.sleep(0.1)
