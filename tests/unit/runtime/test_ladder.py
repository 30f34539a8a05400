"""Attempts after an alarm: the champion's recipe again, its parameters searched for again, a vote with others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from tests.unit.runtime.made_runs import as_csv, make_numbers, make_source, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, as_records, surroundings
from threadpoolctl import threadpool_limits

from evermodel.contract import (
    Ensemble,
    EnsembleType,
    Epochs,
    Manifest,
    Measure,
    Member,
    Metric,
    ModelFormat,
    PreprocessingStep,
    Search,
    SearchTable,
    Strategy,
    Task,
    TrainReport,
    TrainRun,
)
from evermodel_runtime.train.estimators import REGRESSORS
from evermodel_runtime.train.job import train
from evermodel_runtime.train.ladder import GRIDS, with_strategy
from evermodel_runtime.train.trials import settings_of

FOREST = {"estimator": "RandomForestClassifier", "parameters": {"n_estimators": 10}}
SEARCH = Search(parameters={"max_depth": [1, 8]}, folds=2)
SCALE = PreprocessingStep(transformer="StandardScaler", columns=("*",))


def champion_of(hub: MemoryHub, **changes: Any) -> tuple[TrainReport, Manifest]:
    report = train(make_train_run(**changes), surroundings(hub))
    return report, hub.manifest(report.manifest)


def again(hub: MemoryHub, champion: TrainReport, strategy: Strategy, **changes: Any) -> tuple[TrainReport, Manifest]:
    return champion_of(hub, version=2, champion=champion.manifest, strategy=strategy, **changes)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small fits wait longer for their threads than for their sums when the machine is busy."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def hub() -> MemoryHub:
    return MemoryHub(datasets={"flowers.csv": as_csv(make_numbers(200))})


def test_a_refit_keeps_the_parameters_that_were_found_for_the_champion_and_searches_for_none(hub: MemoryHub) -> None:
    first, champion = champion_of(hub, search=SEARCH, **FOREST)

    second, refitted = again(hub, first, Strategy.REFIT, search=SEARCH, **FOREST)

    assert champion.parameters["max_depth"] in {1, 8}
    assert refitted.parameters == champion.parameters
    assert second.search is None
    assert len(hub.tried) == 1


def test_a_tune_searches_again_as_declared(hub: MemoryHub) -> None:
    first, _ = champion_of(hub, search=SEARCH, **FOREST)

    second, tuned = again(hub, first, Strategy.TUNE, search=SEARCH, **FOREST)

    assert second.search is not None
    assert second.search.trials == 2
    assert tuned.search is not None
    assert len(hub.tried) == 2


def test_a_tune_tries_a_small_grid_where_none_is_declared_and_says_so(hub: MemoryHub) -> None:
    first, _ = champion_of(hub, **FOREST)

    second, tuned = again(hub, first, Strategy.TUNE, **FOREST)

    assert second.search is not None
    assert second.search.trials == 6
    assert second.search.failed == 0
    assert tuned.parameters["n_estimators"] == 10
    assert tuned.parameters["min_samples_leaf"] in {1, 3, 10}
    assert "No search is declared: Tune tried min_samples_leaf [1, 3, 10]" in second.notes[1]


def test_a_tune_of_an_estimator_without_a_grid_fits_it_and_says_what_to_declare(hub: MemoryHub) -> None:
    first, _ = champion_of(hub, estimator="QuadraticDiscriminantAnalysis")

    second, _ = again(hub, first, Strategy.TUNE, estimator="QuadraticDiscriminantAnalysis")

    assert second.search is None
    assert "Tune knows no parameters to try for QuadraticDiscriminantAnalysis" in second.notes[1]


def test_an_ensemble_lets_the_champion_vote_with_others_and_is_refitted_as_it_is(hub: MemoryHub) -> None:
    first, _ = champion_of(hub, search=SEARCH, **FOREST)

    second, joined = again(hub, first, Strategy.ENSEMBLE, search=SEARCH, **FOREST)
    third, refitted = again(hub, second, Strategy.REFIT, search=SEARCH, **FOREST)

    assert second.format is ModelFormat.ONNX, second.format_reason
    assert joined.estimator == "VotingClassifier"
    assert joined.ensemble is not None
    assert [member.estimator for member in joined.ensemble.members] == [
        "RandomForestClassifier",
        "HistGradientBoostingClassifier",
        "LogisticRegression",
    ]
    assert joined.ensemble.members[0].parameters["max_depth"] in {1, 8}
    assert second.search is None
    assert refitted.ensemble == joined.ensemble
    assert third.search is None


@pytest.mark.parametrize("strategy", list(Strategy))
def test_every_strategy_learns_a_changed_world_from_the_chosen_data(strategy: Strategy) -> None:
    other = {"rose": "tulip", "tulip": "rose"}
    table = make_numbers(450, seed=5)
    records = as_records([[row["height"], row["width"]] for row in table], [other[row["kind"]] for row in table])
    hub = MemoryHub(datasets={"flowers.csv": as_csv(make_numbers(200))}, labelled=records)
    first, _ = champion_of(hub, **FOREST)

    second, _ = again(hub, first, strategy, feedback_through=450, changed_after=0, **FOREST)

    assert second.window == "recent"
    assert second.validation is not None
    assert second.validation > 0.8


def test_numbers_are_voted_on_too() -> None:
    hub = MemoryHub()
    run = {
        "data": make_source(uri="sklearn://diabetes", target="target"),
        "task": Task.REGRESSION,
        "objective": Measure(metric=Metric.RMSE),
        "estimator": "RandomForestRegressor",
        "parameters": {"n_estimators": 10},
    }
    first, _ = champion_of(hub, **run)

    second, joined = again(hub, first, Strategy.ENSEMBLE, **run)
    third, tuned = again(hub, first, Strategy.TUNE, **run)

    assert joined.estimator == "VotingRegressor"
    assert second.format is ModelFormat.ONNX, second.format_reason
    assert third.search is not None
    table = msgspec.json.decode(hub.blob(tuned.search or ""), type=SearchTable)
    assert third.search.score == min(trial.score for trial in table.trials if trial.score is not None)


BOOSTING = "HistGradientBoostingClassifier"
VOTE = Ensemble(
    type=EnsembleType.VOTING,
    members=(Member(name="a", estimator="GaussianNB"), Member(name="b", estimator="LogisticRegression")),
)


@pytest.mark.parametrize(
    ("run", "members"),
    [
        pytest.param({"estimator": "LogisticRegression"}, ["LogisticRegression", BOOSTING], id="a linear model"),
        pytest.param({"estimator": BOOSTING}, [BOOSTING, "LogisticRegression"], id="boosting"),
        pytest.param(
            {"estimator": "VotingClassifier", "ensemble": VOTE},
            ["GaussianNB", "LogisticRegression", BOOSTING],
            id="a vote",
        ),
        pytest.param(
            {
                "estimator": "MLPClassifier",
                "epochs": Epochs(max=9, patience=2, validation_fraction=0.2, min_improvement=0.0),
            },
            ["MLPClassifier", BOOSTING, "LogisticRegression"],
            id="one that learns in epochs",
        ),
        pytest.param(
            {"estimator": "SVR", "task": Task.REGRESSION},
            ["SVR", "HistGradientBoostingRegressor", "Ridge"],
            id="numbers",
        ),
    ],
)
def test_no_estimator_votes_twice(run: dict[str, Any], members: list[str]) -> None:
    joined, _ = with_strategy(make_train_run(strategy=Strategy.ENSEMBLE, **run), None)

    assert joined.ensemble is not None
    assert [member.estimator for member in joined.ensemble.members] == members
    assert (joined.search, joined.epochs) == (None, None)


def test_the_champion_of_another_declaration_has_no_say() -> None:
    run = make_train_run(strategy=Strategy.REFIT, search=SEARCH, **FOREST)
    assert with_strategy(run, None) == (run, [])


def test_a_champion_that_was_brought_from_elsewhere_lends_no_parameters(hub: MemoryHub) -> None:
    _, champion = champion_of(hub, **FOREST)
    brought = msgspec.structs.replace(champion, parameters={})
    run = make_train_run(strategy=Strategy.REFIT, **FOREST)
    assert with_strategy(run, brought) == (run, [])


def test_steps_that_were_searched_for_are_kept_and_default_steps_are_those_of_today(hub: MemoryHub) -> None:
    declared = {"estimator": "LogisticRegression", "preprocessing": (SCALE,)}
    search = Search(parameters={"StandardScaler__with_mean": [False]}, folds=2)
    first, champion = champion_of(hub, search=search, **declared)

    _, refitted = again(hub, first, Strategy.REFIT, search=search, **declared)
    run, _ = with_strategy(make_train_run(strategy=Strategy.REFIT, estimator="LogisticRegression"), champion)

    assert refitted.preprocessing[0].parameters == {"with_mean": False}
    assert run.preprocessing == ()


@pytest.mark.parametrize("estimator", GRIDS)
def test_the_grids_are_small_and_their_values_are_allowed(estimator: str) -> None:
    run: TrainRun
    task = Task.REGRESSION if estimator in REGRESSORS else Task.CLASSIFICATION
    run, _ = with_strategy(make_train_run(estimator=estimator, task=task, strategy=Strategy.TUNE), None)
    assert run.search is not None
    assert 3 < len(settings_of(run, run.search)) <= 10
    assert msgspec.json.decode(msgspec.json.encode(run), type=TrainRun) == run
