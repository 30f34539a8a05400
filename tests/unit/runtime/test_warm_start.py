"""Trainings that start from a model: what is taken over, what is refused, and what is written down."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier
from tests.unit.runtime.made_runs import (
    as_csv,
    make_evaluate_run,
    make_numbers,
    make_source,
    make_table,
    make_train_run,
)
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import (
    Epochs,
    FailureReason,
    ModelFormat,
    PreprocessingStep,
    Task,
    TrainReport,
    WarmStart,
    WarmStartMode,
)
from evermodel_runtime.artifacts.manifests import load_model
from evermodel_runtime.artifacts.skops_archive import dump_pipeline, load_pipeline
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.rows import decode_hashes
from evermodel_runtime.evaluate.job import evaluate
from evermodel_runtime.train.growing import widen
from evermodel_runtime.train.job import train

FEW = make_source(uri="sklearn://digits?rows=:400", target="target")
MORE = make_source(uri="sklearn://digits?rows=:700", target="target")
MLP: dict[str, Any] = {
    "estimator": "MLPClassifier",
    "parameters": {"hidden_layer_sizes": [16], "learning_rate_init": 0.01},
}
SGD: dict[str, Any] = {"estimator": "SGDClassifier", "parameters": {"loss": "log_loss"}}
FOREST: dict[str, Any] = {"estimator": "RandomForestClassifier", "parameters": {"n_estimators": 20}}
EPOCHS = Epochs(max=4, patience=4, validation_fraction=0.2, min_improvement=0.0)


def first(hub: MemoryHub, **changes: Any) -> TrainReport:
    """Train a version with nothing to start from."""
    start = WarmStart(mode=WarmStartMode.CONTINUE)
    return train(make_train_run(**{"data": FEW, "warm_start": start, **changes}), surroundings(hub))


def second(hub: MemoryHub, champion: TrainReport, mode: WarmStartMode, **changes: Any) -> TrainReport:
    """Train a version that starts from the champion."""
    start = WarmStart(mode=mode, champion=champion.manifest)
    return train(make_train_run(**{"data": MORE, "version": 2, "warm_start": start, **changes}), surroundings(hub))


def pipeline_of(hub: MemoryHub, report: TrainReport) -> Any:
    digest = hub.manifest(report.manifest).pipeline
    assert digest is not None
    return load_pipeline(hub.blob(digest))


def rows_of(hub: MemoryHub, report: TrainReport) -> set[int]:
    return set(decode_hashes(hub.blob(hub.manifest(report.manifest).training_rows)).tolist())


def test_the_first_version_is_fitted_as_ever_and_kept_for_the_next() -> None:
    hub, plain = MemoryHub(), MemoryHub()

    report = first(hub, **SGD)

    without = train(make_train_run(data=FEW, **SGD), surroundings(plain))
    assert hub.manifest(report.manifest).onnx == plain.manifest(without.manifest).onnx
    assert report.started_from is None
    assert "no champion yet" in report.notes[-1]
    assert plain.manifest(without.manifest).pipeline is None
    assert pipeline_of(hub, report).classes_.tolist() == list(range(10))


def test_a_network_that_learns_on_is_better_than_one_that_begins_anew() -> None:
    hub = MemoryHub()
    champion = first(hub, **MLP, epochs=EPOCHS)

    on = second(hub, champion, WarmStartMode.CONTINUE, **MLP, epochs=EPOCHS)

    anew = train(make_train_run(data=MORE, **MLP, epochs=EPOCHS), surroundings(hub))
    assert on.epochs is not None
    assert anew.epochs is not None
    assert on.epochs.validation > anew.epochs.validation + 0.05
    assert on.started_from == champion.manifest == hub.manifest(on.manifest).started_from
    assert rows_of(hub, champion) < rows_of(hub, on)
    again = second(hub, champion, WarmStartMode.CONTINUE, **MLP, epochs=EPOCHS)
    assert again.manifest == on.manifest


def test_without_epochs_the_rows_are_gone_through_once_more_from_where_it_was() -> None:
    hub = MemoryHub()
    champion = first(hub, **SGD)
    before = pipeline_of(hub, champion)

    after = pipeline_of(hub, report := second(hub, champion, WarmStartMode.CONTINUE, **SGD))

    assert after.steps[-1][1].t_ == before.steps[-1][1].t_ + report.rows
    assert after.steps[0][1].mean_.tolist() == before.steps[0][1].mean_.tolist()
    assert not np.array_equal(after.steps[-1][1].coef_, before.steps[-1][1].coef_)


def test_naive_bayes_counts_each_row_once() -> None:
    hub = MemoryHub()
    bayes: dict[str, Any] = {"estimator": "GaussianNB", "parameters": {}}
    champion = first(hub, **bayes)

    report = second(hub, champion, WarmStartMode.CONTINUE, **bayes)

    counted = pipeline_of(hub, report).steps[-1][1].class_count_.sum()
    everything = first(MemoryHub(), **bayes, data=MORE)
    assert counted == champion.rows + report.rows == everything.rows
    again = second(hub, report, WarmStartMode.CONTINUE, **bayes)
    assert "no row that it has not counted" in again.notes[-1]
    assert again.rows == everything.rows


def test_a_pace_may_change_when_a_network_learns_on() -> None:
    hub = MemoryHub()
    champion = first(hub, **MLP, epochs=EPOCHS)
    slower = {**MLP, "parameters": {**MLP["parameters"], "learning_rate_init": 1e-6}}

    before, after = (
        pipeline_of(hub, one) for one in (champion, second(hub, champion, WarmStartMode.CONTINUE, **slower))
    )

    assert np.abs(after.steps[-1][1].coefs_[0] - before.steps[-1][1].coefs_[0]).max() < 1e-4


def test_a_forest_grows_and_keeps_its_trees() -> None:
    hub = MemoryHub()
    champion = first(hub, **FOREST)

    report = second(hub, champion, WarmStartMode.GROW, estimator=FOREST["estimator"], parameters={"n_estimators": 30})

    before, after = (pipeline_of(hub, one).steps[-1][1].estimators_ for one in (champion, report))
    assert (len(before), len(after)) == (20, 30)
    for old, kept in zip(before, after, strict=False):
        assert np.array_equal(old.tree_.threshold, kept.tree_.threshold)
    assert report.format is ModelFormat.ONNX


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("classes", [2, 4])
def test_a_widened_network_answers_the_same_and_its_new_units_go_their_own_way(activation: str, classes: int) -> None:
    random = np.random.default_rng(classes)
    rows, labels = random.normal(size=(200, 6)), random.integers(classes, size=200)
    network = MLPClassifier((5, 4), activation=activation, max_iter=20, random_state=0).fit(rows, labels)
    known = network.predict_proba(rows)

    widen(network, [9, 7], random)

    assert [weights.shape for weights in network.coefs_][:2] == [(6, 9), (9, 7)]
    assert np.abs(network.predict_proba(rows) - known).max() < 1e-12
    network.partial_fit(rows, labels)
    assert len(np.unique(network.coefs_[0].round(12), axis=1).T) == 9


def test_a_network_grows_wider_and_learns_on() -> None:
    hub = MemoryHub()
    champion = first(hub, **MLP, epochs=EPOCHS)
    wider = {**MLP, "parameters": {**MLP["parameters"], "hidden_layer_sizes": [24]}}

    report = second(hub, champion, WarmStartMode.GROW, **wider, epochs=EPOCHS)

    assert report.epochs is not None
    assert champion.epochs is not None
    assert pipeline_of(hub, report).steps[-1][1].coefs_[0].shape == (64, 24)
    assert report.epochs.validation > champion.epochs.validation
    assert report.format is ModelFormat.ONNX


REGRESSORS = [
    pytest.param("RandomForestRegressor", {"n_estimators": 10}, {"n_estimators": 15}, id="a forest"),
    pytest.param("GradientBoostingRegressor", {"n_estimators": 10}, {"n_estimators": 15}, id="boosting"),
    pytest.param("MLPRegressor", {"hidden_layer_sizes": [8]}, {"hidden_layer_sizes": [12]}, id="a network"),
]


@pytest.mark.parametrize(("estimator", "before", "after"), REGRESSORS)
def test_regressors_grow_too(estimator: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    hub = MemoryHub(datasets={"flowers.csv": as_csv(make_numbers(200)), "more.csv": as_csv(make_numbers(400))})
    number: dict[str, Any] = {"task": Task.REGRESSION, "estimator": estimator}
    champion = first(hub, **number, parameters=before, data=make_source(target="width", features=("height",)))
    more = make_source(uri="hub://more.csv", target="width", features=("height",))

    report = second(hub, champion, WarmStartMode.GROW, **number, parameters=after, data=more)

    assert report.started_from == champion.manifest


def test_features_of_a_network_are_taken_as_they_are_under_another_estimator() -> None:
    hub = MemoryHub()
    champion = first(hub, **MLP, epochs=EPOCHS)

    report = second(hub, champion, WarmStartMode.FEATURES, estimator="LogisticRegression", parameters={})

    assert (report.format, report.format_reason) == (ModelFormat.ONNX, "")
    before, after = pipeline_of(hub, champion), pipeline_of(hub, report)
    hidden = after.steps[-2][1]
    assert np.array_equal(hidden.weights[0], before.steps[-1][1].coefs_[0])
    rows = np.random.default_rng(0).uniform(0, 16, size=(20, 64))
    scaled = before[:-1].transform(rows)
    network = before.steps[-1][1]
    expected = np.maximum(scaled @ network.coefs_[0] + network.intercepts_[0], 0)
    assert np.allclose(after[:-1].transform(rows), expected)
    third = second(hub, report, WarmStartMode.FEATURES, estimator="SGDClassifier", parameters={}, epochs=EPOCHS)
    assert np.array_equal(pipeline_of(hub, third).steps[-2][1].weights[0], hidden.weights[0])


@pytest.mark.parametrize("activation", ["identity", "tanh", "logistic"])
def test_hidden_layers_of_every_activation_are_served_by_onnx(activation: str) -> None:
    hub = MemoryHub()
    champion = first(
        hub, estimator="MLPClassifier", parameters={"hidden_layer_sizes": [9, 8], "activation": activation}
    )

    report = second(hub, champion, WarmStartMode.FEATURES, estimator="LinearDiscriminantAnalysis", parameters={})

    assert (report.format, report.format_reason) == (ModelFormat.ONNX, "")


def test_text_and_missing_values_go_through_the_transformers_that_were_fitted() -> None:
    hub = MemoryHub(datasets={"flowers.csv": as_csv(make_table(200)), "more.csv": as_csv(make_table(400))})
    source = make_source(id_column="id")
    champion = first(hub, data=source, **SGD)

    report = second(
        hub, champion, WarmStartMode.CONTINUE, data=make_source(uri="hub://more.csv", id_column="id"), **SGD
    )

    assert report.started_from == champion.manifest
    height, width, colour = np.array([2.0], np.float32), np.array([0.0], np.float32), np.array(["red"], np.object_)
    assert load_model(hub, report.manifest).scorer.predict((height, width, colour)).tolist() == ["rose"]


def renamed(rows: int, **names: str) -> bytes:
    return as_csv([{names.get(name, name): value for name, value in row.items()} for row in make_numbers(rows)])


CHANGES = {
    "another.csv": renamed(300, width="depth"),
    "classes.csv": as_csv(
        [{**row, "kind": "lily" if n % 3 else row["kind"]} for n, row in enumerate(make_numbers(300))]
    ),
    "flowers.csv": as_csv(make_numbers(200)),
    "gone.csv": as_csv([{k: v for k, v in row.items() if k != "width"} for row in make_numbers(300)]),
    "missing.csv": as_csv(
        [{**row, "width": "" if n % 5 == 0 else row["width"]} for n, row in enumerate(make_numbers(300))]
    ),
}
MISMATCHES = [
    pytest.param({"estimator": "Perceptron", "parameters": {}}, "it is a SGDClassifier", id="another estimator"),
    pytest.param({"parameters": {"loss": "hinge"}}, "its loss is 'log_loss' and 'hinge'", id="another loss"),
    pytest.param({"data": make_source(uri="hub://another.csv")}, "know the column 'depth'", id="another column"),
    pytest.param({"data": make_source(uri="hub://gone.csv")}, "needs the column 'width'", id="a column less"),
    pytest.param({"data": make_source(uri="hub://missing.csv")}, "'width' lacks values", id="values lacking"),
    pytest.param({"data": make_source(uri="hub://classes.csv")}, "new to it: lily", id="another class"),
]


@pytest.mark.parametrize(("changes", "words"), MISMATCHES)
def test_a_champion_that_does_not_fit_is_followed_by_a_fresh_model(changes: dict[str, Any], words: str) -> None:
    hub = MemoryHub(datasets=CHANGES)
    champion = first(hub, data=make_source(), **SGD)

    report = second(hub, champion, WarmStartMode.CONTINUE, **{"data": make_source(), **SGD, **changes})

    assert report.notes[-1].startswith("Warning: this version is fitted anew")
    assert words in report.notes[-1]
    assert report.started_from is None
    assert hub.manifest(report.manifest).pipeline is not None


@pytest.mark.parametrize(("changes", "words"), MISMATCHES)
def test_a_file_that_does_not_fit_fails_the_run(changes: dict[str, Any], words: str) -> None:
    hub = MemoryHub(datasets=dict(CHANGES))
    start = uploaded(hub, first(hub, data=make_source(), **SGD), WarmStartMode.CONTINUE)

    with pytest.raises(JobError) as failure:
        train(make_train_run(**{"data": make_source(), "warm_start": start, **SGD, **changes}), surroundings(hub))

    assert failure.value.reason is FailureReason.SPEC_INVALID
    assert words in failure.value.message
    assert failure.value.message.startswith("spec.training.warmStart: hub://start cannot be started from")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        pytest.param({"n_estimators": 20}, "it has 20 trees, and n_estimators is 20", id="not more"),
        pytest.param({"n_estimators": 30, "max_depth": 3}, "its max_depth is None and 3", id="other trees"),
    ],
)
def test_what_is_no_growth_is_fitted_anew(parameters: dict[str, Any], words: str) -> None:
    hub = MemoryHub()
    champion = first(hub, **FOREST)

    report = second(hub, champion, WarmStartMode.GROW, estimator="RandomForestClassifier", parameters=parameters)

    assert words in report.notes[-1]
    assert report.started_from is None


def test_a_champion_that_was_stored_without_its_pipeline_is_followed_by_a_fresh_model() -> None:
    hub = MemoryHub()
    champion = train(make_train_run(data=FEW, **MLP), surroundings(hub))

    report = second(hub, champion, WarmStartMode.CONTINUE, **MLP)

    assert "stored as ONNX alone" in report.notes[-1]


def uploaded(hub: MemoryHub, report: TrainReport, mode: WarmStartMode) -> WarmStart:
    """Upload the manifest of a model."""
    hub.datasets["start"] = hub.blob(report.manifest)
    return WarmStart(mode=mode, uri="hub://start", sha256=report.manifest)


def test_rows_that_another_model_has_learnt_from_do_not_judge_the_one_that_starts_from_it() -> None:
    hub = MemoryHub()
    generous = msgspec.structs.replace(FEW, holdout_fraction=0.05)
    start = uploaded(hub, other := first(hub, data=generous, model="other", **SGD), WarmStartMode.CONTINUE)

    report = train(make_train_run(data=MORE, warm_start=start, **SGD), surroundings(hub))

    judged = evaluate(make_evaluate_run(report.manifest, report.data_sha256, data=MORE), surroundings(hub)).reference
    alone = train(make_train_run(data=MORE, **SGD), surroundings(hub))
    free = evaluate(make_evaluate_run(alone.manifest, alone.data_sha256, data=MORE), surroundings(hub)).reference
    assert judged is not None
    assert free is not None
    assert judged.rows < free.rows - 30
    assert rows_of(hub, other) < rows_of(hub, report)
    assert report.started_from == other.manifest


def an_archive(hub: MemoryHub) -> WarmStart:
    """Upload a pipeline that nothing else is known of."""
    archive = dump_pipeline(pipeline_of(hub, first(hub, **SGD)))
    hub.datasets["start"] = archive
    digest = hashlib.sha256(archive).hexdigest()
    return WarmStart(mode=WarmStartMode.CONTINUE, uri="hub://start", sha256=digest)


def test_an_archive_from_elsewhere_is_started_from_with_a_warning() -> None:
    hub = MemoryHub()
    start = an_archive(hub)

    report = train(make_train_run(data=MORE, warm_start=start, **SGD), surroundings(hub))

    assert report.started_from == start.sha256
    (note,) = report.notes  # and none of default steps, for the transformers are those of the archive
    assert "perhaps from rows that are held out here" in note


def test_steps_beside_the_transformers_of_an_archive_are_refused() -> None:
    hub = MemoryHub()
    steps = (PreprocessingStep(transformer="MinMaxScaler", columns=("*",)),)
    run = make_train_run(data=MORE, warm_start=an_archive(hub), preprocessing=steps, **SGD)

    with pytest.raises(JobError, match=r"transformers of its own: leave spec\.training\.preprocessing out"):
        train(run, surroundings(hub))


@pytest.mark.parametrize(
    ("content", "declared", "reason", "words"),
    [
        pytest.param(b"x", "0" * 64, FailureReason.DIGEST_MISMATCH, "is not the declared file", id="another file"),
        pytest.param(b"x", None, FailureReason.SPEC_INVALID, "no skops archive", id="no archive"),
        pytest.param(None, "0" * 64, FailureReason.DATA_NOT_FOUND, "no file start", id="no file"),
        pytest.param(
            dump_pipeline(MLPClassifier()), None, FailureReason.SPEC_INVALID, "holds a MLPClassifier", id="no pipeline"
        ),
    ],
)
def test_what_is_no_model_is_refused(
    content: bytes | None, declared: str | None, reason: FailureReason, words: str
) -> None:
    hub = MemoryHub(datasets={} if content is None else {"start": content})
    digest = declared or hashlib.sha256(content or b"").hexdigest()
    start = WarmStart(mode=WarmStartMode.CONTINUE, uri="hub://start", sha256=digest)

    with pytest.raises(JobError) as failure:
        train(make_train_run(data=FEW, warm_start=start, **SGD), surroundings(hub))

    assert failure.value.reason is reason
    assert words in failure.value.message
