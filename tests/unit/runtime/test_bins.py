"""Bins of what a model learnt from, and rows counted over them."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.unit.runtime.made_runs import ENCODE_COLOUR, as_csv, make_source, make_table, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings
from tests.unit.serve.made_models import numeric

from evermodel.contract import ColumnKind
from evermodel_runtime.artifacts.bins import put_reference
from evermodel_runtime.artifacts.scorer import RowsRefusedError
from evermodel_runtime.data.bins import (
    MOST_CATEGORIES,
    bins_of_answers,
    bins_of_rows,
    count,
    count_numbers,
    count_texts,
    number_bins,
    text_bins,
)
from evermodel_runtime.data.rows import FeatureRows, Inputs, Labels, Matrix
from evermodel_runtime.train.job import train

NAN = math.nan


def numbers(*values: float) -> Any:
    return np.array(values, dtype=np.float32)


@pytest.mark.parametrize(
    ("values", "edges", "counts", "missing"),
    [
        pytest.param(np.arange(1, 101), tuple(range(10, 100, 10)), (10,) * 10, 0, id="tenths"),
        pytest.param(numbers(0, 0, 0, 0, 1), (0.0,), (4, 1), 0, id="a flag has two bins, each for one value"),
        pytest.param(numbers(3, 3, 3), (), (3,), 0, id="a constant has one bin"),
        pytest.param(numbers(0, 1, NAN, NAN), (0.0,), (1, 1), 2, id="what is missing is in no bin"),
        pytest.param(numbers(NAN, NAN), (), (0,), 2, id="nothing but missing"),
    ],
)
def test_numbers(values: Any, edges: tuple[float, ...], counts: tuple[int, ...], missing: int) -> None:
    bins = number_bins("x", np.asarray(values, dtype=np.float32))
    assert (bins.edges, bins.counts, bins.missing) == (edges, counts, missing)


def test_numbers_outside_of_what_was_learnt_are_in_the_outer_bins_and_told() -> None:
    bins = number_bins("x", np.arange(1, 101, dtype=np.float32))
    *counts, missing, outside = count_numbers(bins, numbers(-5, 1, 55, 100, 101, NAN)).tolist()
    assert counts == [2, 0, 0, 0, 0, 1, 0, 0, 0, 2]
    assert (missing, outside) == (1, 2)


def test_texts_that_are_frequent_have_a_bin() -> None:
    texts = ["a"] * 500 + ["b"] * 480 + ["c"] * 9 + ["d", ""]
    bins = text_bins("x", texts)
    assert (bins.categories, bins.rare, bins.complete) == (("a", "b"), ("c", "d"), True)
    assert (bins.counts, bins.missing) == ((500, 480, 10), 1)
    assert bins.strange == pytest.approx(1 / 990)
    assert count_texts(bins, ["a", "d", "new", "", ""]).tolist() == [1, 0, 2, 2, 1]


@pytest.mark.parametrize(
    "texts", [pytest.param([f"t{n}" for n in range(300)], id="too many"), pytest.param(["x" * 65] * 20, id="too long")]
)
def test_texts_that_cannot_be_remembered_are_never_new(texts: list[str]) -> None:
    bins = text_bins("x", texts)
    assert (bins.categories, bins.rare, bins.complete) == ((), (), False)
    assert count_texts(bins, ["other", texts[0]]).tolist() == [2, 0, 0]


def test_dates_have_one_bin() -> None:
    bins = text_bins("x", ["2026-01-01", "2026-01-02", ""], ColumnKind.DATE)
    assert (bins.counts, bins.missing) == ((2,), 1)


def test_classes_have_a_bin_each_whether_they_were_answered_or_not() -> None:
    bins = bins_of_answers(np.array([3, 3, 1]), (1, 2, 3))
    assert (bins.categories, bins.counts) == (("1", "2", "3"), (1, 0, 2, 0))


def test_of_many_classes_the_first_have_a_bin() -> None:
    bins = bins_of_answers(np.arange(100), range(100))
    assert bins.counts == (1,) * MOST_CATEGORIES + (100 - MOST_CATEGORIES,)


class Refuses:
    """A model that does not answer."""

    manifest = numeric().manifest
    has_probabilities = False

    def predict(self, rows: Inputs) -> Labels:
        raise RowsRefusedError(f"{len(rows)} rows are too many.")

    def predict_with_probabilities(self, rows: Inputs) -> tuple[Labels, Matrix | None]:
        raise RowsRefusedError(f"{len(rows)} rows are too many.")


def test_without_answers_there_is_nothing_to_compare_with_and_the_job_says_so() -> None:
    said: list[str] = []
    rows = FeatureRows(numeric().manifest.columns, tuple(np.zeros((3, 3), np.float32)))
    assert put_reference(MemoryHub(), bins_of_rows(rows), Refuses(), rows, said.append) is None
    assert said == ["no reference bins, so drift will not be seen: held-out rows are not answered: 3 rows are too many"]


FLOATS = st.lists(st.floats(width=32, allow_infinity=False), min_size=1, max_size=60)


@given(learnt=FLOATS, come=FLOATS)
def test_every_number_is_counted_once(learnt: list[float], come: list[float]) -> None:
    bins = number_bins("x", np.array(learnt, dtype=np.float32))
    *counts, missing, outside = count_numbers(bins, np.array(come, dtype=np.float32)).tolist()
    assert len(counts) == len(bins.counts)
    assert sum(counts) + missing == len(come)
    assert outside <= sum(counts)
    *own, missing, outside = count_numbers(bins, np.array(learnt, dtype=np.float32)).tolist()
    assert (tuple(own), missing, outside) == (bins.counts, bins.missing, 0)


@given(FLOATS)
def test_edges_are_the_values_that_a_tenth_two_tenths_and_so_on_do_not_exceed(learnt: list[float]) -> None:
    values = np.array(learnt, dtype=np.float32)
    values = values[~np.isnan(values)]
    assume(len(values))
    tenths = np.quantile(values, np.arange(1, 10) / 10, method="inverted_cdf")
    assert number_bins("x", values).edges == tuple(np.unique(tenths[tenths < values.max()]).tolist())


TEXTS = st.lists(st.sampled_from(["", "a", "b", "c", "d", "e"]), min_size=1, max_size=60)


@given(learnt=TEXTS, come=TEXTS)
def test_every_text_is_counted_once(learnt: list[str], come: list[str]) -> None:
    bins = text_bins("x", learnt)
    *counts, missing, outside = count_texts(bins, come).tolist()
    assert len(counts) == len(bins.counts)
    assert sum(counts) + missing == len(come)
    assert outside == sum(text not in {*learnt, ""} for text in come)


def test_training_stores_how_its_rows_and_its_answers_are_spread() -> None:
    hub = MemoryHub(datasets={"flowers.csv": as_csv(make_table(600))})
    report = train(make_train_run(data=make_source(id_column="id"), preprocessing=(ENCODE_COLOUR,)), surroundings(hub))
    manifest = hub.manifest(report.manifest)
    reference = hub.reference(report.manifest)

    assert [bins.name for bins in reference.features] == [column.name for column in manifest.columns]
    assert [bins.kind for bins in reference.features] == [column.kind for column in manifest.columns]
    assert {bins.present for bins in reference.features} == {report.rows}
    assert reference.prediction.categories == manifest.classes
    assert reference.prediction.present == 600 - report.rows  # those held out: it is surer of rows learnt from
    texts = [["red"] for column in manifest.columns if column.kind is ColumnKind.TEXT]
    width = sum(column.kind is ColumnKind.NUMBER for column in manifest.columns)
    counted = count(reference, np.zeros((1, width), np.float32), texts, [manifest.classes[0]])
    assert len(counted) == reference.width
