"""The training Job for numbers: their column, the regressors, the choice of data, what is written down."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics
from tests.unit.runtime.made_runs import as_csv, make_source, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, numbers, surroundings

from evermodel.contract import (
    Ensemble,
    EnsembleType,
    Epochs,
    FailureReason,
    LabelledRecord,
    Manifest,
    Measure,
    Member,
    Metric,
    ModelFormat,
    Search,
    SearchAlgorithm,
    Task,
    TrainRun,
)
from evermodel_runtime.artifacts.manifests import load_model
from evermodel_runtime.artifacts.scorer import OnnxScorer
from evermodel_runtime.artifacts.skops_archive import dump_pipeline, load_pipeline
from evermodel_runtime.data.bundled import bundled_csv
from evermodel_runtime.data.csvfile import read_csv
from evermodel_runtime.data.dataset import Dataset, read_dataset
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.labels import Target, read_target
from evermodel_runtime.train.estimators import REGRESSORS
from evermodel_runtime.train.export import check_parity, export, layout_of
from evermodel_runtime.train.job import train
from evermodel_runtime.train.pipeline import make_recipe, table

pytestmark = [  # small models do not converge, and scikit-learn announces what it will drop
    pytest.mark.filterwarnings("ignore:.*converge"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
SMALL: dict[str, dict[str, Any]] = {
    "AdaBoostRegressor": {"n_estimators": 5},
    "BaggingRegressor": {"n_estimators": 5},
    "CCA": {"n_components": 1},
    "ExtraTreesRegressor": {"n_estimators": 5},
    "GradientBoostingRegressor": {"n_estimators": 5},
    "HistGradientBoostingRegressor": {"max_iter": 5},
    "IsotonicRegression": {"out_of_bounds": "clip"},
    "MLPRegressor": {"hidden_layer_sizes": [8], "max_iter": 30},
    "PLSCanonical": {"n_components": 1},
    "PLSRegression": {"n_components": 1},
    "RandomForestRegressor": {"n_estimators": 5},
    "TheilSenRegressor": {"max_subpopulation": 100},
}
RMSE = Measure(metric=Metric.RMSE)
DIABETES = bundled_csv("diabetes")
HOUSES = make_source(uri="hub://houses.csv", target="price")


def regression_run(estimator: str = "Ridge", **changes: Any) -> TrainRun:
    given = {"task": Task.REGRESSION, "objective": RMSE, "data": HOUSES, "estimator": estimator} | changes
    return make_train_run(**given)


def houses(count: int = 200, *, seed: int = 0, rise: float = 0.0) -> list[dict[str, Any]]:
    """Make prices that follow from size and age up to noise of 5; ``rise`` is added to all of them."""
    random = np.random.default_rng(seed)
    size, age, noise = random.uniform(20, 200, count), random.uniform(0, 50, count), random.normal(0, 5, count)
    prices = (2 * size - age + noise + rise).round(2)
    columns = zip(size.round(1).tolist(), age.round(1).tolist(), prices.tolist(), strict=True)
    return [{"size": s, "age": a, "price": p} for s, a, p in columns]


def hub_of_houses(table_: list[dict[str, Any]] | None = None, records: tuple[LabelledRecord, ...] = ()) -> MemoryHub:
    return MemoryHub(
        datasets={"houses.csv": as_csv(table_ or houses())}, labelled=records, taken={1: numbers("size", "age")}
    )


def records_of(table_: list[dict[str, Any]], **changes: str) -> tuple[LabelledRecord, ...]:
    return tuple(
        LabelledRecord(
            seq=place + 1,
            version=1,
            predicted_at=place + 1.0,
            row=(row["size"], row["age"]),
            label=changes.get("label", str(row["price"])),
        )
        for place, row in enumerate(table_)
    )


def target_of(*cells: str) -> Target:
    lines = "\n".join(f"1,{cell}" for cell in cells)
    return read_target(read_csv(f"a,price\n{lines}\n".encode(), "f", texts=("price",)), "price", Task.REGRESSION)


def diabetes(estimator: str) -> tuple[TrainRun, Dataset]:
    features = ("bmi",) if estimator == "IsotonicRegression" else ()
    data = make_source(target="target", features=features)
    run = regression_run(estimator, data=data, parameters=SMALL.get(estimator, {}))
    return run, read_dataset(read_csv(DIABETES, "diabetes"), data, task=Task.REGRESSION)


def fitted(estimator: str) -> tuple[Any, Dataset]:
    run, dataset = diabetes(estimator)
    return make_recipe(run, dataset.features.columns).fit(dataset.features, dataset.target.labels), dataset


def manifest(dataset: Dataset) -> Manifest:
    return Manifest(
        model="m",
        version=1,
        columns=dataset.features.columns,
        task=Task.REGRESSION,
        onnx_inputs=layout_of(dataset.features.columns),
        training_rows="",
        data_sha256="",
        feedback_through=None,
        estimator="",
        parameters={},
        libraries={},
    )


def test_numbers_are_read_with_their_full_precision() -> None:
    assert target_of("1", "2.5", "-1e3", "123456789.123").labels.tolist() == [1.0, 2.5, -1000.0, 123456789.123]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        pytest.param(("1", "cheap", "3"), "row 2 (line 3) holds 'cheap'", id="a word"),
        pytest.param(("1", "2", ""), "row 3 (line 4) holds no value", id="none"),
        pytest.param(("1", "inf", "inf"), "row 2 (line 3) holds 'inf' (and 1 more rows likewise)", id="no end"),
        pytest.param(("1", "1e39", "2"), "row 2 (line 3) holds '1e39'", id="beyond 32-bit floats"),
        pytest.param(("7", "7", "7"), "is 7 in every row: there is nothing to predict", id="always the same"),
    ],
)
def test_a_target_that_is_no_number_is_told_by_its_row(cells: tuple[str, ...], words: str) -> None:
    with pytest.raises(JobError) as failure:
        target_of(*cells)

    assert failure.value.reason is FailureReason.DATA_INVALID
    assert words in failure.value.message


@pytest.mark.parametrize(
    ("sent", "number"),
    [
        pytest.param("3", 3.0, id="a whole number"),
        pytest.param("-2.5e-3", -0.0025, id="a fraction"),
        pytest.param("dear", None, id="a word"),
        pytest.param("nan", None, id="no number"),
        pytest.param("true", None, id="a boolean"),
    ],
)
def test_a_label_sent_later_is_a_number_or_left_out(sent: str, number: float | None) -> None:
    assert target_of("1", "2").parse([sent]) == [number]


@pytest.mark.parametrize("estimator", REGRESSORS)
def test_every_regressor_passes_the_parity_gate(estimator: str) -> None:
    pipeline, dataset = fitted(estimator)
    scorer = OnnxScorer.load(export(pipeline, dataset.features.columns, "m"), manifest(dataset))

    assert check_parity(pipeline, scorer, dataset.features).holds
    assert not scorer.has_probabilities


@pytest.mark.parametrize("estimator", REGRESSORS)
def test_every_regressor_comes_back_by_skops_as_it_was(estimator: str) -> None:
    pipeline, dataset = fitted(estimator)
    content = dump_pipeline(pipeline)

    assert content == dump_pipeline(pipeline)
    rows = table(dataset.features)
    assert load_pipeline(content).predict(rows).tolist() == pipeline.predict(rows).tolist()


def test_the_report_and_the_manifest_say_what_was_made() -> None:
    hub = hub_of_houses()

    report = train(regression_run(), surroundings(hub))

    model = load_model(hub, report.manifest)
    dataset = read_dataset(read_csv(as_csv(houses()), "f"), HOUSES, task=Task.REGRESSION)
    learnt = dataset.target.labels[~dataset.reference]
    assert (report.classes, report.format) == (0, ModelFormat.ONNX)
    assert (model.manifest.task, model.manifest.classes, model.manifest.majority) == (Task.REGRESSION, (), None)
    assert (model.manifest.mean, model.manifest.median) == (np.mean(learnt), np.median(learnt))
    predicted = model.scorer.predict(dataset.features.inputs())
    assert sklearn_metrics.root_mean_squared_error(dataset.target.labels, predicted) < 7


def test_a_regressor_that_onnx_cannot_hold_is_stored_by_skops() -> None:
    hub = hub_of_houses()

    report = train(regression_run("KNeighborsRegressor", parameters={"metric": "canberra"}), surroundings(hub))

    assert report.format is ModelFormat.SKOPS
    scorer = load_model(hub, report.manifest).scorer
    assert scorer.predict(np.array([[100, 10]], np.float32)).tolist() == pytest.approx([190], abs=60)


@pytest.mark.parametrize("size", [1e-9, 0.1, 1e7])
def test_a_regressor_that_answers_one_number_is_compared_by_its_size(size: float) -> None:
    table_of_rows = [row | {"price": (row["price"] + 1 / 3) * size} for row in houses()]
    hub = MemoryHub(datasets={"houses.csv": as_csv(table_of_rows)})

    report = train(regression_run("DummyRegressor"), surroundings(hub))

    assert (report.format, report.format_reason) == (ModelFormat.ONNX, "")


def test_the_same_run_makes_the_same_manifest() -> None:
    run = regression_run("RandomForestRegressor", parameters={"n_estimators": 5})
    first, second = hub_of_houses(), hub_of_houses()

    assert train(run, surroundings(first)).manifest == train(run, surroundings(second)).manifest


@pytest.mark.parametrize(
    ("metric", "error"),
    [
        pytest.param(Metric.RMSE, sklearn_metrics.root_mean_squared_error, id="rmse"),
        pytest.param(Metric.MAE, sklearn_metrics.mean_absolute_error, id="mae"),
    ],
)
def test_the_window_with_the_smallest_error_is_chosen_and_its_error_told(metric: Metric, error: Any) -> None:
    before, after = houses(200, seed=1), houses(200, seed=2, rise=300)
    hub = hub_of_houses(records=records_of(before + after))

    report = train(regression_run(objective=Measure(metric=metric), feedback_through=400), surroundings(hub))

    assert report.window == "recent"
    assert report.validation is not None
    assert 0 < report.validation < 10
    unseen = houses(100, seed=3, rise=300)
    predicted = load_model(hub, report.manifest).scorer.predict(
        np.array([[row["size"], row["age"]] for row in unseen], np.float32)
    )
    assert error([row["price"] for row in unseen], predicted) < 10


def test_in_a_world_that_did_not_change_all_data_are_kept() -> None:
    hub = hub_of_houses(records=records_of(houses(400, seed=1)))

    report = train(regression_run("KNeighborsRegressor", feedback_through=400), surroundings(hub))

    assert (report.window, report.feedback_rows) == ("all", 400)


def test_a_label_that_is_no_number_is_left_out() -> None:
    hub = hub_of_houses(records=records_of(houses(50, seed=1), label="dear"))

    assert train(regression_run(feedback_through=50), surroundings(hub)).feedback_rows == 0


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        pytest.param(EnsembleType.VOTING, {"weights": (1.0, 2.0)}, id="the mean of several"),
        pytest.param(EnsembleType.STACKING, {"final_estimator": Member(name="", estimator="Ridge")}, id="a stack"),
        pytest.param(EnsembleType.BAGGING, {"parameters": {"n_estimators": 5}}, id="a bag"),
    ],
)
def test_regressors_are_made_of_regressors(kind: EnsembleType, how: dict[str, Any]) -> None:
    hub = hub_of_houses()
    members = (Member(name="ridge", estimator="Ridge"), Member(name="tree", estimator="DecisionTreeRegressor"))
    chosen = members[:1] if kind is EnsembleType.BAGGING else members
    run = regression_run(f"{kind}Regressor", ensemble=Ensemble(type=kind, members=chosen, **how))

    report = train(run, surroundings(hub))

    assert report.format is ModelFormat.ONNX
    [predicted] = load_model(hub, report.manifest).scorer.predict(np.array([[100, 10]], np.float32)).tolist()
    assert predicted == pytest.approx(190, abs=15)


@pytest.mark.parametrize("algorithm", [SearchAlgorithm.GRID, SearchAlgorithm.SUCCESSIVE_HALVING])
def test_a_search_finds_the_parameters_with_the_smallest_error(algorithm: SearchAlgorithm) -> None:
    hub = hub_of_houses()
    search = Search(algorithm=algorithm, parameters={"alpha": [1e6, 1e3, 0.01]}, folds=3)

    report = train(regression_run(search=search), surroundings(hub))

    assert hub.manifest(report.manifest).parameters == {"alpha": 0.01}
    assert report.search is not None
    assert 0 < report.search.score < 10


@pytest.mark.parametrize(
    ("estimator", "parameters"),
    [
        pytest.param("MLPRegressor", {"learning_rate_init": 0.1}, id="a network"),
        pytest.param("PassiveAggressiveRegressor", {}, id="passive and aggressive"),
        pytest.param("SGDRegressor", {}, id="gradient descent"),
    ],
)
def test_a_regressor_learns_in_epochs_that_stop_by_rows_kept_apart(estimator: str, parameters: dict[str, Any]) -> None:
    hub = hub_of_houses()
    epochs = Epochs(max=300, patience=20, validation_fraction=0.2, min_improvement=0.0)

    report = train(regression_run(estimator, parameters=parameters, epochs=epochs), surroundings(hub))

    model = load_model(hub, report.manifest)
    unseen = houses(100, seed=3)
    predicted = model.scorer.predict(np.array([[row["size"], row["age"]] for row in unseen], np.float32))
    truth = np.array([row["price"] for row in unseen])
    assert sklearn_metrics.root_mean_squared_error(truth, predicted) < np.std(truth)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param(
            {"estimator": "SVC"}, "SVC is no estimator of the task Regression. Did you mean 'SVR'?", id="a classifier"
        ),
        pytest.param(
            {"task": Task.CLASSIFICATION},
            "To predict a number, set spec.task to Regression",
            id="numbers taken for classes",
        ),
    ],
)
def test_task_and_data_must_fit(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(JobError) as failure:
        train(regression_run(**changes), surroundings(hub_of_houses()))

    assert words in failure.value.message


@pytest.mark.parametrize(
    ("metric", "warned"), [pytest.param(Metric.MAPE, 1, id="mape"), pytest.param(Metric.MAE, 0, id="mae")]
)
def test_a_target_of_0_is_warned_of_where_the_metric_divides_by_it(metric: Metric, warned: int) -> None:
    free = [row | {"price": 0.0} if place % 10 == 0 else row for place, row in enumerate(houses())]

    report = train(regression_run(objective=Measure(metric=metric)), surroundings(hub_of_houses(free)))

    assert sum("the target is 0 in 20 of 200 rows" in note for note in report.notes) == warned


def test_no_imbalance_is_told_of_numbers() -> None:
    mostly_free = [row | {"price": 1.0} if place % 20 else row for place, row in enumerate(houses())]

    assert not any(
        note.startswith("Warning") for note in train(regression_run(), surroundings(hub_of_houses(mostly_free))).notes
    )
