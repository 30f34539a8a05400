"""Proposals by TPE: of the declared space, each once, the same each time, and better than draws."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.unit.runtime.made_runs import make_train_run

from evermodel.contract import Measure, Metric, Search, SearchAlgorithm, Trial
from evermodel_runtime.train.tpe import FIRST, ParzenProposals
from evermodel_runtime.train.trials import Setting, choices_of, settings_of

BOOSTING = {
    "learning_rate": {"low": 1e-4, "high": 1, "log": True},
    "subsample": {"low": 0.1, "high": 1},
    "n_estimators": {"low": 1, "high": 1000, "int": True, "log": True},
    "max_depth": {"low": 1, "high": 30, "int": True},
    "max_features": [None, "sqrt", 1, 1.0],
}
ACCURACY, RMSE = Measure(), Measure(metric=Metric.RMSE)
Score = Callable[[Setting], float | None]


def proposals(search: Search, objective: Measure = ACCURACY, seed: int = 0) -> ParzenProposals:
    run = make_train_run(estimator="GradientBoostingClassifier", seed=seed)
    return ParzenProposals(choices_of(search), settings_of(run, search), objective, seed)


def declared(parameters: dict[str, Any], trials: int = 30) -> Search:
    return Search(parameters=parameters, algorithm=SearchAlgorithm.TPE, max_trials=trials)


def searched(
    search: Search,
    score: Score,
    objective: Measure = ACCURACY,
    seed: int = 0,
    *,
    ended: list[Trial] | None = None,
    at_once: int = 1,
) -> list[Trial]:
    """Return the trials of a search, of which these had ended."""
    trials = list(ended or [])
    made = proposals(search, objective, seed)
    while len(trials) < search.max_trials:
        for setting in made.after(list(trials), min(at_once, search.max_trials - len(trials))):
            trials.append(Trial(number=len(trials) + 1, parameters=setting, rows=1, score=score(setting)))
    return trials


def hill(setting: Setting) -> float:
    """Highest where the learning rate is 0.01 and the depth is 20."""
    rate, depth = math.log10(setting["learning_rate"]), int(setting["max_depth"])
    return -((rate + 2) ** 2) - ((depth - 20) / 10) ** 2


def test_settings_are_of_the_declared_space_and_differ() -> None:
    trials = searched(declared(BOOSTING, 40), hill)

    settings = [trial.parameters for trial in trials]
    assert len({msgspec.json.encode(setting) for setting in settings}) == 40
    for setting in settings:
        assert 1e-4 <= setting["learning_rate"] <= 1
        assert 0.1 <= setting["subsample"] <= 1
        assert 1 <= setting["n_estimators"] <= 1000
        assert 1 <= setting["max_depth"] <= 30
        assert {name: type(value) for name, value in setting.items() if name != "max_features"} == {
            "learning_rate": float,
            "subsample": float,
            "n_estimators": int,
            "max_depth": int,
        }
    assert {repr(setting["max_features"]) for setting in settings} == {"None", "'sqrt'", "1", "1.0"}


def test_the_first_are_those_of_a_random_search() -> None:
    trials = searched(declared(BOOSTING), hill)

    drawn = settings_of(
        make_train_run(estimator="GradientBoostingClassifier"),
        Search(parameters=BOOSTING, algorithm=SearchAlgorithm.RANDOM, max_trials=30),
    )
    assert [trial.parameters for trial in trials[:FIRST]] == drawn[:FIRST]
    assert trials[FIRST].parameters != drawn[FIRST]


@pytest.mark.parametrize("ended", [0, 3, FIRST, FIRST + 7])
def test_a_search_that_goes_on_proposes_what_it_would_have_proposed(ended: int) -> None:
    whole = searched(declared(BOOSTING), hill)
    kept = msgspec.json.decode(msgspec.json.encode(whole[:ended]), type=list[Trial])

    assert searched(declared(BOOSTING), hill, ended=kept) == whole


def test_another_seed_proposes_others() -> None:
    one, other = (searched(declared(BOOSTING), hill, seed=seed) for seed in (0, 1))

    assert one[FIRST:] != other[FIRST:]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("objective", "score"),
    [
        pytest.param(ACCURACY, hill, id="where more is better"),
        pytest.param(RMSE, lambda setting: -hill(setting), id="where less is better"),
    ],
)
def test_proposals_are_nearer_to_the_best_than_draws(objective: Measure, score: Score, seed: int) -> None:
    trials = searched(declared(BOOSTING, 40), score, objective, seed)

    drawn, proposed = ([hill(trial.parameters) for trial in part] for part in (trials[:FIRST], trials[FIRST + FIRST :]))
    assert np.mean(proposed) > np.mean(drawn) / 3, "all are below 0"


def test_settings_that_cannot_be_fitted_count_as_the_worst_and_do_not_draw_others() -> None:
    """The best ones lie beside those that fail: four of five proposals would fail if nothing were learnt from these."""

    def best_at_the_edge(setting: Setting) -> float | None:
        rate, depth = float(setting["learning_rate"]), int(setting["max_depth"])
        return None if rate > 0.1 or depth > 20 else rate * depth

    proposed = [searched(declared(BOOSTING, 50), best_at_the_edge, seed=seed)[FIRST:] for seed in range(3)]

    assert np.mean([trial.score is None for trials in proposed for trial in trials]) < 0.6


@pytest.mark.parametrize("at_once", [3, 16])
def test_what_is_proposed_at_once_differs_and_does_not_depend_on_its_scores(at_once: int) -> None:
    trials = searched(declared(BOOSTING, 40), hill, at_once=at_once)
    assert len({msgspec.json.encode(trial.parameters) for trial in trials}) == 40

    seen = math.ceil(FIRST / at_once) * at_once
    others = [msgspec.structs.replace(trial, score=0.0) for trial in trials[seen : seen + at_once]]
    again = searched(declared(BOOSTING, 40), hill, ended=[*trials[:seen], *others], at_once=at_once)
    assert [trial.parameters for trial in again[:seen]] == [trial.parameters for trial in trials[:seen]]
    assert proposals(declared(BOOSTING, 40)).after(trials[:seen], at_once) == [
        trial.parameters for trial in trials[seen : seen + at_once]
    ]
    assert again[seen + at_once :] != trials[seen + at_once :], "later ones do depend on them"


def test_where_all_trials_fail_there_is_a_next_one_all_the_same() -> None:
    trials = searched(declared(BOOSTING), lambda _: None)

    assert len(trials) == 30


def test_in_a_small_space_each_setting_is_tried_once() -> None:
    search = declared({"max_depth": list(range(1, 8)), "max_features": [1, 1.0]}, 100)
    count = len(settings_of(make_train_run(estimator="GradientBoostingClassifier"), search))

    trials = searched(msgspec.structs.replace(search, max_trials=count), lambda setting: float(setting["max_depth"]))

    assert len({msgspec.json.encode(trial.parameters) for trial in trials}) == len(trials) == 14


def test_other_searches_do_without_optuna() -> None:
    code = "import sys; import evermodel_runtime.train.search; sys.exit('optuna' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
