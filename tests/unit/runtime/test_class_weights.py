"""Weights of classes are declared by name, whatever the type of the classes is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.unit.runtime.made_runs import as_csv, make_numbers, make_source, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import (
    WARNING,
    Ensemble,
    EnsembleType,
    FailureReason,
    Manifest,
    Measure,
    Member,
    Metric,
    WarmStart,
    WarmStartMode,
)
from evermodel_runtime.artifacts.manifests import load_model
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.train.job import train

RARE = as_csv([row | {"kind": int(place % 12 == 0)} for place, row in enumerate(make_numbers(600))])
"""Classes that the features tell nothing of: what is answered is decided by their weights."""


def answered(weights: dict[str, float] | str | None) -> tuple[Manifest, set[int]]:
    """Train on the rare class and ask the model about many rows."""
    hub = MemoryHub(datasets={"flowers.csv": RARE})
    run = make_train_run(estimator="LogisticRegression", parameters={"class_weight": weights})
    model = load_model(hub, train(run, surroundings(hub)).manifest)
    rows = np.random.default_rng(1).normal(size=(500, 2)).astype(np.float32)
    return model.manifest, set(model.scorer.predict(rows).tolist())


@pytest.mark.parametrize(
    ("weights", "answers"),
    [
        pytest.param(None, {0}, id="without weights the rare class is never answered"),
        pytest.param({"0": 1.0, "1": 1000.0}, {1}, id="a thousandfold weight makes it the answer"),
        pytest.param("balanced", {0, 1}, id="balanced"),
    ],
)
def test_weights_by_the_text_of_a_whole_number(weights: Any, answers: set[int]) -> None:
    manifest, found = answered(weights)

    assert found == answers
    assert manifest.parameters == {"class_weight": weights}


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        pytest.param({"0": 1.0, "2": 5.0}, "names '2', which is no class", id="a class that is not there"),
        pytest.param({"0": 1.0}, "leaves out the class '1'", id="a class without a weight"),
    ],
)
def test_weights_that_do_not_fit_the_classes_are_told(weights: dict[str, float], words: str) -> None:
    hub = MemoryHub(datasets={"flowers.csv": RARE})
    run = make_train_run(data=make_source(), estimator="RandomForestClassifier", parameters={"class_weight": weights})

    with pytest.raises(JobError, match=words) as failure:
        train(run, surroundings(hub))

    assert failure.value.reason is FailureReason.SPEC_INVALID
    assert "spec.training.parameters.class_weight" in failure.value.message


@pytest.mark.parametrize("estimator", ["LogisticRegression", "RandomForestClassifier", "DecisionTreeClassifier"])
@pytest.mark.parametrize("weights", [[1.0, 2.0], [{"0": 1.0}], 3, "heavy"], ids=str)
def test_what_is_no_weights_at_all_is_told_with_what_to_write(estimator: str, weights: Any) -> None:
    run = make_train_run(estimator=estimator, parameters={"class_weight": weights})

    with pytest.raises(JobError) as failure:
        train(run, surroundings(MemoryHub(datasets={"flowers.csv": RARE})))

    assert failure.value.reason is FailureReason.SPEC_INVALID
    assert failure.value.message == (
        f"spec.training.parameters.class_weight: {weights!r} gives {estimator} no weights of classes. Write balanced, "
        "or a weight for each class by its name, such as {rose: 1, tulip: 2.5}."
    )


def member(name: str, estimator: str) -> Member:
    return Member(name=name, estimator=estimator, parameters={"class_weight": {"rare": 1000.0, "usual": 1.0}})


@pytest.mark.parametrize(
    "declared",
    [
        pytest.param(
            {
                "estimator": "HistGradientBoostingClassifier",
                "parameters": {"class_weight": {"rare": 1000.0, "usual": 1.0}},
            },
            id="an estimator that numbers its classes",
        ),
        pytest.param(
            {
                "estimator": "VotingClassifier",
                "ensemble": Ensemble(
                    type=EnsembleType.VOTING,
                    members=(member("a", "LogisticRegression"), member("b", "HistGradientBoostingClassifier")),
                ),
            },
            id="members that vote",
        ),
        pytest.param(
            {
                "estimator": "StackingClassifier",
                "ensemble": Ensemble(
                    type=EnsembleType.STACKING,
                    members=(member("a", "LogisticRegression"), member("b", "RidgeClassifier")),
                    final_estimator=member("c", "LogisticRegression"),
                ),
            },
            id="members that are stacked, and the final estimator",
        ),
        pytest.param(
            {
                "estimator": "BaggingClassifier",
                "ensemble": Ensemble(type=EnsembleType.BAGGING, members=(member("a", "LogisticRegression"),)),
            },
            id="a member that is bagged",
        ),
    ],
)
def test_weights_count_wherever_they_are_declared(declared: dict[str, Any]) -> None:
    names = ("usual", "rare")
    rows = [row | {"kind": names[place % 12 == 0]} for place, row in enumerate(make_numbers(600))]
    hub = MemoryHub(datasets={"flowers.csv": as_csv(rows)})

    model = load_model(hub, train(make_train_run(**declared), surroundings(hub)).manifest)

    asked = np.random.default_rng(1).normal(size=(200, 2)).astype(np.float32)
    assert np.mean(model.scorer.predict(asked) == "rare") > 0.2  # one row in twelve is


def test_a_wrong_weight_of_a_member_is_told_by_its_place() -> None:
    hub = MemoryHub(datasets={"flowers.csv": RARE})
    ensemble = Ensemble(type=EnsembleType.VOTING, members=(Member(name="a", estimator="SVC"), member("b", "LinearSVC")))

    with pytest.raises(JobError, match=r"ensemble\.members\[1\]\.parameters\.class_weight names 'rare'"):
        train(make_train_run(estimator="VotingClassifier", ensemble=ensemble), surroundings(hub))


@pytest.mark.parametrize(
    ("estimator", "mode", "larger"),
    [
        pytest.param("SGDClassifier", WarmStartMode.CONTINUE, {}, id="weights learn on"),
        pytest.param("RandomForestClassifier", WarmStartMode.GROW, {"n_estimators": 120}, id="trees are added"),
    ],
)
def test_a_model_with_weights_of_classes_is_started_from(
    estimator: str, mode: WarmStartMode, larger: dict[str, Any]
) -> None:
    hub = MemoryHub(datasets={"flowers.csv": RARE})
    parameters: dict[str, Any] = {"class_weight": {"0": 1.0, "1": 5.0}}
    run = make_train_run(estimator=estimator, parameters=parameters, warm_start=WarmStart(mode=mode))
    champion = train(run, surroundings(hub)).manifest
    hub.datasets["flowers.csv"] += RARE.split(b"\n", 1)[1].replace(b".", b".1")

    start = WarmStart(mode=mode, champion=champion)
    run = make_train_run(estimator=estimator, parameters=parameters | larger, version=2, warm_start=start)

    assert train(run, surroundings(hub)).started_from == champion


def test_a_class_whose_rows_are_all_held_out_is_warned_of() -> None:
    rows = [row | {"kind": "rare" if place == 6 else row["kind"]} for place, row in enumerate(make_numbers(60))]
    hub = MemoryHub(datasets={"flowers.csv": as_csv(rows)})

    report = train(make_train_run(), surroundings(hub))

    assert hub.manifest(report.manifest).classes == ("rose", "tulip")
    assert [note for note in report.notes if "all rows of class 'rare' are held out" in note]


@pytest.mark.parametrize(
    ("every", "objective", "warned"),
    [
        pytest.param(12, Measure(), True, id="accuracy, and eleven of twelve are of one class"),
        pytest.param(10, Measure(), False, id="nine of ten are not more than 90 %"),
        pytest.param(12, Measure(metric=Metric.RECALL, positive_class="1"), False, id="recall of the rare class"),
    ],
)
def test_accuracy_that_hides_a_rare_class_is_warned_of(every: int, objective: Measure, *, warned: bool) -> None:
    rows = as_csv([row | {"kind": int(place % every == 0)} for place, row in enumerate(make_numbers(600))])
    parts = surroundings(MemoryHub(datasets={"flowers.csv": rows}))
    run = make_train_run(estimator="LogisticRegression", objective=objective)

    notes = [note for note in train(run, parts).notes if note.startswith(WARNING)]

    assert len(notes) == warned
    for note in notes:
        assert "91.7% of the labels are '0', so always saying it has an accuracy of 0.917." in note
        assert all(remedy in note for remedy in ("class_weight", "f1 with positiveClass", "balancedAccuracy."))


def test_what_to_do_is_not_cut_off_after_a_long_class() -> None:
    long = [row | {"kind": "rare" if place % 12 == 0 else "c" * 200} for place, row in enumerate(make_numbers(600))]
    parts = surroundings(MemoryHub(datasets={"flowers.csv": as_csv(long)}))

    [note] = [note for note in train(make_train_run(), parts).notes if note.startswith(WARNING)]

    assert note.endswith("balancedAccuracy.")
