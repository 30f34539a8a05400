"""A search tries what is declared, scores it as scikit-learn does, and goes on where it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from tests.unit.runtime.made_runs import as_csv, make_numbers, make_source, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, as_records, surroundings

from evermodel.contract import (
    Column,
    ColumnKind,
    FailureReason,
    FoldStrategy,
    PreprocessingStep,
    Search,
    SearchAlgorithm,
    SearchTable,
    TrainReport,
    TrainRun,
    Trial,
)
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.rows import FeatureRows, row_hashes
from evermodel_runtime.train import search as searching
from evermodel_runtime.train.folds import folds_of
from evermodel_runtime.train.job import train
from evermodel_runtime.train.rounds import halvings_of
from evermodel_runtime.train.trials import settings_of, with_setting
from evermodel_runtime.train.windows import LabelledRows

PCA = PreprocessingStep(transformer="PCA", columns=("*",), parameters={"n_components": 2})
SCALE = PreprocessingStep(transformer="StandardScaler", columns=("*",))
FOREST = {"estimator": "RandomForestClassifier", "parameters": {"n_estimators": 3}}
DEPTHS = {"max_depth": [1, 2, 3], "criterion": ["gini", "entropy"]}


def hub_with(content: bytes) -> MemoryHub:
    return MemoryHub(datasets={"flowers.csv": content})


def searched(hub: MemoryHub, parameters: dict[str, Any], run: dict[str, Any] | None = None, **how: Any) -> TrainReport:
    declared = Search(parameters=parameters, folds=3, **how)
    return train(make_train_run(search=declared, **(run or {})), surroundings(hub))


def table_of(hub: MemoryHub, report: TrainReport) -> SearchTable:
    digest = hub.manifest(report.manifest).search
    assert digest is not None
    return msgspec.json.decode(hub.blob(digest), type=SearchTable)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[LabelledRows]:
    """Return what the trials divide into folds, as they come."""
    data: list[LabelledRows] = []
    try_before = searching._try

    def noting(number: int, run: TrainRun, setting: Any, rows: LabelledRows, folds: Any) -> Trial:
        data.append(rows)
        return try_before(number, run, setting, rows, folds)

    monkeypatch.setattr(searching, "_try", noting)
    return data


def test_a_grid_is_scored_as_scikit_learn_does_and_the_best_is_fitted(seen: list[LabelledRows]) -> None:
    hub = hub_with(as_csv(make_numbers(200)))
    parameters = {"C": [0.001, 0.1, 10.0], "class_weight": [None, "balanced"]}

    report = searched(hub, parameters, {"estimator": "LogisticRegression", "preprocessing": (SCALE,)})

    oracle = GridSearchCV(
        Pipeline([("scale", StandardScaler()), ("model", LogisticRegression())]),
        {f"model__{name}": values for name, values in parameters.items()},
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
    ).fit(seen[0].rows.wide_matrix(), seen[0].labels)
    expected = [{name[7:]: value for name, value in one.items()} for one in oracle.cv_results_["params"]]
    made = table_of(hub, report)
    assert [trial.parameters for trial in made.trials] == expected
    assert [trial.score for trial in made.trials] == pytest.approx(oracle.cv_results_["mean_test_score"].tolist())
    assert [trial.std for trial in made.trials] == pytest.approx(oracle.cv_results_["std_test_score"].tolist())
    best = made.trials[made.best - 1]
    assert best.score == pytest.approx(oracle.best_score_)
    manifest = hub.manifest(report.manifest)
    assert manifest.parameters == best.parameters
    assert report.search is not None
    assert (report.search.trials, report.search.failed, report.search.score) == (6, 0, best.score)
    assert msgspec.json.decode(report.search.parameters) == best.parameters


def test_parameters_of_steps_are_searched_for_by_name_and_by_place() -> None:
    run = make_train_run(estimator="GaussianNB", preprocessing=(SCALE, PCA, SCALE))

    changed = with_setting(run, {"PCA__n_components": 1, "0__with_mean": False, "var_smoothing": 0.1})

    assert changed.parameters == {"var_smoothing": 0.1}
    assert [step.parameters for step in changed.preprocessing] == [{"with_mean": False}, {"n_components": 1}, {}]


@pytest.mark.parametrize(
    ("parameters", "algorithm", "words"),
    [
        pytest.param({"max_deep": [1]}, "Grid", "max_deep: RandomForestClassifier has no such", id="no such parameter"),
        pytest.param({"max_depth": [3, -1]}, "Grid", "max_depth: The 'max_depth' parameter of", id="a refused value"),
        pytest.param({"max_depth": [3, -1]}, "Grid", "Got -1 instead", id="which value was refused"),
        pytest.param({"max_depth": 3}, "Grid", "max_depth: 3 is neither a list of values", id="no list"),
        pytest.param({"max_depth": []}, "Grid", "max_depth: [] is neither a list of values", id="an empty list"),
        pytest.param(
            {"max_depth": {"low": 1, "high": 9}}, "Grid", "max_depth: a Grid tries all values of a list", id="a range"
        ),
        pytest.param(
            {"max_depth": {"low": 1, "high": 9}}, "Random", "The 'max_depth' parameter", id="fractions of a whole one"
        ),
        pytest.param(
            {"max_depth": {"low": 1}}, "Random", "max_depth.high: a range needs two numbers", id="half a range"
        ),
        pytest.param(
            {"max_depth": {"low": 1, "hihg": 2}}, "Random", "Did you mean 'high'?", id="a misspelled end of a range"
        ),
        pytest.param(
            {"max_depth": {"low": 9, "high": 1}},
            "Random",
            "low 9 must be below high 1",
            id="a range the wrong way round",
        ),
        pytest.param(
            {"ccp_alpha": {"low": 0, "high": 1, "log": True}}, "Random", "low: 0 has no logarithm", id="the log of 0"
        ),
        pytest.param(
            {"max_depth": {"low": 1.5, "high": 3, "int": True}},
            "Random",
            "must be whole numbers",
            id="a part of a whole",
        ),
        pytest.param({"PAC__n_components": [1]}, "Grid", "Did you mean 'PCA'?", id="no such step"),
        pytest.param({"PCA__n_component": [1]}, "Grid", "PCA has no such parameter", id="no such parameter of a step"),
        pytest.param({"9__n_components": [1]}, "Grid", "The steps are 0 (PCA).", id="no such place"),
        pytest.param(
            {"max_depth": list(range(1, 22))},
            "Grid",
            "the grid has 21 settings, and spec.training.search.maxTrials is 20",
            id="more than may be tried",
        ),
    ],
)
def test_wrong_parameters_are_told_before_anything_is_fitted(
    parameters: dict[str, Any], algorithm: str, words: str
) -> None:
    hub = hub_with(as_csv(make_numbers(100)))

    with pytest.raises(JobError) as caught:
        searched(hub, parameters, {**FOREST, "preprocessing": (PCA,)}, algorithm=SearchAlgorithm(algorithm))

    assert caught.value.reason is FailureReason.SPEC_INVALID
    assert caught.value.message.startswith("spec.training.search.parameters")
    assert words in caught.value.message
    assert hub.tried == {}


RANGES = {
    "max_depth": {"low": 1, "high": 30, "int": True},
    "max_features": {"low": 0.1, "high": 1.0},
    "ccp_alpha": {"low": 1e-5, "high": 0.1, "log": True},
}


def test_random_settings_lie_in_their_ranges_differ_and_are_the_same_each_time() -> None:
    declared = Search(parameters=RANGES, algorithm=SearchAlgorithm.RANDOM, max_trials=200)

    drawn = settings_of(make_train_run(**FOREST), declared)

    assert drawn == settings_of(make_train_run(**FOREST), declared)
    assert len({msgspec.json.encode(setting) for setting in drawn}) == 200
    depths = [setting["max_depth"] for setting in drawn]
    assert {type(depth) for depth in depths} == {int}
    assert (min(depths), max(depths)) == (1, 30)
    assert all(0.1 <= setting["max_features"] <= 1.0 for setting in drawn)
    small = sum(setting["ccp_alpha"] < 1e-3 for setting in drawn)
    assert 70 < small < 130, "half of the logarithms are below the middle"


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        pytest.param({"max_depth": [1, 2, 3]}, 3, id="values"),
        pytest.param({"max_depth": [1, 1, 2]}, 2, id="a value that is listed twice"),
        pytest.param({"max_depth": {"low": 1, "high": 4, "int": True}}, 4, id="whole numbers"),
    ],
)
def test_where_there_are_fewer_settings_than_trials_each_is_tried_once(
    parameters: dict[str, Any], expected: int
) -> None:
    declared = Search(parameters=parameters, algorithm=SearchAlgorithm.RANDOM, max_trials=20)

    drawn = settings_of(make_train_run(**FOREST), declared)

    assert sorted(setting["max_depth"] for setting in drawn) == list(range(1, expected + 1))


def test_a_setting_that_cannot_be_fitted_is_recorded_and_no_more() -> None:
    hub = hub_with(as_csv(make_numbers(100)))
    run = {"estimator": "LogisticRegression", "preprocessing": (SCALE,)}

    report = searched(hub, {"solver": ["newton-cholesky", "saga"], "l1_ratio": [0.0, 1.0]}, run)

    assert report.search is not None
    assert (report.search.trials, report.search.failed) == (4, 1)
    failed = [trial for trial in table_of(hub, report).trials if trial.score is None]
    assert [trial.parameters for trial in failed] == [{"l1_ratio": 1.0, "solver": "newton-cholesky"}]
    assert "newton-cholesky" in failed[0].failure


def test_a_search_of_which_no_trial_can_be_fitted_fails_with_the_first_reason() -> None:
    hub = hub_with(as_csv(make_numbers(100)))

    with pytest.raises(JobError, match=r"none of 2 trials could be fitted.*n_components=40 must be") as caught:
        searched(hub, {"PCA__n_components": [40, 50]}, {**FOREST, "preprocessing": (PCA,)})

    assert caught.value.reason is FailureReason.SPEC_INVALID


@pytest.mark.parametrize(
    ("algorithm", "parameters", "ended"),
    [
        *((algorithm, DEPTHS, ended) for algorithm in SearchAlgorithm for ended in (1, 4)),
        pytest.param(SearchAlgorithm.TPE, RANGES, 12, id="TPE, when it proposes"),
    ],
)
def test_a_search_that_was_stopped_fits_only_what_had_not_ended(
    algorithm: SearchAlgorithm, parameters: dict[str, Any], ended: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = as_csv(make_numbers(200))
    whole = hub_with(content)
    expected = searched(whole, parameters, FOREST, algorithm=algorithm)

    stopped = StoppedHub(datasets={"flowers.csv": content}, stops_after=ended)
    with pytest.raises(KeyboardInterrupt):
        searched(stopped, parameters, FOREST, algorithm=algorithm)
    started_again = MemoryHub(datasets=stopped.datasets, tried=stopped.tried)
    fitted: list[int] = []
    try_before = searching._try

    def counting(number: int, *rest: Any) -> Trial:
        fitted.append(number)
        return try_before(number, *rest)

    monkeypatch.setattr(searching, "_try", counting)
    report = searched(started_again, parameters, FOREST, algorithm=algorithm)

    total = len(table_of(whole, expected).trials)
    assert fitted == list(range(ended + 1, total + 1))
    assert report.manifest == expected.manifest


@dataclass
class StoppedHub(MemoryHub):
    """A hub whose Job is stopped when it has written down so many trials."""

    stops_after: int = field(kw_only=True)

    def put_trial(self, version: int, run: str, trial: Trial) -> None:
        super().put_trial(version, run, trial)
        if trial.number == self.stops_after:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"version": 2}, id="another version"),
        pytest.param({"parameters": {"n_estimators": 4}}, id="another parameter"),
        pytest.param({"data": make_source(holdout_fraction=0.3)}, id="other rows"),
    ],
)
def test_trials_of_another_run_are_none_of_this_one(change: dict[str, Any]) -> None:
    hub = hub_with(as_csv(make_numbers(200)))
    searched(hub, DEPTHS, FOREST)

    searched(hub, DEPTHS, FOREST | change)

    assert [len(trials) for trials in hub.tried.values()] == [6, 6]


def test_halving_gives_three_times_the_rows_to_the_best_third() -> None:
    hub = hub_with(as_csv(make_numbers(400)))

    report = searched(hub, {"max_depth": list(range(1, 10))}, FOREST, algorithm=SearchAlgorithm.SUCCESSIVE_HALVING)

    made = table_of(hub, report)
    rounds = [[trial for trial in made.trials if trial.rows == rows] for rows in sorted({t.rows for t in made.trials})]
    assert [len(one) for one in rounds] == [9, 3, 1]
    assert [round(one[0].rows / made.rows, 1) for one in rounds] == [0.1, 0.3, 1.0]
    for one, following in pairwise(rounds):
        best = sorted(one, key=lambda trial: -(trial.score or 0))[: len(following)]
        assert [trial.parameters for trial in best] == [trial.parameters for trial in following]
    assert made.best == 13


def test_only_what_was_scored_on_all_rows_may_be_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    try_before = searching._try

    def better_on_few_rows(*trial: Any) -> Trial:
        made = try_before(*trial)
        return msgspec.structs.replace(made, score=1 / made.rows)

    monkeypatch.setattr(searching, "_try", better_on_few_rows)
    hub = hub_with(as_csv(make_numbers(400)))

    report = searched(hub, {"max_depth": list(range(1, 10))}, FOREST, algorithm=SearchAlgorithm.SUCCESSIVE_HALVING)

    assert table_of(hub, report).best == 13


@pytest.mark.parametrize(
    ("settings", "rows", "expected"),
    [
        pytest.param(27, 100_000, [27, 9, 3, 1], id="as many rounds as the settings allow"),
        pytest.param(20, 100_000, [20, 7, 3], id="a third is rounded up"),
        pytest.param(27, 100, [27, 9], id="as many rounds as the rows allow"),
        pytest.param(2, 100_000, [2], id="too few settings to halve"),
    ],
)
def test_rounds_of_halving_are_those_of_scikit_learn(settings: int, rows: int, expected: list[int]) -> None:
    declared = Search(parameters={}, algorithm=SearchAlgorithm.SUCCESSIVE_HALVING, folds=5)

    rounds = halvings_of(declared, settings, rows, classes=2)

    assert [one.settings for one in rounds] == expected
    assert rounds[-1].share == 1.0


def test_temporal_folds_are_scored_by_later_rows_only() -> None:
    for fold in folds_of(labelled(100), Search(parameters={}, folds=4, fold_strategy=FoldStrategy.TEMPORAL), 0):
        assert fold.fitted.max() < fold.scored.min()


def test_stratified_folds_score_every_row_once_and_keep_the_shares_of_classes() -> None:
    data = labelled(100)
    folds = folds_of(data, Search(parameters={}, folds=4), 0)

    assert sorted(np.concatenate([fold.scored for fold in folds]).tolist()) == list(range(100))
    assert {int((data.labels[fold.scored] == 1).sum()) for fold in folds} == {5}
    assert all(not set(fold.fitted) & set(fold.scored) for fold in folds)


def labelled(rows: int) -> LabelledRows:
    column = Column(name="x", kind=ColumnKind.NUMBER)
    return LabelledRows(
        FeatureRows((column,), (np.arange(rows, dtype=np.float32),)), (np.arange(rows) % 5 == 0).astype(np.int64)
    )


@pytest.mark.parametrize(
    ("strategy", "rows", "words"),
    [
        pytest.param(FoldStrategy.STRATIFIED, 10, "class 1 has 2 to learn from. Set folds to 2", id="a rare class"),
        pytest.param(FoldStrategy.TEMPORAL, 3, "3 folds one after the other need 4 rows", id="few rows"),
    ],
)
def test_too_few_rows_for_the_folds_are_told(strategy: FoldStrategy, rows: int, words: str) -> None:
    with pytest.raises(JobError, match=words):
        folds_of(labelled(rows), Search(parameters={}, folds=3, fold_strategy=strategy), 0)


def test_no_held_out_and_no_fresh_row_is_in_a_fold(seen: list[LabelledRows]) -> None:
    """Copies of held-out rows stand in the source and in the feedback, and later feedback is to judge by."""
    table, later = make_numbers(300), make_numbers(200, seed=9)
    rows = [*table[:100], *later]
    records = as_records([[row["height"], row["width"]] for row in rows], [row["kind"] for row in rows])
    hub = MemoryHub(datasets={"flowers.csv": as_csv([*table, *table[:40]])}, labelled=records)

    report = searched(hub, {"max_depth": [1, 2]}, {**FOREST, "feedback_through": 200})

    in_folds = {value for data in seen for value in row_hashes(data.rows).tolist()}
    learnt = np.frombuffer(hub.blobs[hub.manifest(report.manifest).training_rows], "<u8").tolist()
    source, fresh = hashes_of(table), hashes_of(later[100:])
    assert in_folds == set(learnt)
    assert 0.1 < len(source - in_folds) / len(source) < 0.3, "a fifth of the source is held out"
    assert not fresh & in_folds
    assert hashes_of(later[:100]) & in_folds


def hashes_of(table: list[dict[str, Any]]) -> set[int]:
    columns = labelled(1).rows.columns * 2
    values = tuple(np.array([row[name] for row in table], dtype=np.float32) for name in ("height", "width"))
    return set(row_hashes(FeatureRows(columns, values)).tolist())
