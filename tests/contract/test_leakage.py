"""No held-out row reaches training, whichever way it comes: looked for in what the published models have learnt."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.contract.job_processes import MODEL, Hub, Jobs
from tests.contract.leaking_rows import HIDDEN, MARK, Row, by_hash, by_id
from tests.unit.runtime.made_runs import as_csv, make_evaluate_run, make_source, make_train_run

from evermodel.contract import (
    INPUT_ENV,
    OUTPUT_ENV,
    STATE_ENV,
    Ensemble,
    EnsembleType,
    Epochs,
    EvaluationReport,
    FreshRange,
    LearningCurve,
    Member,
    OnlineUpdate,
    PreprocessingStep,
    Search,
    SearchAlgorithm,
    SearchTable,
    TrainReport,
    TrainRun,
    WarmStart,
    WarmStartMode,
)
from evermodel_runtime.artifacts.skops_archive import load_pipeline
from evermodel_runtime.data.rows import decode_hashes

NEIGHBOURS = {"metric": "canberra", "n_neighbors": 1}
"""Keeps every row that it is fitted on, and answers by the one row that is nearest; ONNX cannot hold it."""
AS_THEY_ARE = PreprocessingStep(transformer="SimpleImputer", columns=("*",))
"""Changes nothing, and keeps the default steps away."""
KEEPING = {"estimator": "KNeighborsClassifier", "parameters": NEIGHBOURS, "preprocessing": (AS_THEY_ARE,)}
WITH_ID = make_source(uri="hub://flowers.csv", id_column="id", features=("height", "width"))
WITHOUT_ID = make_source(uri="hub://flowers.csv")
A_MEMBER = Member(name="near", estimator="KNeighborsClassifier", parameters=NEIGHBOURS)
ANOTHER = Member(name="also", estimator="KNeighborsClassifier", parameters=NEIGHBOURS | {"p": 1})
NUMBERS = ("height", "width")


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path)


def train_run(hub: Hub, **changes: object) -> TrainRun:
    return make_train_run(**{"model": MODEL, "hub_url": hub.url, "data": WITH_ID, **KEEPING, **changes})


def trained(hub: Hub, jobs: Jobs, rows: list[Row], **changes: object) -> TrainReport:
    hub.upload("flowers.csv", as_csv(rows))
    ended = jobs.run("train", train_run(hub, **changes))
    assert isinstance(ended.report, TrainReport), ended.errors
    return ended.report


def pipeline_of(hub: Hub, report: TrainReport) -> Any:
    manifest = hub.manifest(report.manifest)
    return load_pipeline(hub.client().blob(manifest.skops or manifest.pipeline or ""))


def numbers_of(rows: list[Row]) -> Any:
    """Return rows as a model sees them, in an order of their own."""
    return in_order(np.array([[row[name] for name in NUMBERS] for row in rows], dtype=np.float32))


def in_order(rows: Any) -> Any:
    matrix = np.asarray(rows, dtype=np.float32)
    return matrix[np.lexsort(matrix.T)]


def kept(estimator: Any) -> Any:
    """Return the rows that a neighbours model was fitted on."""
    return in_order(estimator._fit_X)


def test_of_the_source_a_model_learns_all_rows_but_the_held_out(hub: Hub, jobs: Jobs) -> None:
    rows = by_id()

    report = trained(hub, jobs, rows.source)

    np.testing.assert_array_equal(kept(pipeline_of(hub, report)[-1]), numbers_of(rows.to_learn))
    assert len(rows.held_out) > 30


def test_rows_without_an_id_stay_held_out_when_the_file_has_its_columns_in_another_order(hub: Hub, jobs: Jobs) -> None:
    rows = by_hash()
    first = trained(hub, jobs, rows.source, data=WITHOUT_ID)
    again = [{name: row[name] for name in ("width", "kind", "height")} for row in rows.source]

    second = trained(hub, jobs, again, data=WITHOUT_ID, version=2, champion=first.manifest)

    for report in (first, second):
        np.testing.assert_array_equal(kept(pipeline_of(hub, report)[-1]), numbers_of(rows.to_learn))


SPELLINGS: tuple[Callable[[float], object], ...] = (
    lambda value: value,
    lambda value: f"{value:.2f}",
    lambda value: f"{value:e}",
    lambda value: f"  {value} ",
    lambda value: f"{value + 1e-9:.10f}",  # more digits than the model will ever see
)


def test_a_copy_of_a_held_out_row_under_another_id_is_not_learnt_however_it_is_spelled(hub: Hub, jobs: Jobs) -> None:
    rows = by_id()
    ids = iter(row["id"] for row in by_id(2000).to_learn[len(rows.to_learn) :])  # none of them is held out by itself
    copies = [
        {**row, "id": next(ids), **{name: spell(row[name]) for name in NUMBERS}}
        for row in rows.held_out
        for spell in SPELLINGS
    ]

    report = trained(hub, jobs, [*rows.source, *copies])

    np.testing.assert_array_equal(kept(pipeline_of(hub, report)[-1]), numbers_of(rows.to_learn))


def test_feedback_that_copies_held_out_rows_is_not_learnt(hub: Hub, jobs: Jobs) -> None:
    rows = by_id()
    hub.serve(*NUMBERS)
    new = [[1.0 + number / 64, 0.25] for number in range(30)]
    copies = [[float(row["height"]), int(row["width"])] for row in rows.held_out]
    copies += [[int(row["height"]), row["width"] + 1e-9] for row in rows.held_out]
    asked = [*copies, *new]
    assert hub.label(asked, ["rose"] * len(asked)) == len(asked)

    report = trained(hub, jobs, rows.source, feedback_through=len(asked))

    learnt = in_order([*numbers_of(rows.to_learn).tolist(), *new])
    np.testing.assert_array_equal(kept(pipeline_of(hub, report)[-1]), learnt)
    assert report.feedback_rows == len(new)


def test_records_that_are_kept_for_the_gate_are_not_learnt_and_copies_of_what_was_learnt_do_not_judge(
    hub: Hub, jobs: Jobs
) -> None:
    rows = by_id()
    hub.serve(*NUMBERS)
    learnt = [[1.0 + number / 64, 0.25] for number in range(30)]
    fresh = [[MARK + number, 0.5] for number in range(40)]
    assert hub.label(learnt, ["rose"] * 30) == 30
    assert hub.label([*fresh, *learnt], ["tulip"] * 70) == 70

    first = trained(hub, jobs, rows.source, feedback_through=30)
    judged = jobs.run("evaluate", evaluation(hub, first, fresh=FreshRange(after=30, through=100))).report

    expected = in_order([*numbers_of(rows.to_learn).tolist(), *learnt])
    np.testing.assert_array_equal(kept(pipeline_of(hub, first)[-1]), expected)
    assert isinstance(judged, EvaluationReport)
    assert judged.fresh is not None
    assert judged.fresh.rows == len(fresh)


def evaluation(hub: Hub, candidate: TrainReport, **changes: Any) -> Any:
    changes = {"model": MODEL, "hub_url": hub.url, "data": WITH_ID, **changes}
    return make_evaluate_run(candidate.manifest, candidate.data_sha256, **changes)


STEPS = (
    PreprocessingStep(transformer="SimpleImputer", columns=("width",), parameters={"strategy": "median"}),
    PreprocessingStep(transformer="OneHotEncoder", columns=("colour",)),
    PreprocessingStep(transformer="StandardScaler", columns=NUMBERS),
)


@pytest.mark.parametrize("steps", [STEPS, ()], ids=["declared steps", "default steps"])
def test_preprocessing_knows_nothing_of_the_held_out_rows(
    steps: tuple[PreprocessingStep, ...], hub: Hub, jobs: Jobs
) -> None:
    rows = by_id()
    source = [{**row, "width": "" if number % 7 == 0 else row["width"]} for number, row in enumerate(rows.source)]
    data = msgspec.structs.replace(WITH_ID, features=())

    report = trained(hub, jobs, source, data=data, preprocessing=steps)

    there = [row for row in source if row["colour"] != HIDDEN]
    known = [float(row["width"]) for row in there if row["width"] != ""]
    widths = [float(row["width"]) if row["width"] != "" else float(np.median(known)) for row in there]
    fitted = {type(part).__name__: part for part in parts_of(pipeline_of(hub, report))}
    assert fitted["OneHotEncoder"].categories_[0].tolist() == ["green", "red"]
    assert fitted["SimpleImputer"].statistics_ == pytest.approx([np.median(known)])
    means = [np.mean([row["height"] for row in there]), np.mean(widths)]
    assert sorted(fitted["StandardScaler"].mean_) == pytest.approx(sorted(means))


def parts_of(estimator: Any) -> list[Any]:
    """Return every fitted transformer of a pipeline."""
    found = [estimator]
    for step in getattr(estimator, "steps", ()):
        found.extend(parts_of(step[1]))
    for _, part, _ in getattr(estimator, "transformers_", ()):
        found.extend(parts_of(part))
    return found


def test_a_search_fits_and_scores_by_rows_to_learn_alone_and_never_by_the_same(hub: Hub, jobs: Jobs) -> None:
    rows = by_id()
    search = Search(parameters={"n_neighbors": [1, 3]}, algorithm=SearchAlgorithm.GRID, max_trials=2, folds=3)
    chance = np.random.default_rng(3)
    drawn = [{**row, "kind": str(chance.choice(["rose", "tulip"]))} for row in rows.source]

    plain = trained(hub, jobs, rows.source, search=search)
    blind = trained(hub, jobs, drawn, search=search)

    best = table_of(hub, plain)
    assert (best.rows, best.trials[0].rows) == (len(rows.to_learn), len(rows.to_learn))
    assert best.trials[0].scores == (1.0, 1.0, 1.0), "a held-out row, whose class is drawn, was fitted on or scored"
    assert max(table_of(hub, blind).trials[0].scores) < 0.75, "a row was scored that had been fitted on"


def table_of(hub: Hub, report: TrainReport) -> SearchTable:
    return msgspec.json.decode(hub.client().blob(hub.manifest(report.manifest).search or ""), type=SearchTable)


ENSEMBLES = {
    "VotingClassifier": Ensemble(type=EnsembleType.VOTING, members=(A_MEMBER, ANOTHER)),
    "StackingClassifier": Ensemble(
        type=EnsembleType.STACKING, members=(A_MEMBER, ANOTHER), final_estimator=A_MEMBER, folds=3
    ),
    "BaggingClassifier": Ensemble(
        type=EnsembleType.BAGGING, members=(A_MEMBER,), parameters={"n_estimators": 30, "oob_score": True}
    ),
}


@pytest.mark.parametrize("estimator", ENSEMBLES)
def test_no_member_of_an_ensemble_learns_a_held_out_row(estimator: str, hub: Hub, jobs: Jobs) -> None:
    rows = by_id()

    report = trained(hub, jobs, rows.source, estimator=estimator, parameters={}, ensemble=ENSEMBLES[estimator])

    made = pipeline_of(hub, report)[-1]
    learnt = np.unique(np.concatenate([member._fit_X for member in made.estimators_]), axis=0)
    assert {tuple(row) for row in learnt} <= {tuple(row) for row in numbers_of(rows.to_learn)}
    if estimator == "StackingClassifier":
        # Answers of members to rows that they were not fitted on: wrong ones would come of rows whose class is drawn.
        answers, classes = made.final_estimator_._fit_X, made.final_estimator_._y
        np.testing.assert_array_equal(answers[:, 0], classes)
        assert len(answers) == len(rows.to_learn)
    if estimator == "BaggingClassifier":
        assert made.oob_score_ == 1.0


def test_training_ends_early_by_rows_to_learn_of_which_the_transformers_know_nothing(hub: Hub, jobs: Jobs) -> None:
    rows = by_id()
    scale = PreprocessingStep(transformer="StandardScaler", columns=NUMBERS)
    epochs = Epochs(max=30, patience=10, validation_fraction=0.2, min_improvement=0.0)

    report = trained(
        hub, jobs, rows.source, estimator="SGDClassifier", parameters={}, preprocessing=(scale,), epochs=epochs
    )

    curve = msgspec.json.decode(
        hub.client().blob(hub.manifest(report.manifest).learning_curve or ""), type=LearningCurve
    )
    assert curve.learning_rows + curve.validation_rows == len(rows.to_learn)
    assert curve.epochs[curve.best - 1].validation == 1.0
    scaler = next(part for part in parts_of(pipeline_of(hub, report)) if type(part).__name__ == "StandardScaler")
    assert scaler.n_samples_seen_ == curve.learning_rows
    assert scaler.mean_[0] < 2


def test_the_choice_of_a_window_judges_by_rows_that_were_not_fitted_on_and_that_are_not_held_out(
    hub: Hub, jobs: Jobs
) -> None:
    rows = by_id()
    hub.serve(*NUMBERS)
    chance = np.random.default_rng(4)
    clear = [[float(height), 0.5] for height in chance.choice([-1, 1], 200) * chance.uniform(1, 2, 200)]
    copies = [[float(row["height"]), float(row["width"])] for row in rows.held_out]
    assert hub.label(clear, ["rose" if height > 0 else "tulip" for height, _ in clear]) == 200
    assert hub.label(copies, [row["kind"] for row in rows.held_out]) == len(copies)
    first = trained(hub, jobs, rows.source, feedback_through=200 + len(copies))
    noise = [[float(height), 0.5] for height in chance.uniform(5, 9, 400)]
    assert hub.label(noise, chance.choice(["rose", "tulip"], 400).tolist()) == 400
    second = trained(hub, jobs, rows.source, feedback_through=600 + len(copies))

    assert first.feedback_rows == 200
    assert first.validation == 1.0, "a held-out row, whose class is drawn, judged"
    assert second.validation is not None
    assert second.validation < 0.65, "a row judged that had been fitted on"


def test_what_a_warm_start_has_seen_before_does_not_judge_when_it_is_held_out_later(hub: Hub, jobs: Jobs) -> None:
    less, more = by_id(), by_id(fraction=0.4)
    start = {"estimator": "GaussianNB", "parameters": {}, "preprocessing": ()}
    clean = [{**row, "height": row["height"] % MARK} for row in less.source]
    first = trained(hub, jobs, clean, **start, warm_start=WarmStart(mode=WarmStartMode.CONTINUE))
    data = msgspec.structs.replace(WITH_ID, holdout_fraction=0.4)
    again = WarmStart(mode=WarmStartMode.CONTINUE, champion=first.manifest)
    grown = [*clean, *({**row, "id": f"new-{row['id']}"} for row in by_id(300).to_learn[-40:])]

    second = trained(hub, jobs, grown, **start, version=2, data=data, warm_start=again)
    judged = jobs.run("evaluate", evaluation(hub, second, data=data, version=2)).report

    seen = decode_hashes(hub.client().blob(hub.manifest(first.manifest).training_rows))
    assert set(seen.tolist()) < set(decode_hashes(hub.client().blob(hub.manifest(second.manifest).training_rows)))
    assert isinstance(judged, EvaluationReport)
    assert judged.reference is not None
    assert len(less.held_out) <= judged.reference.rows < len(more.held_out)


def test_a_warm_start_learns_on_from_rows_to_learn_alone(hub: Hub, jobs: Jobs) -> None:
    rows = by_id()
    start = {"estimator": "GaussianNB", "parameters": {}}
    first = trained(hub, jobs, rows.source[:120], **start, warm_start=WarmStart(mode=WarmStartMode.CONTINUE))
    again = WarmStart(mode=WarmStartMode.CONTINUE, champion=first.manifest)

    second = trained(hub, jobs, rows.source, **start, version=2, warm_start=again)

    counted = pipeline_of(hub, second)[-1]
    assert second.started_from == first.manifest
    assert counted.class_count_.sum() == len(rows.to_learn)
    assert counted.theta_.max() < 2


def test_an_online_update_learns_no_held_out_row_and_no_record_twice(hub: Hub, jobs: Jobs) -> None:
    rows = by_id()
    hub.serve(*NUMBERS)
    start = {"estimator": "GaussianNB", "parameters": {}, "preprocessing": (), "keeps_pipeline": True}
    old = [[1.0 + number / 64, 0.25] for number in range(30)]
    copies = [[float(row["height"]), float(row["width"])] for row in rows.held_out]
    new = [[1.5 + number / 64, 0.75] for number in range(25)]
    assert hub.label(old, ["rose"] * 30) == 30
    first = trained(hub, jobs, rows.source, **start, feedback_through=30)
    asked = [*copies, *new]
    assert hub.label(asked, ["rose"] * len(asked)) == len(asked)
    online = OnlineUpdate(base=first.manifest, after=30)
    through = 30 + len(asked)

    second = trained(hub, jobs, rows.source, **start, version=2, online=online, feedback_through=through)

    before, counted = pipeline_of(hub, first)[-1], pipeline_of(hub, second)[-1]
    assert before.class_count_.sum() == len(rows.to_learn) + 30
    assert counted.class_count_.sum() == before.class_count_.sum() + 25
    assert counted.theta_.max() < 2, "a held-out row, which is marked, was learnt"
    assert (second.rows, hub.manifest(second.manifest).feedback_through) == (25, through)


def test_an_online_update_is_judged_on_rows_that_neither_it_nor_its_base_has_learnt(hub: Hub, jobs: Jobs) -> None:
    rows = by_id()
    hub.serve(*NUMBERS)
    start = {"estimator": "GaussianNB", "parameters": {}, "preprocessing": (), "keeps_pipeline": True}
    old, new = ([[low + number / 64, 0.25] for number in range(30)] for low in (1.0, 2.0))
    fresh = [[4.0 + number / 64, 0.5] for number in range(40)]
    assert hub.label([*old, *new], ["rose"] * 60) == 60
    first = trained(hub, jobs, rows.source, **start, feedback_through=30)
    online = OnlineUpdate(base=first.manifest, after=30)
    second = trained(hub, jobs, rows.source, **start, version=2, online=online, feedback_through=60)
    assert hub.label([*fresh, *old, *new], ["tulip"] * 100) == 100

    judging = evaluation(hub, second, version=2, champion=first.manifest, fresh=FreshRange(after=60, through=160))
    judged = jobs.run("evaluate", judging).report

    assert isinstance(judged, EvaluationReport)
    assert judged.fresh is not None
    assert judged.fresh.rows == len(fresh)
    assert judged.reference is not None
    assert judged.reference.rows == len(rows.held_out)


def test_a_container_of_ones_own_finds_no_held_out_row_in_its_folders(hub: Hub, jobs: Jobs, tmp_path: Path) -> None:
    rows = by_id()
    hub.serve(*NUMBERS)
    hub.upload("flowers.csv", as_csv(rows.source))
    copies = [[float(row["height"]), float(row["width"])] for row in rows.held_out]
    assert hub.label(copies, ["rose"] * len(copies)) == len(copies)
    folders = {variable: tmp_path / variable.lower() for variable in (INPUT_ENV, OUTPUT_ENV, STATE_ENV)}
    for variable, folder in folders.items():
        folder.mkdir()
        jobs.environ[variable] = str(folder)
    run = train_run(hub, estimator="", container="an image", preprocessing=(), feedback_through=len(copies))
    process = jobs.start("prepare", run)
    assert process.wait(60) == 0

    given = folders[INPUT_ENV]
    assert sorted(file.name for file in given.iterdir()) == ["schema.json", "train.csv"]
    table = list(csv.DictReader(io.StringIO((given / "train.csv").read_text())))
    np.testing.assert_array_equal(
        in_order([[row[name] for name in NUMBERS] for row in table]), numbers_of(rows.to_learn)
    )
    for row in rows.held_out:
        assert str(int(row["height"])) not in (given / "schema.json").read_text()
    assert list(folders[OUTPUT_ENV].iterdir()) == []
