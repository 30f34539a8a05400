"""Columns that alone tell the target are found, in whatever spelling; honest ones of well-known data are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import datasets
from tests.unit.runtime.made_runs import as_csv, make_source, make_table, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import WARNING, Column, ColumnKind, Task
from evermodel_runtime.data.rows import FeatureRows, Labels, row_hashes
from evermodel_runtime.train.job import train
from evermodel_runtime.train.telltale import telltales

ROWS = 600
RANDOM = np.random.default_rng(5)
CLASS = RANDOM.integers(0, 3, ROWS)
NUMBER = RANDOM.lognormal(sigma=1.5, size=ROWS)
RARE = (RANDOM.uniform(size=ROWS) < 0.05).astype(np.int64)
NOISE = RANDOM.normal(size=ROWS)
HEIGHT = RANDOM.normal(size=ROWS)


def features(**columns: Any) -> FeatureRows:
    pairs = []
    for name, values in columns.items():
        array = np.asarray(values)
        text = array.dtype.kind in "UO"
        kind = ColumnKind.TEXT if text else ColumnKind.NUMBER
        pairs.append((Column(name=name, kind=kind), array.astype(np.object_) if text else array.astype(np.float32)))
    return FeatureRows.of(pairs)


def found(labels: Any, column: Any) -> list[str]:
    """Return which columns are named, of one and two honest ones beside it."""
    rows = features(noise=NOISE, suspect=column, weak=labels + 4 * labels.std() * RANDOM.normal(size=ROWS))
    return [one.column for one in telltales(rows, row_hashes(rows), labels, np.arange(ROWS))]


@pytest.mark.parametrize(
    ("labels", "column"),
    [
        pytest.param(CLASS, CLASS, id="a copy"),
        pytest.param(CLASS, np.array(["rose", "tulip", "daisy"])[CLASS], id="a copy in words"),
        pytest.param(CLASS, np.array([7, -2, 40])[CLASS], id="other codes"),
        pytest.param(
            CLASS, np.array(["a", "b", "c"])[CLASS].astype(object) + RANDOM.choice(["1", "2"], ROWS), id="finer"
        ),
        pytest.param(CLASS, CLASS + 0.05 * NOISE, id="with noise"),
        pytest.param(CLASS, np.where(RANDOM.uniform(size=ROWS) < 0.005, 0, CLASS), id="but for a few rows"),
        pytest.param(CLASS, np.where(CLASS == 1, np.nan, NOISE), id="missing with one class of three"),
        pytest.param(CLASS, np.where(CLASS == 1, "", "day").astype(object), id="text missing with one class of three"),
        pytest.param(RARE, np.where(RARE == 1, np.nan, NOISE), id="missing with the rare class"),
        pytest.param(RARE, np.where(RARE == 1, 12.5, 0), id="an amount that only the rare class has"),
        pytest.param(np.sort(CLASS), np.arange(ROWS), id="a number of the row in a file sorted by class"),
        pytest.param(NUMBER, NUMBER, id="a copy of a number"),
        pytest.param(NUMBER, 32 - 1.8 * NUMBER, id="a number in another unit"),
        pytest.param(NUMBER, np.log(NUMBER), id="its logarithm"),
        pytest.param(HEIGHT, HEIGHT + 0.05 * RANDOM.normal(size=ROWS), id="a number with noise"),
        pytest.param(np.where(RARE == 1, 0.0, NUMBER), np.where(RARE == 1, np.nan, NOISE), id="missing where it is 0"),
        pytest.param(CLASS.astype(np.float64), np.array(["none", "some", "all"])[CLASS], id="a number in words"),
    ],
)
def test_a_column_that_tells_the_target_is_named(labels: Labels, column: Any) -> None:
    assert found(labels, column) == ["suspect"]


@pytest.mark.parametrize(
    ("labels", "column"),
    [
        pytest.param(CLASS, np.arange(ROWS), id="a number of each row"),
        pytest.param(CLASS, np.array([f"id-{number}" for number in range(ROWS)], object), id="an id in words"),
        pytest.param(NUMBER, np.array([f"id-{number}" for number in range(ROWS)], object), id="an id beside a number"),
        pytest.param(CLASS, np.zeros(ROWS), id="one value"),
        pytest.param(NUMBER, np.zeros(ROWS), id="one value beside a number"),
        pytest.param(CLASS, np.where(NOISE > 0, np.nan, NOISE), id="gaps that have nothing to do with it"),
        pytest.param(CLASS, np.where(np.arange(ROWS) < 5, np.nan, NOISE), id="five gaps"),
        pytest.param(CLASS, CLASS + 0.3 * NOISE, id="a strong column"),
        pytest.param(HEIGHT, HEIGHT + 0.2 * RANDOM.normal(size=ROWS), id="a strong column beside a number"),
        pytest.param(RARE, NOISE, id="nothing but the rare class to tell"),
    ],
)
def test_an_honest_column_is_not_named(labels: Labels, column: Any) -> None:
    assert found(labels, column) == []


@pytest.mark.parametrize("name", ["iris", "digits", "breast_cancer", "wine", "diabetes"])
def test_no_column_of_well_known_data_is_named(name: str) -> None:
    matrix, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
    rows = features(**{f"c{place}": column for place, column in enumerate(matrix.T)})
    labels = labels.astype(np.float64 if name == "diabetes" else np.int64)

    assert telltales(rows, row_hashes(rows), labels, np.arange(len(labels))) == []


def test_in_a_table_of_copies_no_row_tells_the_target_of_its_copy() -> None:
    rows = features(a=np.tile(NOISE, 4), b=np.tile(HEIGHT, 4))

    assert telltales(rows, row_hashes(rows), np.tile(CLASS, 4), np.arange(4 * ROWS)) == []


def test_rows_that_may_not_be_looked_at_are_not() -> None:
    labels, seen = CLASS, np.arange(ROWS) % 2 == 0
    rows = features(suspect=np.where(seen, RANDOM.permutation(labels), labels), other=np.where(seen, labels, 7))

    named = telltales(rows, row_hashes(rows), labels, np.flatnonzero(seen))

    assert [one.column for one in named] == ["other"]


def with_code(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"height": row["height"], "code": 7 if row["kind"] == "rose" else 3, "kind": row["kind"]} for row in rows]


def test_a_training_names_the_column_and_the_figure_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    hub = MemoryHub(datasets={"flowers.csv": as_csv(with_code(make_table(200)))})

    report = train(make_train_run(data=make_source()), surroundings(hub))

    [note] = [note for note in report.notes if note.startswith(WARNING)]
    assert note.startswith("Warning: column 'code' alone tells the target: 100.0% of ")
    assert note.endswith("leave it out of spec.data.features.")
    assert note in capsys.readouterr().out


def test_many_such_columns_are_named_in_four_notes() -> None:
    table = [{**{f"code{place}": row["code"] for place in range(9)}, **row} for row in with_code(make_table(200))]
    hub = MemoryHub(datasets={"flowers.csv": as_csv(table)})

    report = train(make_train_run(data=make_source()), surroundings(hub))

    warned = [note for note in report.notes if note.startswith(WARNING)]
    assert len(warned) == 4
    assert warned[-1].startswith("Warning: 7 more columns alone tell the target: ")


def test_a_number_that_is_a_sum_of_features_is_told_of_as_well() -> None:
    table = [{"a": float(x), "b": 2.5 * x - 1, "kind": float(y)} for x, y in zip(NUMBER, NUMBER, strict=True)]
    hub = MemoryHub(datasets={"flowers.csv": as_csv(table)})

    report = train(
        make_train_run(data=make_source(), task=Task.REGRESSION, estimator="LinearRegression"), surroundings(hub)
    )

    assert sum("alone tells the target: R² 1.000 of its ranks" in note for note in report.notes) == 2
