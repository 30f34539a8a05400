"""A fit by blocks is the fit that scikit-learn makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from evermodel.contract import Column, ColumnKind, FailureReason, PreprocessingStep
from evermodel_runtime.artifacts.skops_archive import dump_pipeline
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.memory import LIBRARIES, Memory
from evermodel_runtime.data.rows import FeatureRows
from evermodel_runtime.train.blocks import fit_by_blocks
from evermodel_runtime.train.pipeline import table
from evermodel_runtime.train.preprocessing import preprocessing_of

ROWS = 40_000
"""More than two blocks."""
NUMBERS = tuple(Column(name=f"x{place}", kind=ColumnKind.NUMBER, nullable=place == 1) for place in range(4))
TEXTS = tuple(Column(name=name, kind=ColumnKind.TEXT, nullable=name == "size") for name in ("colour", "size"))


def made_rows(columns: tuple[Column, ...]) -> FeatureRows:
    random = np.random.default_rng(0)
    values: list[Any] = []
    for column in columns:
        if column.kind is ColumnKind.TEXT:
            # A word of the last block alone: what is fitted on a block would not know it.
            words = np.array(["red", "green", ""], dtype=np.object_)[random.integers(0, 3, ROWS)]
            words[-1] = "late"
            values.append(words)
        else:
            numbers = random.normal(size=ROWS).astype(np.float32)
            numbers[-1] = 1000
            if column.nullable:
                numbers[::7] = np.nan
            values.append(numbers)
    return FeatureRows(columns, tuple(values))


def step(transformer: str, *columns: str, **parameters: Any) -> PreprocessingStep:
    return PreprocessingStep(transformer=transformer, columns=columns, parameters=parameters)


FILL = step("SimpleImputer", "x1", strategy="median")
CASES = {
    "scaled numbers": (NUMBERS, (FILL, step("StandardScaler", "dtype:number"))),
    "all scalers after one another": (
        NUMBERS,
        (
            step("SimpleImputer", "dtype:number"),
            *(step(f"{name}Scaler", "dtype:number") for name in ("MinMax", "MaxAbs", "Robust")),
        ),
    ),
    "numbers that make others": (
        NUMBERS,
        (step("SimpleImputer", "dtype:number"), step("PCA", "dtype:number", n_components=2)),
    ),
    "numbers beside one-hot text": (
        NUMBERS + TEXTS,
        (
            FILL,
            step("SimpleImputer", "size", strategy="constant", fill_value="missing"),
            step("OneHotEncoder", "dtype:text"),
            step("StandardScaler", "dtype:number"),
        ),
    ),
    "ordinal text, scaled with the numbers": (
        NUMBERS + TEXTS,
        (
            step("OrdinalEncoder", "dtype:text"),
            step("SimpleImputer", "dtype:number"),
            step("StandardScaler", "dtype:number"),
        ),
    ),
    "text alone": (TEXTS, (step("OneHotEncoder", "dtype:text"),)),
}


@pytest.mark.parametrize("exact", [False, True], ids=["as float32", "as trees need it"])
@pytest.mark.parametrize("name", CASES)
def test_the_pipeline_is_the_one_that_scikit_learn_fits(name: str, *, exact: bool) -> None:
    columns, _ = CASES[name]
    rows = made_rows(columns)

    ours, oracle = fitted_both_ways(name, rows, exact=exact)

    known, answers = oracle.predict_proba(table(rows)), ours.predict_proba(table(rows))
    np.testing.assert_allclose(answers, known, atol=1e-6)
    if not exact:  # casts do not tell the names of what they make
        assert ours[:-1].get_feature_names_out().tolist() == oracle[:-1].get_feature_names_out().tolist()


@pytest.mark.parametrize("name", CASES)
def test_a_fit_in_one_block_is_the_same_to_the_last_bit(name: str) -> None:
    columns, _ = CASES[name]

    ours, oracle = fitted_both_ways(name, made_rows(columns)[slice(-1000, None)], exact=False)

    assert dump_pipeline(ours) == dump_pipeline(oracle)


def fitted_both_ways(name: str, rows: FeatureRows, *, exact: bool) -> tuple[Any, Any]:
    columns, steps = CASES[name]
    labels = np.arange(len(rows)) % 2
    pipeline = Pipeline(
        [*preprocessing_of(steps, columns, seed=0, exact=exact), ("estimator", LogisticRegression(max_iter=20))]
    )
    return fit_by_blocks(clone(pipeline), table(rows), labels), clone(pipeline).fit(table(rows), labels)


def test_a_matrix_that_does_not_fit_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Memory, "of_this_process", lambda: Memory(LIBRARIES + (200 << 20), "this Job's memory limit", LIBRARIES)
    )
    words = np.array([f"word {row % 1000}" for row in range(ROWS)], dtype=np.object_)
    rows = FeatureRows(TEXTS[:1], (words,))
    steps = preprocessing_of((step("OneHotEncoder", "colour"),), TEXTS[:1], seed=0, exact=False)
    pipeline = Pipeline([*steps, ("estimator", LogisticRegression())])

    with pytest.raises(
        JobError, match=r"matrix of 40,000 rows and 1,000 columns, which takes 305 MiB.*420 MiB"
    ) as told:
        fit_by_blocks(pipeline, table(rows), np.arange(ROWS) % 2)

    assert told.value.reason is FailureReason.OUT_OF_MEMORY
