"""Converters of our own: what they export answers as scikit-learn does, on rows at the limits of float32 too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.cross_decomposition import CCA, PLSCanonical
from sklearn.datasets import load_diabetes, load_wine
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestCentroid, RadiusNeighborsClassifier, RadiusNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.semi_supervised import LabelPropagation, LabelSpreading, SelfTrainingClassifier
from sklearn.svm import LinearSVC

from evermodel.contract import Column, ColumnKind, Manifest
from evermodel_runtime.artifacts.scorer import OnnxScorer
from evermodel_runtime.data.rows import FeatureRows
from evermodel_runtime.train.converters.hist_gradient_boosting import float32_at_most
from evermodel_runtime.train.export import NoOnnxError, check_parity, export

Table = NDArray[np.float32]
RANDOM = np.random.default_rng(0)
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:.*neighbors:UserWarning")


def scaled(values: NDArray[Any]) -> Table:
    table: Table = ((values - values.mean(axis=0)) / values.std(axis=0)).astype(np.float32)
    return table


def around(table: Table, rows: int = 1500) -> Table:
    """Rows of the table, and others near them."""
    chosen = table[RANDOM.integers(0, len(table), rows)]
    noisy = chosen + RANDOM.normal(scale=0.2, size=chosen.shape).astype(np.float32)
    return np.concatenate([table, noisy]).astype(np.float32)


WINE, WINE_CLASSES = scaled(load_wine().data), load_wine().target
WORDS = np.array(["red", "rosé", "white"], dtype=object)[WINE_CLASSES]
TWO = np.where(WINE_CLASSES == 1, "yes", "no").astype(object)
DIABETES, PROGRESS = scaled(load_diabetes().data), load_diabetes().target


def columns_of(table: Table) -> tuple[Column, ...]:
    return tuple(Column(name=f"c{place}", kind=ColumnKind.NUMBER) for place in range(table.shape[1]))


def fitted(estimator: Any, table: Table, target: NDArray[Any]) -> Any:
    passed = ColumnTransformer([], remainder="passthrough", sparse_threshold=0)
    return Pipeline([("columns", passed), ("estimator", estimator)]).fit(table.astype(np.float64), target)


def checked(estimator: Any, table: Table, target: NDArray[Any], rows: Table | None = None) -> OnnxScorer:
    """Fit, export, and compare on many rows."""
    columns, pipeline = columns_of(table), fitted(estimator, table, target)
    scorer = OnnxScorer.load(export(pipeline, columns, "m"), manifest(columns))
    asked = around(table) if rows is None else rows
    check_parity(pipeline, scorer, FeatureRows(columns, tuple(asked.T)))
    return scorer


def manifest(columns: tuple[Column, ...]) -> Manifest:
    return Manifest(
        model="m",
        version=1,
        columns=columns,
        classes=(),
        onnx_inputs="matrix",
        training_rows="",
        majority=0,
        data_sha256="",
        feedback_through=None,
        estimator="",
        parameters={},
        libraries={},
    )


CLASSIFIERS = [
    pytest.param(HistGradientBoostingClassifier(max_iter=30), id="histogram boosting"),
    pytest.param(HistGradientBoostingClassifier(max_iter=5, max_leaf_nodes=2), id="histogram boosting of stumps"),
    pytest.param(HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=200), id="histogram boosting of leaves"),
    pytest.param(GaussianProcessClassifier(), id="gaussian process"),
    pytest.param(LabelPropagation(gamma=0.5), id="label propagation"),
    pytest.param(LabelPropagation(kernel="knn"), id="label propagation by neighbours"),
    pytest.param(LabelSpreading(gamma=0.5), id="label spreading"),
    pytest.param(LinearSVC(), id="linear support vectors"),
    pytest.param(NearestCentroid(), id="nearest centroid"),
    pytest.param(NearestCentroid(priors="empirical"), id="nearest centroid with priors"),
    pytest.param(NearestCentroid(shrink_threshold=0.5), id="nearest shrunken centroid"),
    pytest.param(RadiusNeighborsClassifier(2.5, outlier_label="most_frequent"), id="neighbours in a radius"),
    pytest.param(
        RadiusNeighborsClassifier(2.5, weights="distance", outlier_label="most_frequent"), id="weighted by distance"
    ),
    pytest.param(DummyClassifier(), id="the frequencies"),
    pytest.param(DummyClassifier(strategy="most_frequent"), id="the most frequent"),
]


@pytest.mark.parametrize("estimator", CLASSIFIERS)
@pytest.mark.parametrize(
    "target",
    [
        pytest.param(WINE_CLASSES, id="three classes"),
        pytest.param(WORDS, id="three words"),
        pytest.param(TWO, id="two words"),
    ],
)
def test_a_classifier_answers_as_it_did(estimator: Any, target: NDArray[Any]) -> None:
    scorer = checked(estimator, WINE, target)

    assert scorer.has_probabilities == hasattr(estimator, "predict_proba")


@pytest.mark.parametrize(
    "estimator",
    [
        pytest.param(HistGradientBoostingRegressor(max_iter=30), id="histogram boosting"),
        pytest.param(HistGradientBoostingRegressor(max_iter=30, loss="poisson"), id="of counts"),
        pytest.param(HistGradientBoostingRegressor(max_iter=30, loss="gamma"), id="of waiting times"),
        pytest.param(HistGradientBoostingRegressor(max_iter=30, loss="absolute_error"), id="of the median"),
        pytest.param(HistGradientBoostingRegressor(max_iter=30, loss="quantile", quantile=0.8), id="of a quantile"),
        pytest.param(DummyRegressor(), id="the mean"),
        pytest.param(DummyRegressor(strategy="median"), id="the median"),
        pytest.param(KernelRidge(alpha=1.0), id="kernel ridge"),
        pytest.param(KernelRidge(kernel="rbf", gamma=0.05), id="kernel ridge, rbf"),
        pytest.param(KernelRidge(kernel="poly", degree=2, alpha=10.0), id="kernel ridge, polynomial"),
        pytest.param(RadiusNeighborsRegressor(2.5), id="neighbours in a radius, or none"),
        pytest.param(RadiusNeighborsRegressor(2.5, weights="distance"), id="weighted by distance"),
        pytest.param(CCA(1), id="canonical correlation"),
        pytest.param(PLSCanonical(1, scale=False), id="partial least squares"),
        pytest.param(TransformedTargetRegressor(), id="no transformation"),
        pytest.param(
            TransformedTargetRegressor(RandomForestRegressor(5, random_state=0)), id="a forest without transformation"
        ),
    ],
)
def test_a_regressor_answers_as_it_did(estimator: Any) -> None:
    checked(estimator, DIABETES, PROGRESS)


@pytest.mark.parametrize("nowhere", [pytest.param(0, id="the export"), pytest.param(1, id="the pipeline")])
def test_a_number_is_not_what_is_no_number(nowhere: int) -> None:
    """One model has an answer for every row, the other for none."""
    models = [fitted(RadiusNeighborsRegressor(1e-6), DIABETES, PROGRESS), fitted(DummyRegressor(), DIABETES, PROGRESS)]
    columns, asked = columns_of(DIABETES), DIABETES + 1
    scorer = OnnxScorer.load(export(models[nowhere], columns, "m"), manifest(columns))

    with pytest.raises(NoOnnxError, match=r"labels equal on 0\.00%"):
        check_parity(models[1 - nowhere], scorer, FeatureRows(columns, tuple(asked.T)))


@pytest.mark.parametrize("out_of_bounds", ["nan", "clip"])
def test_an_isotonic_regression_answers_as_it_did_out_of_its_range_too(out_of_bounds: Any) -> None:
    beyond = np.linspace(-9, 9, 1001, dtype=np.float32).reshape(-1, 1)

    checked(IsotonicRegression(out_of_bounds=out_of_bounds), DIABETES[:, 2:3], PROGRESS, rows=beyond)


def test_an_isotonic_regression_of_one_value_is_flat() -> None:
    same = np.full((10, 1), 2.0, dtype=np.float32)

    scorer = checked(IsotonicRegression(out_of_bounds="clip"), same, np.arange(10.0), rows=same)

    assert scorer.predict(np.array([[7.0]], dtype=np.float32)).tolist() == [4.5]


class TestHistogramBoosting:
    """What trees on binned values know and others do not."""

    def test_missing_values_go_where_they_went(self) -> None:
        table = WINE.copy()
        table[RANDOM.random(table.shape) < 0.2] = np.nan
        rows = np.concatenate([around(table), np.full((1, table.shape[1]), np.nan, dtype=np.float32)])

        checked(HistGradientBoostingClassifier(max_iter=30), table, WINE_CLASSES, rows=rows)

    @pytest.mark.parametrize("missing", [pytest.param(0.0, id="none missing"), pytest.param(0.2, id="some missing")])
    def test_categories_known_unknown_and_missing_go_where_they_went(self, missing: float) -> None:
        """Categories come first in the fitted trees, so the other columns move; unknown counts as missing."""
        rows = 2000
        numbers, codes = RANDOM.normal(size=(rows, 2)), RANDOM.integers(0, 40, size=(rows, 2)) * 3.0
        target = np.isin(codes[:, 0], [3, 9, 30, 60, 117]) ^ (numbers[:, 1] > 0.5) ^ (codes[:, 1] > 60)
        table = np.column_stack([numbers[:, 0], codes[:, 0], numbers[:, 1], codes[:, 1]]).astype(np.float32)
        table[RANDOM.random(table.shape) < missing] = np.nan
        asked = table.copy()
        asked[::3, 1] = np.nan
        asked[1::3, 3] = 1.0  # no category
        asked[2::7, 1] = -5.0

        for estimator in (HistGradientBoostingClassifier, HistGradientBoostingRegressor):
            made = estimator(categorical_features=[1, 3], max_iter=20)
            checked(made, table, target.astype(np.int64), rows=np.concatenate([table, asked]))

    def test_values_next_to_a_threshold_stay_on_their_side(self) -> None:
        """Thresholds lie between two float32 values that are neighbours."""
        low = np.float32(0.1)
        values = np.array([low, np.nextafter(low, np.float32(1))] * 50, dtype=np.float32).reshape(-1, 1)
        target = np.array([0, 1] * 50)

        scorer = checked(HistGradientBoostingClassifier(min_samples_leaf=1), values, target, rows=values)

        assert scorer.predict(values[:2]).tolist() == [0, 1]

    @pytest.mark.parametrize(
        ("threshold", "expected"),
        [
            pytest.param(0.5, 0.5, id="a float32 is itself"),
            pytest.param(0.1, float(np.nextafter(np.float32(0.1), np.float32(0))), id="never above"),
            pytest.param(float("inf"), float("inf"), id="missing values alone go right"),
            pytest.param(1e300, float(np.finfo(np.float32).max), id="above every float32"),
            pytest.param(-1e300, float("-inf"), id="below every float32"),
        ],
    )
    def test_a_threshold_is_the_largest_float32_that_is_not_above(self, threshold: float, expected: float) -> None:
        assert float32_at_most(threshold) == expected


MEMBERS = [
    ("boosting", HistGradientBoostingClassifier(max_iter=5)),
    ("process", GaussianProcessClassifier()),
    ("linear", LogisticRegression()),
]


@pytest.mark.parametrize(
    "estimator",
    [
        pytest.param(VotingClassifier(MEMBERS, voting="soft"), id="soft voting"),
        pytest.param(VotingClassifier(MEMBERS), id="hard voting"),
        pytest.param(VotingClassifier(MEMBERS, voting="soft", weights=[1, 2, 3]), id="soft voting with weights"),
        pytest.param(StackingClassifier(MEMBERS, cv=2), id="stacking"),
        pytest.param(StackingClassifier(MEMBERS, HistGradientBoostingClassifier(max_iter=5), cv=2), id="boosting last"),
        pytest.param(CalibratedClassifierCV(LinearSVC(), cv=2), id="calibration"),
        pytest.param(SelfTrainingClassifier(LogisticRegression()), id="self-training"),
    ],
)
@pytest.mark.filterwarnings("ignore:y contains no unlabeled samples")
@pytest.mark.parametrize("target", [pytest.param(WORDS, id="three classes"), pytest.param(TWO, id="two classes")])
def test_members_of_an_ensemble_are_exported_too(estimator: Any, target: NDArray[Any]) -> None:
    checked(estimator, WINE, target)


@pytest.mark.parametrize(
    "estimator",
    [
        pytest.param(FixedThresholdClassifier(LogisticRegression(), threshold=0.9, pos_label="yes"), id="declared"),
        pytest.param(FixedThresholdClassifier(GaussianNB(), threshold=0.9, pos_label="no"), id="of the first class"),
        pytest.param(FixedThresholdClassifier(HistGradientBoostingClassifier(max_iter=5), pos_label="yes"), id="half"),
        pytest.param(TunedThresholdClassifierCV(LogisticRegression(), cv=2), id="found"),
    ],
)
def test_a_decision_threshold_is_exported_too(estimator: Any) -> None:
    checked(estimator, WINE, TWO)


def test_members_of_an_ensemble_of_regressors_are_exported_too() -> None:
    members: Any = [("boosting", HistGradientBoostingRegressor(max_iter=5)), ("ridge", Ridge())]

    checked(VotingRegressor(members), DIABETES, PROGRESS)
    checked(VotingRegressor(members, weights=[3, 1]), DIABETES, PROGRESS)
    checked(StackingRegressor(members, cv=2), DIABETES, PROGRESS)


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        pytest.param(DummyClassifier(strategy="uniform"), "draws lots", id="answers at random"),
        pytest.param(RadiusNeighborsClassifier(50.0), "rows that have no neighbour", id="refuses some rows"),
        pytest.param(
            RadiusNeighborsClassifier(50.0, metric="manhattan", outlier_label=1), "metric manhattan", id="other metric"
        ),
        pytest.param(NearestCentroid(metric="manhattan"), "metric manhattan", id="other centroids"),
        pytest.param(GaussianProcessClassifier(multi_class="one_vs_one"), "one_vs_one", id="no probabilities"),
        pytest.param(KernelRidge(kernel="laplacian"), "kernel laplacian", id="other kernel"),
        pytest.param(IsotonicRegression(out_of_bounds="raise"), "out_of_bounds=raise", id="raises"),
        pytest.param(TransformedTargetRegressor(func=np.log, inverse_func=np.exp), "a transformation", id="a function"),
    ],
)
def test_what_cannot_be_expressed_is_told(estimator: Any, words: str) -> None:
    table = WINE[:, :1] if isinstance(estimator, IsotonicRegression) else WINE

    with pytest.raises(NoOnnxError, match=words):
        checked(estimator, table, WINE_CLASSES + (0 if isinstance(estimator, IsotonicRegression) else 1))
