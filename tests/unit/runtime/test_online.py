"""Online updates: what a champion learns on from, what is left out, and what is written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.unit.runtime.made_runs import as_csv, make_evaluate_run, make_numbers, make_table, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, as_records, surroundings

from evermodel.contract import (
    ColumnKind,
    Epochs,
    FailureReason,
    FreshRange,
    NothingNewReport,
    OnlineUpdate,
    PreprocessingStep,
    RunReport,
    Task,
    TrainReport,
)
from evermodel_runtime.artifacts.outcome import conclude
from evermodel_runtime.artifacts.skops_archive import load_pipeline
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.rows import decode_hashes
from evermodel_runtime.evaluate.job import evaluate
from evermodel_runtime.train.job import train

SGD: dict[str, Any] = {"estimator": "SGDClassifier", "parameters": {"loss": "log_loss"}}
BAYES: dict[str, Any] = {"estimator": "GaussianNB", "parameters": {}}
TABLE = make_numbers(300)
ROWS = [[9.5 + number / 8, -9.5] for number in range(40)]
LABELS = ["rose", "tulip"] * 20
THROUGH = 40


def hub_with(table: list[dict[str, Any]] = TABLE) -> MemoryHub:
    return MemoryHub(datasets={"flowers.csv": as_csv(table)}, labelled=as_records(ROWS, LABELS))


def first(hub: MemoryHub, **changes: Any) -> TrainReport:
    """Train the version that is to learn on."""
    return train(make_train_run(**{"keeps_pipeline": True, **changes}), surroundings(hub))


def updated(
    hub: MemoryHub, base: TrainReport, *, after: int = 0, through: int = THROUGH, **changes: Any
) -> TrainReport:
    """Let a version learn on from the records after a number."""
    online = OnlineUpdate(base=base.manifest, after=after)
    run = make_train_run(**{"version": 2, "online": online, "feedback_through": through, **changes})
    return train(run, surroundings(hub))


def pipeline_of(hub: MemoryHub, report: TrainReport) -> Any:
    return load_pipeline(hub.blob(hub.manifest(report.manifest).pipeline or ""))


def learnt_by(hub: MemoryHub, report: TrainReport) -> set[int]:
    return set(decode_hashes(hub.blob(hub.manifest(report.manifest).training_rows)).tolist())


def test_a_version_learns_on_from_new_records_alone() -> None:
    hub = hub_with()
    base = first(hub, **BAYES)
    before = pipeline_of(hub, base)

    report = updated(hub, base, **BAYES)

    after = pipeline_of(hub, report)
    counted = after[-1].class_count_ - before[-1].class_count_
    assert dict(zip(after.classes_, counted, strict=True)) == {"rose": 20, "tulip": 20}
    assert after[0].get_params() == before[0].get_params()
    assert (report.rows, report.feedback_rows, report.window, report.fits) == (40, 40, "new", 1)


def test_it_says_what_it_learnt_from() -> None:
    hub = hub_with()
    base = first(hub, **SGD)

    report = updated(hub, base, **SGD)

    manifest = hub.manifest(report.manifest)
    assert report.notes[0] == (
        "Learns on from version 1, its transformers as they are: 40 labelled records of ledger numbers 1 to 40."
    )
    assert report.started_from == manifest.started_from == base.manifest
    assert manifest.feedback_through == THROUGH
    assert learnt_by(hub, base) < learnt_by(hub, report)
    assert len(learnt_by(hub, report)) == len(learnt_by(hub, base)) + 40


def test_what_a_version_has_learnt_from_is_not_learnt_again() -> None:
    hub = hub_with()
    base = first(hub, **BAYES)
    once = updated(hub, base, through=25, **BAYES)

    twice = updated(hub, once, after=25, version=3, **BAYES)

    counts = [pipeline_of(hub, report)[-1].class_count_.sum() for report in (base, once, twice)]
    assert np.diff(counts).tolist() == [25, 15]
    assert "15 labelled records of ledger numbers 26 to 40" in twice.notes[0]


def test_records_equal_to_held_out_rows_are_not_learnt() -> None:
    table = make_numbers(300)
    hub = hub_with(table)
    copies = [[row["height"], row["width"]] for row in table]
    hub.labelled += as_records(copies, [row["kind"] for row in table], first_seq=41)
    base = first(hub, **BAYES)

    report = updated(hub, base, through=340, **BAYES)

    held_out = 300 - base.rows
    assert held_out > 30
    assert report.rows == 40 + base.rows
    assert len(learnt_by(hub, report)) == len(learnt_by(hub, base)) + 40


def test_records_of_unknown_classes_are_left_out_counted_and_told() -> None:
    hub = hub_with()
    base = first(hub, **SGD)
    hub.labelled += as_records([[1.0, 2.0], [1.5, 2.5], [3.0, 4.0]], ["lily", "lily", "iris"], first_seq=41)

    report = updated(hub, base, through=43, **SGD)

    assert report.rows == 40
    assert report.classes == 2
    assert report.notes[1].startswith(
        "Warning: 3 records were left out, of classes that the model does not know (iris: 1, lily: 2)"
    )


@pytest.mark.parametrize(
    ("labels", "after", "told"),
    [
        pytest.param(["lily"] * 40, 0, "40 records were left out, of classes that the model", id="of unknown classes"),
        pytest.param(LABELS, THROUGH, "None of the labelled records", id="learnt from before"),
    ],
)
def test_where_no_record_can_be_learnt_from_the_version_serves_as_it_is(
    tmp_path: Path, labels: list[str], after: int, told: str
) -> None:
    hub = hub_with()
    base = first(hub, **SGD)
    hub.labelled = as_records(ROWS, labels)
    run = make_train_run(
        **SGD, version=2, online=OnlineUpdate(base=base.manifest, after=after), feedback_through=THROUGH
    )

    ended = conclude(
        lambda: train(run, surroundings(hub)), hub, version=2, stage="train", termination_log=tmp_path / "log"
    )

    report: RunReport = hub.reports[2, "train"]
    assert ended == 0
    assert isinstance(report, NothingNewReport)
    assert told in report.message
    assert "version 1 serves as it is" in report.message


def test_records_of_one_class_alone_can_be_learnt_from() -> None:
    hub = hub_with()
    base = first(hub, **{**SGD, "parameters": {"loss": "log_loss", "class_weight": "balanced"}})
    hub.labelled = as_records(ROWS, ["rose"] * 40)

    report = updated(hub, base, **SGD)

    learnt = pipeline_of(hub, report)
    assert learnt.classes_.tolist() == ["rose", "tulip"]
    assert learnt[-1].class_weight.keys() == {"rose", "tulip"}, "balanced by the source, which has both"


def test_weights_class_by_class_stay_where_a_class_is_not_among_the_records() -> None:
    hub = hub_with()
    weighted = {**SGD, "parameters": {"loss": "log_loss", "class_weight": {"rose": 1, "tulip": 3}}}
    base = first(hub, **weighted)
    hub.labelled = as_records(ROWS, ["rose"] * 40)

    report = updated(hub, base, **weighted)

    assert pipeline_of(hub, report)[-1].class_weight == {"rose": 1, "tulip": 3}


def test_a_network_trained_in_epochs_goes_once_over_the_records() -> None:
    hub = hub_with()
    network: dict[str, Any] = {
        "estimator": "MLPClassifier",
        "parameters": {"hidden_layer_sizes": [8], "learning_rate_init": 0.01},
        "epochs": Epochs(max=3, patience=3, validation_fraction=0.2, min_improvement=0.0),
    }
    base = first(hub, **network)
    before = pipeline_of(hub, base)[-1].t_

    report = updated(hub, base, **network)

    assert report.epochs is None
    assert pipeline_of(hub, report)[-1].t_ == before + 40


def test_a_regressor_learns_on() -> None:
    table = [{"height": row["height"], "width": row["width"], "kind": row["height"] * 2} for row in TABLE]
    hub = hub_with(table)
    hub.labelled = as_records([[1.0 + number / 64, 0.5] for number in range(40)], [3.0] * 40)
    regressor: dict[str, Any] = {"estimator": "SGDRegressor", "task": Task.REGRESSION}
    base = first(hub, **regressor)

    report = updated(hub, base, **regressor)

    assert report.rows == 40
    assert pipeline_of(hub, report)[-1].t_ == pipeline_of(hub, base)[-1].t_ + 40


def test_encoders_stay_as_they_were_fitted() -> None:
    table = make_table(300)
    hub = MemoryHub(datasets={"flowers.csv": as_csv([{k: v for k, v in row.items() if k != "id"} for row in table])})
    encode = PreprocessingStep(
        transformer="OneHotEncoder", columns=("colour",), parameters={"handle_unknown": "ignore"}
    )
    base = first(hub, **SGD, preprocessing=(encode,))
    hub.taken[1] = hub.manifest(base.manifest).columns
    hub.labelled = as_records([[1.0, 2.0, "violet"]] * 30, ["rose"] * 30)

    report = updated(hub, base, **SGD, preprocessing=(encode,), through=30)

    assert [column.kind for column in hub.manifest(report.manifest).columns][-1] is ColumnKind.TEXT
    assert pipeline_of(hub, report)[-1].coef_.shape == pipeline_of(hub, base)[-1].coef_.shape


@pytest.mark.parametrize(
    ("made", "declared", "told"),
    [
        pytest.param({**SGD, "keeps_pipeline": False}, SGD, "was stored as ONNX alone", id="without its pipeline"),
        pytest.param(
            {"estimator": "RandomForestClassifier"},
            SGD,
            "it is a RandomForestClassifier that learns from all rows at once",
            id="a forest",
        ),
    ],
)
def test_what_cannot_learn_on_is_told(made: dict[str, Any], declared: dict[str, Any], told: str) -> None:
    hub = hub_with()
    base = first(hub, **made)

    with pytest.raises(JobError) as failed:
        updated(hub, base, **declared)

    assert failed.value.reason is FailureReason.MODEL_INVALID
    assert failed.value.message.startswith("spec.retraining.online: version 1 cannot learn on, for ")
    assert told in failed.value.message
    assert "evermodel.dev/retrain" in failed.value.message


def test_a_column_that_lacks_values_by_now_is_told() -> None:
    hub = hub_with()
    base = first(hub, **SGD)
    hub.datasets["flowers.csv"] = as_csv([*TABLE[:-1], TABLE[-1] | {"height": ""}])

    with pytest.raises(JobError, match="column 'height' lacks values now, which it has not learnt to fill"):
        updated(hub, base, **SGD)


def test_parameters_under_which_nothing_can_be_learnt_on_are_told() -> None:
    hub = hub_with()
    early: dict[str, Any] = {"estimator": "MLPClassifier", "parameters": {"early_stopping": True, "max_iter": 20}}
    base = first(hub, **early)

    with pytest.raises(JobError, match="could not let the MLPClassifier learn on from 40 records") as failed:
        updated(hub, base, **early)

    assert failed.value.reason is FailureReason.SPEC_INVALID


def test_the_same_records_make_the_same_version() -> None:
    hub = hub_with()
    base = first(hub, **SGD)
    assert updated(hub, base, **SGD).manifest == updated(hub, base, **SGD).manifest


def test_it_is_judged_on_later_records_and_on_no_row_that_it_learnt_from() -> None:
    hub = hub_with()
    base = first(hub, **SGD)
    report = updated(hub, base, **SGD)
    later = [[-9.5 - number / 8, 9.5] for number in range(30)]
    hub.labelled += as_records([*ROWS[:5], *later], ["rose"] * 35, first_seq=41)
    run = make_evaluate_run(
        report.manifest, report.data_sha256, champion=base.manifest, fresh=FreshRange(after=THROUGH, through=75)
    )

    judged = evaluate(run, surroundings(hub))

    assert judged.fresh is not None
    assert judged.fresh.rows == 30


def in_a_world_turned_by(angle: float, count: int, seed: int) -> tuple[list[list[float]], list[str]]:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, 2))
    score = rows @ [np.cos(angle), np.sin(angle)] + 0.3 * random.normal(size=count)
    return rows.round(4).tolist(), np.where(score > 0, "rose", "tulip").tolist()


def test_updates_follow_a_world_that_turns() -> None:
    rows, kinds = in_a_world_turned_by(0, 2000, seed=0)
    table = [{"height": row[0], "width": row[1], "kind": kind} for row, kind in zip(rows, kinds, strict=True)]
    hub = hub_with(table)
    hub.labelled = ()
    base = newest = first(hub, **SGD)
    for turn in range(1, 6):  # by 11 degrees each
        hub.labelled += as_records(*in_a_world_turned_by(0.2 * turn, 200, seed=turn), first_seq=200 * turn - 199)
        newest = updated(hub, newest, after=200 * (turn - 1), through=200 * turn, version=turn + 1, **SGD)
    hub.labelled += as_records(*in_a_world_turned_by(1.0, 1000, seed=9), first_seq=1001)
    fresh = FreshRange(after=1000, through=2000)
    run = make_evaluate_run(newest.manifest, newest.data_sha256, champion=base.manifest, fresh=fresh, version=6)

    judged = evaluate(run, surroundings(hub)).fresh

    assert judged is not None
    assert judged.champion is not None
    assert judged.candidate > judged.champion + 0.1


def test_what_a_version_learnt_before_it_does_not_keep_it_from_others() -> None:
    """A second update starts from the first: its rows to be left out of held-out sets are those of all before it."""
    hub = hub_with()
    base = first(hub, **SGD)
    once = updated(hub, base, through=25, **SGD)
    twice = updated(hub, once, after=25, version=3, **SGD)
    assert learnt_by(hub, base) < learnt_by(hub, once) < learnt_by(hub, twice)
    assert msgspec.structs.asdict(hub.manifest(twice.manifest))["started_from"] == once.manifest
