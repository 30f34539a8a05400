"""Estimators that compare each row with each other one are refused before the node would kill the pod for them."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.ensemble import BaggingRegressor, RandomForestRegressor, StackingRegressor, VotingRegressor
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.semi_supervised import LabelPropagation, LabelSpreading
from tests.unit.runtime.made_runs import as_csv, make_numbers, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import FailureReason
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.memory import LIBRARIES, Memory
from evermodel_runtime.train.job import train
from evermodel_runtime.train.row_pairs import check_row_pairs

GIB = 1 << 30
ROWS = 20_000
"""Of which all pairs are 3.0 GiB of float64."""
LIMIT = Memory(LIBRARIES + 2 * GIB, "this Job's memory limit")
ENOUGH = Memory(LIBRARIES + 40 * GIB, "this Job's memory limit")

TOO_LARGE = {
    "a Gaussian process": (GaussianProcessRegressor(), "GaussianProcessRegressor"),
    "one of classes": (GaussianProcessClassifier(), "GaussianProcessClassifier"),
    "kernel ridge": (KernelRidge(), "KernelRidge"),
    "spreading": (LabelSpreading(), "LabelSpreading"),
    "propagation": (LabelPropagation(), "LabelPropagation"),
    "a voting member": (VotingRegressor([("linear", Ridge()), ("kernel", KernelRidge())]), "KernelRidge"),
    "what stacks": (StackingRegressor([("linear", Ridge())], final_estimator=KernelRidge()), "KernelRidge"),
    "a bagged one of all rows": (BaggingRegressor(KernelRidge(), max_samples=1.0), "KernelRidge"),
    "a bagged one of most rows": (BaggingRegressor(KernelRidge(), max_samples=15_000), "KernelRidge"),
}
SMALL_ENOUGH = {
    "a linear model": LogisticRegression(),
    "a forest": RandomForestRegressor(),
    "a graph of neighbours": LabelSpreading(kernel="knn"),
    "bagged ones of a tenth of the rows": BaggingRegressor(GaussianProcessRegressor(), max_samples=0.1),
    "bagged ones of some rows": BaggingRegressor(GaussianProcessRegressor(), max_samples=500),
}


@pytest.mark.parametrize(("estimator", "name"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_pairs_that_do_not_fit_are_refused_with_their_size_and_the_limit(estimator: Any, name: str) -> None:
    with pytest.raises(JobError) as raised:
        check_row_pairs(estimator, ROWS, LIMIT)

    assert raised.value.reason is FailureReason.OUT_OF_MEMORY
    assert raised.value.message.startswith(f"spec.training: {name} compares each of ")
    assert "but this Job's memory limit is 2.2 GiB. Train on fewer rows, " in raised.value.message


@pytest.mark.parametrize("estimator", [estimator for estimator, _ in TOO_LARGE.values()], ids=TOO_LARGE)
def test_pairs_that_fit_are_taken(estimator: Any) -> None:
    check_row_pairs(estimator, ROWS, ENOUGH)
    check_row_pairs(estimator, ROWS // 10, LIMIT)


@pytest.mark.parametrize("estimator", SMALL_ENOUGH.values(), ids=SMALL_ENOUGH)
def test_estimators_that_compare_few_rows_are_taken(estimator: Any) -> None:
    check_row_pairs(estimator, ROWS, LIMIT)


def test_the_job_refuses_them_before_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Memory, "of_this_process", lambda: Memory(LIBRARIES + (32 << 20), "this Job's memory limit"))
    hub = MemoryHub(datasets={"flowers.csv": as_csv(make_numbers(3000))})

    with pytest.raises(JobError, match="LabelSpreading compares each of 2,"):
        train(make_train_run(estimator="LabelSpreading"), surroundings(hub))
