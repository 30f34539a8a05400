"""What the API server lets be declared with an estimator is done by the training Job, and changes the model.

``tests/integration/test_admission.py`` has the other side: what is not named here is refused.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.unit.runtime.made_runs import as_csv, make_source, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, as_records, surroundings

from evermodel.api.rules.estimators import GOING_ON, GROWING, IN_EPOCHS, WITHOUT_WEIGHTS
from evermodel.contract import (
    Column,
    ColumnKind,
    Epochs,
    FailureReason,
    FeedbackRules,
    LearningCurve,
    Manifest,
    Measure,
    Metric,
    Task,
    TrainRun,
    WarmStart,
    WarmStartMode,
)
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.train.estimators import CLASSIFIERS, ESTIMATORS, REGRESSORS
from evermodel_runtime.train.job import train

SMALL = {"n_estimators": 4, "hidden_layer_sizes": [4], "max_depth": 3}
"""Where an estimator has such a parameter."""
LARGER = SMALL | {"n_estimators": 6, "hidden_layer_sizes": [6]}
NEEDED: dict[str, dict[str, Any]] = {
    "RadiusNeighborsClassifier": {"outlier_label": "most_frequent", "radius": 10.0},
    "RadiusNeighborsRegressor": {"radius": 10.0},
    "DummyClassifier": {"strategy": "prior"},
}
WITHOUT_EFFECT = frozenset({"NuSVC"})
"""Have ``class_weight`` and answer as without."""
ALONE = frozenset({"IsotonicRegression"})
"""Take one feature."""
KINDS = {"width": ColumnKind.NUMBER, "height": ColumnKind.NUMBER, "colour": ColumnKind.TEXT}
AS_OF = 200.0
HALF_LIFE = 5.0
"""Of records that are made between 100 and 140."""


def parameters_known_to(name: str) -> set[str]:
    return set(getattr(importlib.import_module(ESTIMATORS[name]), name)().get_params(deep=False))


def parameters_of(name: str, sizes: dict[str, Any]) -> dict[str, Any]:
    known = parameters_known_to(name)
    return {size: value for size, value in sizes.items() if size in known} | NEEDED.get(name, {})


def labels_of(name: str, rows: list[list[Any]], *, seed: int) -> list[Any]:
    """Numbers or classes that follow from the rows, if not quite."""
    noise = np.random.default_rng(seed).normal(0, 0.3, len(rows))
    values = [1 + row[0] + 2 * row[1] + (row[2] == "red") + odd for row, odd in zip(rows, noise, strict=True)]
    if name in REGRESSORS:
        return [max(round(float(value), 3), 0.1) for value in values]
    return ["up" if value > 3 else "down" for value in values]


def made(rows: int, *, seed: int) -> list[list[Any]]:
    random = np.random.default_rng(seed)
    return [[*random.random(2).round(4).tolist(), str(random.choice(["red", "green"]))] for _ in range(rows)]


def file_of(name: str, rows: int) -> bytes:
    table = made(rows, seed=1)
    labels = labels_of(name, table, seed=2)
    return as_csv(
        [dict(zip([*KINDS, "kind"], [*row, label], strict=True)) for row, label in zip(table, labels, strict=True)]
    )


def hub_of(name: str) -> MemoryHub:
    return MemoryHub(datasets={"flowers.csv": file_of(name, 90)})


def run_of(name: str, **changes: Any) -> TrainRun:
    features = ("width",) if name in ALONE else ()
    run = make_train_run(data=make_source(features=features), estimator=name, parameters=parameters_of(name, SMALL))
    if name in REGRESSORS:
        run = msgspec.structs.replace(run, task=Task.REGRESSION, objective=Measure(metric=Metric.RMSE))
    return msgspec.structs.replace(run, **changes)


def trained(run: TrainRun, hub: MemoryHub) -> Manifest:
    return hub.manifest(train(run, surroundings(hub)).manifest)


def digest(manifest: Manifest) -> str | None:
    return manifest.onnx or manifest.skops


def each(names: Iterable[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", sorted(names))


@each(IN_EPOCHS)
def test_learns_in_epochs(name: str) -> None:
    hub = hub_of(name)
    epochs = Epochs(max=3, patience=3, validation_fraction=0.4, min_improvement=0.0)

    manifest = trained(run_of(name, epochs=epochs), hub)

    curve = msgspec.json.decode(hub.blob(manifest.learning_curve or ""), type=LearningCurve)
    assert [epoch.number for epoch in curve.epochs] == [1, 2, 3]


def continued(name: str, mode: WarmStartMode) -> tuple[Manifest, str, Manifest]:
    """Return a version that goes on from a champion, the champion, and a version of the same rows that does not."""
    hub = hub_of(name)
    champion = train(run_of(name, warm_start=WarmStart(mode=mode)), surroundings(hub)).manifest
    hub.datasets["flowers.csv"] = file_of(name, 120)
    sizes = parameters_of(name, LARGER if mode is WarmStartMode.GROW else SMALL)
    start = WarmStart(mode=mode, champion=champion)
    next_version = trained(run_of(name, version=2, parameters=sizes, warm_start=start), hub)
    return next_version, champion, trained(run_of(name, version=2, parameters=sizes), hub)


@pytest.mark.parametrize(
    ("mode", "name"),
    [*((WarmStartMode.CONTINUE, name) for name in IN_EPOCHS), *((WarmStartMode.GROW, name) for name in GROWING)],
)
def test_goes_on_from_what_the_champion_knows(mode: WarmStartMode, name: str) -> None:
    version, champion, anew = continued(name, mode)

    assert version.started_from == champion
    assert digest(version) != digest(anew)


@each(set(GOING_ON) - set(IN_EPOCHS))
def test_naive_bayes_goes_on_and_counts_each_row_once(name: str) -> None:
    version, champion, _ = continued(name, WarmStartMode.CONTINUE)

    assert version.started_from == champion


def aged(name: str, half_life: float | None) -> Manifest:
    hub = hub_of(name)
    names = ("width",) if name in ALONE else tuple(KINDS)
    rows = made(40, seed=3)
    hub.taken = {1: tuple(Column(name=one, kind=KINDS[one]) for one in names)}
    hub.labelled = as_records([row[: len(names)] for row in rows], labels_of(name, rows, seed=4))
    rules = FeedbackRules(as_of=AS_OF, half_life=half_life, max_age=90.0)
    return trained(run_of(name, feedback_through=40, feedback_rules=rules), hub)


@each(set(ESTIMATORS) - set(WITHOUT_WEIGHTS))
def test_counts_rows_by_their_age(name: str) -> None:
    assert digest(aged(name, HALF_LIFE)) != digest(aged(name, None))


@each(set(ESTIMATORS) & set(WITHOUT_WEIGHTS))
def test_is_refused_where_it_counts_rows_alike(name: str) -> None:
    with pytest.raises(
        JobError, match=rf"^spec\.retraining\.data\.halfLife weighs rows by their age, and {name} "
    ) as told:
        aged(name, HALF_LIFE)

    assert told.value.reason is FailureReason.SPEC_INVALID


def with_weights(name: str) -> TrainRun:
    run = run_of(name)
    return msgspec.structs.replace(run, parameters=run.parameters | {"class_weight": {"up": 5.0, "down": 1.0}})


@each(name for name in CLASSIFIERS if "class_weight" in parameters_known_to(name) and name not in WITHOUT_EFFECT)
def test_weighs_classes(name: str) -> None:
    assert digest(trained(with_weights(name), hub_of(name))) != digest(trained(run_of(name), hub_of(name)))


@each(name for name in CLASSIFIERS if "class_weight" not in parameters_known_to(name) or name in WITHOUT_EFFECT)
def test_is_refused_where_it_does_not_weigh_classes(name: str) -> None:
    with pytest.raises(
        JobError, match=rf"^spec\.training\.parameters\.class_weight: {name} (has no|takes it, and)"
    ) as told:
        trained(with_weights(name), hub_of(name))

    assert told.value.reason is FailureReason.SPEC_INVALID
