"""Training in epochs: when it stops, which weights are kept, and what is written down."""

import msgspec
import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier
from tests.unit.runtime.made_runs import ENCODE_COLOUR, as_csv, make_numbers, make_source, make_table, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import Epochs, FailureReason, LearningCurve, Metric, Task, TrainReport
from evermodel_runtime.artifacts.manifests import load_model
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.train.epochs import in_epochs
from evermodel_runtime.train.job import train

DIGITS = make_source(uri="sklearn://digits?rows=:700", target="target")
EPOCHS = Epochs(max=30, patience=5, validation_fraction=0.2, min_improvement=0.0)
MLP = {"estimator": "MLPClassifier", "parameters": {"hidden_layer_sizes": [16], "learning_rate_init": 0.01}}
SGD = {"estimator": "SGDClassifier", "parameters": {"loss": "log_loss"}}


def trained(hub: MemoryHub, **changes: object) -> TrainReport:
    return train(make_train_run(**{"data": DIGITS, "epochs": EPOCHS, **changes}), surroundings(hub))


def curve_of(hub: MemoryHub, report: TrainReport) -> LearningCurve:
    digest = hub.manifest(report.manifest).learning_curve
    assert digest is not None
    return msgspec.json.decode(hub.blob(digest), type=LearningCurve)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(MLP, id="layers"),
        pytest.param(SGD, id="a linear model"),
        pytest.param({"estimator": "Perceptron", "parameters": {}}, id="a perceptron"),
        pytest.param({"estimator": "PassiveAggressiveClassifier", "parameters": {}}, id="passive aggressive"),
    ],
)
def test_a_model_that_learns_in_epochs_is_good_and_the_same_each_time(how: dict[str, object]) -> None:
    hub, again = MemoryHub(), MemoryHub()

    report = trained(hub, **how)

    assert report.epochs is not None
    assert report.epochs.validation > 0.85
    assert trained(again, **how).manifest == report.manifest
    assert hub.blobs == again.blobs


def test_the_curve_has_every_epoch_and_the_best_one_is_what_was_kept() -> None:
    hub = MemoryHub()

    report = trained(hub, **MLP)

    curve = curve_of(hub, report)
    best = max(curve.epochs, key=lambda epoch: epoch.validation)
    assert [epoch.number for epoch in curve.epochs] == list(range(1, len(curve.epochs) + 1))
    assert report.epochs == curve.summary
    assert (curve.best, report.epochs.validation, report.epochs.run) == (
        best.number,
        best.validation,
        len(curve.epochs),
    )
    losses = [epoch.loss for epoch in curve.epochs if epoch.loss is not None]
    assert len(losses) == len(curve.epochs)
    assert losses[-1] < losses[0] / 2
    assert curve.learning_rows + curve.validation_rows == report.rows


def test_the_weights_of_the_best_epoch_are_kept_though_later_ones_are_worse() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(400, 20))
    labels = (rows[:, 0] + random.normal(size=400) > 0).astype(np.int64)
    epochs = Epochs(max=30, patience=30, validation_fraction=0.2, min_improvement=0.0)
    way = in_epochs(epochs, 3, lambda _: None)
    from sklearn.pipeline import Pipeline  # noqa: PLC0415 - one test

    learnt = way(
        Pipeline([("estimator", SGDClassifier(learning_rate="constant", eta0=1.0, random_state=0))]), rows, labels, None
    )

    assert learnt.curve is not None
    scores = [epoch.validation for epoch in learnt.curve.epochs]
    assert scores[-1] < max(scores)
    assert learnt.pipeline.named_steps["estimator"].t_ == 1 + learnt.curve.best * learnt.curve.learning_rows


@pytest.mark.parametrize(
    ("changes", "run"),
    [
        pytest.param({"max": 4}, 4, id="as many as are declared"),
        pytest.param({"min_improvement": 0.9, "patience": 3}, 4, id="after the patience, from the first one on"),
    ],
)
def test_training_stops(changes: dict[str, object], run: int) -> None:
    report = trained(MemoryHub(), **MLP, epochs=msgspec.structs.replace(EPOCHS, **changes))

    assert report.epochs is not None
    assert report.epochs.run == run


def test_a_regressor_stops_by_r2() -> None:
    hub = MemoryHub(datasets={"flowers.csv": as_csv(make_numbers(300))})
    source = make_source(target="width", features=("height",))

    report = trained(hub, data=source, task=Task.REGRESSION, estimator="SGDRegressor", parameters={})

    curve = curve_of(hub, report)
    assert curve.metric is Metric.R2
    assert report.epochs is not None
    assert report.epochs.validation < 0.5


def test_text_is_encoded_and_the_model_is_served() -> None:
    hub = MemoryHub(datasets={"flowers.csv": as_csv(make_table(300))})
    report = trained(hub, data=make_source(id_column="id"), preprocessing=(ENCODE_COLOUR,), **SGD)

    model = load_model(hub, report.manifest)

    height, width, colour = np.array([2.0], np.float32), np.array([0.0], np.float32), np.array(["red"], np.object_)
    assert model.scorer.predict((height, width, colour)).tolist() == ["rose"]


def test_balanced_classes_are_weighed_by_all_rows() -> None:
    rows = [row for row in make_numbers(600, seed=1) if row["kind"] == "rose" or row["width"] > 1.2]
    found = {}
    for weight in ("balanced", None):
        hub = MemoryHub(datasets={"flowers.csv": as_csv(rows)})
        parameters = {"loss": "log_loss", "class_weight": weight, "learning_rate": "constant", "eta0": 0.01}
        report = trained(hub, data=make_source(), estimator="SGDClassifier", parameters=parameters)
        scorer = load_model(hub, report.manifest).scorer
        grid = np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32)
        found[weight] = np.mean(scorer.predict(grid) == "tulip")

    assert found["balanced"] > found[None] + 0.1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param(
            {"estimator": "MLPClassifier", "parameters": {"solver": "lbfgs"}}, "all rows at once", id="all rows at once"
        ),
        pytest.param(
            {"estimator": "MLPClassifier", "parameters": {"max_iter": 10}}, "epochs.max is", id="passes said twice"
        ),
        pytest.param(
            {"estimator": "SGDClassifier", "parameters": {"early_stopping": True}}, "patience", id="stopping said twice"
        ),
        pytest.param(
            {"data": make_source(uri="sklearn://iris", target="target"), **SGD},
            "at least 20 are needed",
            id="too few rows to stop by",
        ),
    ],
)
def test_a_run_that_cannot_go_through_epochs_says_why(changes: dict[str, object], words: str) -> None:
    hub = MemoryHub()

    with pytest.raises(JobError) as failure:
        trained(hub, **{"epochs": msgspec.structs.replace(EPOCHS, validation_fraction=0.1), **changes})

    assert failure.value.reason is FailureReason.SPEC_INVALID
    assert words in failure.value.message
    assert not hub.blobs
