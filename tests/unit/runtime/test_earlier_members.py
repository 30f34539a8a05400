"""Versions that were trained before take part in an ensemble as they are, stored as well as fitted."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from tests.unit.runtime.made_runs import as_csv, make_numbers, make_source, make_table, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings
from tests.unit.runtime.test_ensembles import BAYES, TREE, run_of, stacking, voting

from evermodel.contract import (
    Ensemble,
    EnsembleType,
    FailureReason,
    Manifest,
    Measure,
    Member,
    Metric,
    ModelFormat,
    Task,
    TrainReport,
    Vote,
)
from evermodel_runtime.artifacts.foreign_archive import load_foreign
from evermodel_runtime.artifacts.manifests import encode_manifest, load_model
from evermodel_runtime.artifacts.skops_archive import ArchiveError
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.rows import decode_hashes
from evermodel_runtime.train.job import train

MIXED = {"data": make_source(id_column="id")}


def numbers(rows: int = 300) -> list[dict[str, Any]]:
    return make_numbers(rows)


def hub_of(table: list[dict[str, Any]]) -> MemoryHub:
    return MemoryHub(datasets={"flowers.csv": as_csv(table)})


def earlier(hub: MemoryHub, **run: Any) -> str:
    """Train a version; returns its manifest."""
    return train(make_train_run(**{"estimator": "LogisticRegression", **run}), surroundings(hub)).manifest


def old(manifest: str | None, number: int | None = 1) -> Member:
    return Member(name="old", version=number, manifest=manifest)


def joined(hub: MemoryHub, ensemble: Ensemble, **run: Any) -> TrainReport:
    return train(run_of(ensemble, version=2, **run), surroundings(hub))


@pytest.mark.parametrize(
    ("made", "estimator", "expected"),
    [
        pytest.param(voting, "LogisticRegression", ModelFormat.ONNX, id="a soft vote"),
        pytest.param(stacking, "LogisticRegression", ModelFormat.ONNX, id="a stacking"),
        pytest.param(voting, "RandomForestClassifier", ModelFormat.ONNX, id="a forest"),
        pytest.param(voting, "LinearSVC", ModelFormat.ONNX, id="one without probabilities"),
        pytest.param(stacking, "LinearSVC", ModelFormat.SKOPS, id="stacking over one without probabilities"),
    ],
)
def test_an_ensemble_with_an_earlier_version_is_stored_so_that_it_answers_as_it_was_trained(
    made: Any, estimator: str, expected: ModelFormat
) -> None:
    hub = hub_of(numbers())
    member = old(earlier(hub, estimator=estimator))

    report = joined(hub, made(member, TREE))  # parity is checked on every row there is, or it ends in an error

    assert report.format is expected, report.format_reason
    assert made(member, TREE) == hub.manifest(report.manifest).ensemble
    assert joined(hub, made(member, TREE)).manifest == report.manifest
    rows, labels = columns_of(make_numbers(200, seed=4))
    assert np.mean(load_model(hub, report.manifest).scorer.predict(rows) == labels) > 0.7


def columns_of(table: list[dict[str, Any]]) -> tuple[Any, Any]:
    rows = np.array([[row["height"], row["width"]] for row in table], np.float32)
    return rows, np.array([row["kind"] for row in table], dtype=np.object_)


def test_its_answers_are_those_of_the_version() -> None:
    hub = hub_of(numbers())
    manifest = earlier(hub)
    rows, _ = columns_of(make_numbers(200, seed=4))
    alone = load_model(hub, manifest).scorer.predict_with_probabilities(rows)

    report = joined(hub, voting(old(manifest), TREE, weights=(1.0, 0.0)))

    answers, probabilities = load_model(hub, report.manifest).scorer.predict_with_probabilities(rows)
    assert answers.tolist() == alone[0].tolist()
    assert probabilities is not None
    assert alone[1] is not None
    assert np.allclose(probabilities, alone[1], atol=1e-6)


def test_classes_in_another_order_keep_their_probabilities() -> None:
    """A container of one's own may write the classes in any order."""
    hub = hub_of(numbers())
    manifest = hub.manifest(earlier(hub))
    turned = msgspec.structs.replace(manifest, classes=manifest.classes[::-1])  # as if its columns were swapped

    swapped = joined(hub, voting(old(hub.put_blob(encode_manifest(turned))), TREE, weights=(1.0, 0.0)))

    straight = joined(hub, voting(old(hub.put_blob(encode_manifest(manifest))), TREE, weights=(1.0, 0.0)))
    assert (straight.format, swapped.format) == (ModelFormat.ONNX, ModelFormat.ONNX)
    rows, _ = columns_of(make_numbers(50, seed=4))
    known, found = (
        load_model(hub, report.manifest).scorer.predict_with_probabilities(rows)[1] for report in (straight, swapped)
    )
    assert known is not None
    assert found is not None
    assert np.allclose(known, found[:, ::-1], atol=1e-6)


@pytest.mark.parametrize("ensemble", [voting, stacking])
def test_columns_of_text_with_gaps_are_taken_as_they_are(ensemble: Any) -> None:
    table = make_table(300)
    for row in table[::9]:
        row["height"] = ""
    hub = hub_of(table)

    report = joined(hub, ensemble(old(earlier(hub, **MIXED)), TREE), **MIXED)

    assert report.format is ModelFormat.SKOPS
    assert any("one-hot encoded" in note for note in report.notes)


def test_one_that_is_stored_by_skops_takes_part() -> None:
    hub = hub_of(make_table(300))
    first = joined(hub, voting(old(earlier(hub, **MIXED)), TREE), **MIXED)
    assert first.format is ModelFormat.SKOPS

    report = joined(hub, voting(old(first.manifest), BAYES), **MIXED)

    assert report.format is ModelFormat.SKOPS


def test_a_regressor_takes_part() -> None:
    table = [{"height": row["height"], "width": row["width"], "kind": 3 * row["height"]} for row in make_table(300)]
    hub = hub_of(table)
    of_numbers = {"task": Task.REGRESSION, "objective": Measure(metric=Metric.RMSE)}
    member = old(earlier(hub, estimator="Ridge", **of_numbers))

    report = joined(
        hub,
        Ensemble(
            type=EnsembleType.VOTING,
            members=(member, Member(name="tree", estimator="DecisionTreeRegressor")),
            weights=(1.0, 0.0),
        ),
        estimator="VotingRegressor",
        **of_numbers,
    )

    assert report.format is ModelFormat.ONNX, report.format_reason
    rows, _ = columns_of([row | {"kind": 0} for row in table[:50]])
    assert np.allclose(load_model(hub, report.manifest).scorer.predict(rows), 3 * rows[:, 0], atol=0.1)


def test_rows_that_a_member_has_learnt_from_are_no_fresh_ones() -> None:
    hub = hub_of(make_numbers(300, seed=5))
    manifest = earlier(hub)
    hub.datasets["flowers.csv"] = as_csv(numbers())

    report = joined(hub, voting(old(manifest), TREE))

    seen, learnt = (
        set(decode_hashes(hub.blob(hub.manifest(name).training_rows)).tolist()) for name in (manifest, report.manifest)
    )
    assert seen < learnt


@pytest.mark.parametrize(
    ("ensemble", "words"),
    [
        pytest.param(voting, "The member old is version 1 as it is.", id="a vote"),
        pytest.param(
            stacking, "It has learnt from 100% of the rows", id="a stacking learns from what it knows by heart"
        ),
    ],
)
def test_the_notes_say_what_took_part(ensemble: Any, words: str) -> None:
    hub = hub_of(numbers())

    report = joined(hub, ensemble(old(earlier(hub)), TREE))

    assert any(words in note for note in report.notes)


def test_without_a_champion_the_others_are_fitted() -> None:
    hub = hub_of(numbers())

    report = joined(hub, voting(old(None, None), TREE, BAYES, weights=(5.0, 2.0, 1.0)))

    made = hub.manifest(report.manifest).ensemble
    assert made == voting(TREE, BAYES, weights=(2.0, 1.0))
    assert "The member old is left out: there is no champion yet." in report.notes


def other(table: list[dict[str, Any]], change: Any) -> list[dict[str, Any]]:
    return [change(row) for row in table]


@pytest.mark.parametrize(
    ("change", "run", "words"),
    [
        pytest.param(
            lambda row: row | {"depth": 1}, {}, "it does not know the column 'depth'", id="a column that is new to it"
        ),
        pytest.param(
            lambda row: {"width": row["width"], "kind": row["kind"]}, {}, "it needs the column 'height'", id="one gone"
        ),
        pytest.param(
            lambda row: row | {"kind": "lily" if row["width"] > 1 else row["kind"]},
            {},
            "classes are new to it: lily",
            id="a class that is new to it",
        ),
        pytest.param(
            lambda row: row | {"kind": "rose" if row["width"] > 0 else "oak"},
            {},
            "classes are new to it: oak",
            id="other classes",
        ),
        pytest.param(
            lambda row: row, {"data": make_source(holdout_fraction=0.4)}, "rows that are held out here", id="a holdout"
        ),
    ],
)
def test_a_version_that_does_not_fit_is_refused_with_what_differs(change: Any, run: dict[str, Any], words: str) -> None:
    hub = hub_of(numbers())
    manifest = earlier(hub)
    hub.datasets["flowers.csv"] = as_csv(other(numbers(), change))

    with pytest.raises(JobError) as caught:
        joined(hub, voting(TREE, old(manifest)), **run)

    assert caught.value.reason is FailureReason.SPEC_INVALID
    assert caught.value.message.startswith("spec.training.ensemble.members[1]: version 1 cannot be a member: ")
    assert words in caught.value.message
    report = joined(hub, voting(TREE, old(manifest, None)), **run)  # the champion is left out instead
    assert any(words in note for note in report.notes)


def test_a_version_of_another_task_is_refused() -> None:
    hub = hub_of(numbers())
    manifest = msgspec.structs.replace(hub.manifest(earlier(hub)), task=Task.REGRESSION)

    with pytest.raises(JobError, match="its task is Regression, and Classification is declared"):
        joined(hub, voting(TREE, old(hub.put_blob(encode_manifest(manifest)))))


def test_a_soft_vote_with_one_that_gives_no_probabilities_is_refused() -> None:
    hub = hub_of(numbers())
    manifest = earlier(hub, estimator="LinearSVC")

    with pytest.raises(JobError, match=r"members\[1\]: version 1 gives no probabilities"):
        joined(hub, voting(TREE, old(manifest), voting=Vote.SOFT))


def test_an_archive_of_others_holds_no_model_within() -> None:
    hub = hub_of(make_table(300))
    report = joined(hub, voting(old(earlier(hub, **MIXED)), TREE), **MIXED)
    archive: Manifest = hub.manifest(report.manifest)

    with pytest.raises(ArchiveError, match="EarlierClassifier is not taken from elsewhere"):
        load_foreign(hub.blob(archive.skops or ""))
