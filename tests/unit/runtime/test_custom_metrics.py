"""Metrics of the user's own: what their containers are given, and that nothing but finite numbers comes of them."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.runtime.made_runs import (
    as_csv,
    make_evaluate_run,
    make_source,
    make_table,
    make_train_run,
)
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import EvaluateRun, FailureReason, Measure, Metric, Task
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.evaluate.custom_metrics import LARGEST_VALUES, Places, read_values
from evermodel_runtime.evaluate.job import evaluate
from evermodel_runtime.evaluate.predict import predict
from evermodel_runtime.evaluate.report import Report
from evermodel_runtime.train.job import train

METRIC = "profit"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    found = Places(tmp_path / "input", tmp_path / "metrics")
    found.input.mkdir()
    (found.metrics / METRIC).mkdir(parents=True)
    return found


def classified(**changes: Any) -> tuple[MemoryHub, EvaluateRun]:
    """A tree that sees all columns against one that sees a useless one."""
    hub = MemoryHub(datasets={"flowers.csv": as_csv(make_table(300))})
    champion = train(make_train_run(data=make_source(features=("width",))), surroundings(hub))
    source = make_source(features=("height", "width", "colour"))
    candidate = train(make_train_run(version=2, data=source), surroundings(hub))
    run = make_evaluate_run(
        candidate.manifest, candidate.data_sha256, champion=champion.manifest, custom_metrics=(METRIC,), **changes
    )
    return hub, run


def tables(places: Places) -> dict[str, list[dict[str, str]]]:
    found = {}
    for path in sorted(places.input.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            found[path.name] = list(csv.DictReader(file))
    return found


def measure(places: Places, number: Callable[[list[dict[str, str]]], float]) -> None:
    """Do what a container of the user's does."""
    values = {name: number(rows) for name, rows in tables(places).items()}
    (places.metrics / METRIC / "values.json").write_text(json.dumps(values), encoding="utf-8")


def accuracy(rows: list[dict[str, str]]) -> float:
    return sum(row["truth"] == row["prediction"] for row in rows) / len(rows)


def test_what_is_given_is_truth_and_answers_and_tells_nothing_else(places: Places) -> None:
    hub, run = classified()
    predict(run, surroundings(hub), places)

    assert {path.name for path in places.input.iterdir()} == {"1.csv", "2.csv", "files.json"}
    described = json.loads((places.input / "files.json").read_text())
    rows = described["files"][0]["rows"]
    assert described["files"] == [
        {"name": name, "rows": rows, "task": "Classification", "classes": ["rose", "tulip"]}
        for name in ("1.csv", "2.csv")
    ]
    first, second = tables(places).values()
    assert [row["truth"] for row in first] == [row["truth"] for row in second]
    assert len(first) == rows > 20
    for row in (*first, *second):
        assert list(row) == ["truth", "prediction", "probability:rose", "probability:tulip"]
        assert float(row["probability:rose"]) + float(row["probability:tulip"]) == pytest.approx(1)
        assert float(row[f"probability:{row['prediction']}"]) >= 0.5
    assert hub.uses == []


def test_numbers_go_to_the_model_and_the_set_that_they_are_of(places: Places) -> None:
    hub, run = classified()
    predict(run, surroundings(hub), places)
    measure(places, accuracy)

    judged = evaluate(run, surroundings(hub), places)

    assert judged.reference is not None
    assert judged.reference.metrics[METRIC] == pytest.approx(judged.reference.candidate, abs=1e-6)
    assert judged.report is not None
    (only,) = msgspec.json.decode(hub.blob(judged.report.json), type=Report).sets
    assert only.champion_metrics[METRIC] == pytest.approx(judged.reference.champion, abs=1e-6)
    assert judged.reference.champion != judged.reference.candidate


def test_a_regression_is_given_numbers(places: Places) -> None:
    table = [{"height": row["height"], "price": row["height"] * 2 + row["width"]} for row in make_table(200)]
    hub, rmse = MemoryHub(datasets={"flowers.csv": as_csv(table)}), Measure(metric=Metric.RMSE)
    source = make_source(target="price")
    trained = train(
        make_train_run(data=source, task=Task.REGRESSION, objective=rmse, estimator="Ridge"), surroundings(hub)
    )
    run = make_evaluate_run(
        trained.manifest, trained.data_sha256, data=source, objective=rmse, custom_metrics=(METRIC,)
    )
    predict(run, surroundings(hub), places)
    measure(places, lambda rows: sum((float(row["truth"]) - float(row["prediction"])) ** 2 for row in rows) / len(rows))

    judged = evaluate(run, surroundings(hub), places).reference

    assert judged is not None
    assert list(tables(places)) == ["1.csv"]
    assert judged.metrics[METRIC] == pytest.approx(judged.candidate**2, rel=1e-4)


def test_rows_that_changed_since_they_were_measured_are_no_result(places: Places) -> None:
    hub, run = classified()
    predict(run, surroundings(hub), places)
    measure(places, accuracy)
    path = places.input / "1.csv"
    path.write_bytes(path.read_bytes().replace(b"rose", b"tulip", 1))
    with pytest.raises(RuntimeError, match=r"1\.csv is not what the models answer"):
        evaluate(run, surroundings(hub), places)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    found = tmp_path / METRIC
    found.mkdir()
    yield found
    found.chmod(0o700)


def is_link(folder: Path) -> None:
    (folder.parent / "secret").write_text('{"1.csv": 1, "2.csv": 1}')
    (folder / "values.json").symlink_to(folder.parent / "secret")


def wrote(text: str | bytes) -> Callable[[Path], None]:
    content = text.encode() if isinstance(text, str) else text

    def write(folder: Path) -> None:
        (folder / "values.json").write_bytes(content)

    return write


@pytest.mark.parametrize(
    ("leave", "says"),
    [
        pytest.param(lambda _: None, "wrote no values.json to $EVERMODEL_OUTPUT; the folder is empty", id="nothing"),
        pytest.param(
            lambda folder: (folder / "value.json").touch(), "what is there: value.json", id="a file of another name"
        ),
        pytest.param(is_link, "is a link", id="a link"),
        pytest.param(lambda folder: (folder / "values.json").mkdir(), "is no plain file", id="a folder"),
        pytest.param(lambda folder: os.mkfifo(folder / "values.json"), "is no plain file", id="a pipe"),
        pytest.param(wrote(b" " * (LARGEST_VALUES + 1)), "at most 0.1 MiB are taken", id="a large file"),
        pytest.param(wrote(""), "no JSON object of a number for each file", id="an empty file"),
        pytest.param(wrote(b'\xff{"1.csv": 1, "2.csv": 1}'), "no JSON object", id="no UTF-8"),
        pytest.param(wrote(b'{"1.csv\xff": 1, "2.csv": 1}'), "no JSON object", id="no UTF-8 in a name"),
        pytest.param(wrote("0.93"), "no JSON object", id="a number alone"),
        pytest.param(wrote("[" * 60_000), "no JSON object", id="a deep list"),
        pytest.param(wrote('{"1.csv":' * 6_000), "no JSON object", id="a deep object"),
        pytest.param(wrote('{"1.csv": 0.9}'), "has no number for 2.csv", id="a file too few"),
        pytest.param(
            wrote('{"1.csv": 1, "2.csv": 1, "3.csv": 1}'), "has numbers for 3.csv, and there are no such", id="too many"
        ),
        pytest.param(wrote('{"1.csv": NaN, "2.csv": 1}'), "no JSON object", id="NaN"),
        pytest.param(wrote('{"1.csv": Infinity, "2.csv": 1}'), "no JSON object", id="infinity"),
        pytest.param(wrote('{"1.csv": 1e999, "2.csv": 1}'), "1.csv", id="more than a float holds"),
        pytest.param(wrote('{"1.csv": ' + "9" * 400 + ', "2.csv": 1}'), "1.csv", id="an integer of 400 digits"),
        pytest.param(wrote('{"1.csv": "0.9", "2.csv": 1}'), "Expected `float`, got `str`", id="text"),
        pytest.param(wrote('{"1.csv": true, "2.csv": 1}'), "Expected `float`, got `bool`", id="a truth value"),
        pytest.param(wrote('{"1.csv": null, "2.csv": 1}'), "Expected `float`, got `null`", id="null"),
        pytest.param(wrote('{"1.csv": {"a": 1}, "2.csv": 1}'), "Expected `float`, got `object`", id="more than one"),
    ],
)
def test_what_is_no_finite_number_for_each_file_ends_in_words(
    leave: Callable[[Path], None], says: str, folder: Path
) -> None:
    leave(folder)
    with pytest.raises(JobError) as caught:
        read_values(METRIC, ["1.csv", "2.csv"], folder)
    assert caught.value.reason is FailureReason.METRIC_INVALID
    assert caught.value.message.startswith("Custom metric profit: ")
    assert caught.value.message.endswith("evaluation.customMetrics runs, then ask for another run.")
    assert says in caught.value.message
    assert len(caught.value.message) < 500


def test_whole_and_negative_numbers_are_numbers_and_long_ones_are_rounded(folder: Path) -> None:
    wrote('{"1.csv": -3, "2.csv": 0.123456789}')(folder)
    assert read_values(METRIC, ["1.csv", "2.csv"], folder) == {"1.csv": -3.0, "2.csv": 0.123457}
