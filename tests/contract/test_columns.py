"""Records of production across versions of other columns: real Jobs, a real hub, each value in a column of its own."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.contract.job_processes import MODEL, Hub, Jobs
from tests.unit.runtime.made_runs import as_csv, make_evaluate_run, make_numbers, make_source, make_train_run
from tests.unit.runtime.memory_hub import numbers

from evermodel.contract import (
    INPUT_ENV,
    OUTPUT_ENV,
    STATE_ENV,
    EvaluationReport,
    FreshRange,
    OfflineReport,
    OfflineRun,
    TrainReport,
    TrainRun,
)
from evermodel_runtime.data.rows import FeatureRows, decode_hashes, row_hashes
from evermodel_runtime.train.job import TO_USE_THEM


def flowers(count: int, seed: int) -> list[dict[str, Any]]:
    """Return rows whose class is told by their height alone."""
    rows = make_numbers(count, seed=seed)
    return [
        row | {"depth": place % 7 / 2, "kind": "rose" if row["height"] > 0 else "tulip", "shade": "tulip"[place % 5]}
        for place, row in enumerate(rows)
    ]


SOURCE = flowers(300, seed=0)
ASKED = [row | {"height": row["height"] + 0.0005} for row in flowers(100, seed=9)]
"""Of heights that no row of the source has."""
FIRST = ("height", "width")


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path)


def run_of(hub: Hub, *features: str, **changes: Any) -> TrainRun:
    return make_train_run(model=MODEL, hub_url=hub.url, data=make_source(features=features), **changes)


def trained(jobs: Jobs, run: TrainRun) -> TrainReport:
    ended = jobs.run("train", run)
    assert isinstance(ended.report, TrainReport), ended.errors
    return ended.report


@pytest.fixture
def first(hub: Hub, jobs: Jobs) -> None:
    """Train and serve version 1, which took heights and widths and has answered a hundred labelled requests."""
    hub.upload("flowers.csv", as_csv(SOURCE))
    report = trained(jobs, run_of(hub, *FIRST))
    hub.promote(report.manifest)
    labels = [row["kind"] for row in ASKED]
    assert hub.label([[row[name] for name in FIRST] for row in ASKED], labels) == len(ASKED)


@pytest.mark.parametrize(
    ("features", "learnt", "note"),
    [
        pytest.param(("width", "height"), 100, None, id="another order"),
        pytest.param(("height",), 100, None, id="a column dropped"),
        pytest.param(("depth", "height"), 0, "100 of version 1, which did not take 'depth'", id="one for another"),
        pytest.param(("width", "depth", "height"), 0, "100 of version 1, which did not take 'depth'", id="one added"),
    ],
)
@pytest.mark.usefixtures("first")
def test_a_version_of_other_columns_learns_each_value_in_its_own(
    hub: Hub, jobs: Jobs, features: tuple[str, ...], learnt: int, note: str | None
) -> None:
    report = trained(jobs, run_of(hub, *features, version=2, feedback_through=100))

    rows = FeatureRows(
        numbers(*features), tuple(np.array([row[name] for row in ASKED], np.float32) for name in features)
    )
    known = decode_hashes(hub.client().blob(hub.manifest(report.manifest).training_rows))
    assert report.feedback_rows == int(np.isin(row_hashes(rows), known).sum()) == learnt
    notes = [line for line in report.notes if line.startswith("Production records not used")]
    assert notes == ([] if note is None else [f"Production records not used: {note}. {TO_USE_THEM}"])


@pytest.mark.usefixtures("first")
def test_a_version_of_another_target_learns_no_label_of_the_first(hub: Hub, jobs: Jobs) -> None:
    data = make_source(features=FIRST, target="shade")

    report = trained(jobs, make_train_run(model=MODEL, hub_url=hub.url, data=data, version=2, feedback_through=100))

    assert report.feedback_rows == 0
    assert (
        f"Production records not used: 100 of version 1, whose labels are of 'kind', not of 'shade'. {TO_USE_THEM}"
        in report.notes
    )


@pytest.mark.usefixtures("first")
def test_models_of_other_orders_are_judged_by_the_same_records(hub: Hub, jobs: Jobs) -> None:
    second = trained(jobs, run_of(hub, "depth", "width", "height", version=2))
    hub.promote(second.manifest, version=2)
    rows = flowers(80, seed=7)
    names = ("depth", "width", "height")
    assert hub.label([[row[name] for name in names] for row in rows], [row["kind"] for row in rows], version=2) == 80
    third = trained(jobs, run_of(hub, "width", "height", version=3))

    run = make_evaluate_run(
        third.manifest,
        third.data_sha256,
        model=MODEL,
        hub_url=hub.url,
        version=3,
        champion=second.manifest,
        fresh=FreshRange(after=0, through=180),
    )
    judged = jobs.run("evaluate", run)

    assert isinstance(judged.report, EvaluationReport), judged.errors
    assert judged.report.fresh is not None
    assert judged.report.fresh.rows == 80
    assert judged.report.fresh.candidate > 0.9
    assert judged.report.fresh.champion is not None
    assert judged.report.fresh.champion > 0.9
    assert "Production records not used: 100 of version 1, which did not take 'depth'." in judged.output


@pytest.mark.usefixtures("first")
def test_an_offline_evaluation_reads_the_records_of_an_earlier_version(hub: Hub, jobs: Jobs) -> None:
    second = trained(jobs, run_of(hub, "width", "height", version=2))
    run = OfflineRun(
        namespace="team",
        model=MODEL,
        version=2,
        hub_url=hub.url,
        scheduled="2030-01-01T09:00:00Z",
        champion=second.manifest,
        records=FreshRange(after=0, through=100),
        samples=100,
    )

    told = jobs.run("offline", run)

    assert isinstance(told.report, OfflineReport), told.errors
    assert told.report.score is not None
    assert told.report.rows == 100
    assert told.report.score.candidate > 0.9


@pytest.mark.usefixtures("first")
def test_a_container_of_ones_own_is_given_each_value_in_its_own_column(hub: Hub, jobs: Jobs, tmp_path: Path) -> None:
    for variable in (INPUT_ENV, OUTPUT_ENV, STATE_ENV):
        jobs.environ[variable] = str(tmp_path / variable)
        (tmp_path / variable).mkdir()
    run = run_of(hub, "width", "height", version=2, estimator="", container="an image", feedback_through=100)
    assert jobs.start("prepare", run).wait(60) == 0

    with (tmp_path / INPUT_ENV / "train.csv").open(newline="") as file:
        given = [(row["width"], row["height"]) for row in csv.DictReader(file)][-len(ASKED) :]
    expected = [(row["width"], row["height"]) for row in ASKED]
    np.testing.assert_array_equal(np.array(given, np.float32), np.array(expected, np.float32))
