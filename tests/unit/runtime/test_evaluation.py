"""The evaluation Job as a whole, with a hub in memory."""

import msgspec
import pytest
from tests.unit.runtime.made_runs import (
    as_csv,
    digits,
    make_evaluate_run,
    make_numbers,
    make_source,
    make_train_run,
)
from tests.unit.runtime.memory_hub import PIXELS, MemoryHub, as_records, numbers, surroundings

from evermodel.contract import DataSource, EvaluateRun, FailureReason, FreshRange, TrainReport, TrainRun
from evermodel_runtime.artifacts.manifests import encode_manifest
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.evaluate.job import evaluate
from evermodel_runtime.train.job import train

DIGITS = make_source(uri="sklearn://digits?rows=:700", target="target")
WEAK = make_train_run(data=DIGITS, parameters={"max_depth": 3})
STRONG = make_train_run(data=DIGITS, version=2, parameters={"max_depth": 12})
EVERYTHING = FreshRange(after=0, through=10_000)


def trained(hub: MemoryHub, run: TrainRun) -> TrainReport:
    return train(run, surroundings(hub))


def judged(candidate: TrainReport, champion: TrainReport | None, **changes: object) -> EvaluateRun:
    names = {"data": DIGITS, "champion": champion and champion.manifest} | changes
    return make_evaluate_run(candidate.manifest, candidate.data_sha256, **names)


def test_candidate_and_champion_are_scored_on_the_same_held_out_rows() -> None:
    hub = MemoryHub()
    weak, strong = trained(hub, WEAK), trained(hub, STRONG)

    score = evaluate(judged(strong, weak), surroundings(hub)).reference

    assert score is not None
    assert score.champion is not None
    assert score.rows == 700 - strong.rows
    assert score.dummy < score.champion < score.candidate
    assert round((score.candidate - score.champion) * score.rows) == score.candidate_only - score.champion_only
    assert score.metrics["accuracy"] == pytest.approx(score.candidate, abs=1e-6)
    assert {"balancedAccuracy", "recall", "recall (weighted)", "rocAuc", "prAuc", "logLoss", "mcc"} < set(score.metrics)
    assert (score.metric, score.p) == ("accuracy", None)
    assert score.use == 1


def test_the_first_version_has_no_champion_and_uses_the_rows_all_the_same() -> None:
    hub = MemoryHub()

    score = evaluate(judged(trained(hub, WEAK), None), surroundings(hub)).reference

    assert score is not None
    assert (score.champion, score.candidate_only, score.champion_only, score.use) == (None, 0, 0, 1)


def test_each_version_that_uses_the_rows_counts_once() -> None:
    hub = MemoryHub()
    report = trained(hub, WEAK)
    uses = []
    for version in (1, 2, 2, 3):
        score = evaluate(judged(report, None, version=version), surroundings(hub)).reference
        assert score is not None
        uses.append(score.use)

    assert uses == [1, 2, 2, 3]


@pytest.mark.parametrize(
    "changes",
    [{"uri": "sklearn://digits"}, {"id_column": "id"}, {"holdout_fraction": 0.3}, {"target": "other"}],
    ids=lambda changes: next(iter(changes)),
)
def test_other_reference_rows_have_another_key(changes: dict[str, object]) -> None:
    from evermodel_runtime.evaluate.heldout import rows_key  # noqa: PLC0415 - only here

    changed: DataSource = msgspec.structs.replace(DIGITS, **changes)

    assert rows_key(changed) != rows_key(DIGITS)
    assert rows_key(msgspec.structs.replace(DIGITS, sha256="ab" * 32)) == rows_key(DIGITS)


def test_a_file_that_changed_since_training_is_refused() -> None:
    hub = MemoryHub()
    report = trained(hub, WEAK)
    run = judged(report, None, data=make_source(uri="sklearn://digits?rows=:699", target="target"))

    with pytest.raises(JobError, match="changed between training and evaluation") as failure:
        evaluate(run, surroundings(hub))

    assert failure.value.reason is FailureReason.DIGEST_MISMATCH


def test_rows_that_the_champion_was_trained_on_are_left_out() -> None:
    hub = MemoryHub()
    few_held_out = msgspec.structs.replace(DIGITS, holdout_fraction=0.1)
    many_held_out = msgspec.structs.replace(DIGITS, holdout_fraction=0.4)
    champion = trained(hub, msgspec.structs.replace(WEAK, data=few_held_out))
    candidate = trained(hub, msgspec.structs.replace(STRONG, data=many_held_out))

    score = evaluate(judged(candidate, champion, data=many_held_out), surroundings(hub)).reference

    assert score is not None
    assert score.rows == 700 - champion.rows


def test_fresh_records_are_scored_without_those_that_were_trained_on() -> None:
    images, labels = digits("700:1100")
    hub = MemoryHub(taken=PIXELS, labelled=as_records(images, labels))
    champion = trained(hub, WEAK)
    candidate = trained(hub, msgspec.structs.replace(STRONG, feedback_through=150))
    assert candidate.feedback_rows == 150

    everything = evaluate(judged(candidate, champion, fresh=EVERYTHING), surroundings(hub)).fresh
    later = evaluate(
        judged(candidate, champion, fresh=FreshRange(after=200, through=300, predicted_after=310.5)), surroundings(hub)
    ).fresh

    assert everything is not None
    assert later is not None
    assert (everything.rows, later.rows) == (250, 90)
    assert [(use.set, use.rows_key, use.after, use.through) for use in hub.uses if use.set == "fresh"] == [
        ("fresh", "fresh", 0, 10_000),
        ("fresh", "fresh", 200, 300),
    ]


def test_no_fresh_records_are_no_score_and_no_use() -> None:
    hub = MemoryHub()
    report = trained(hub, WEAK)

    assert evaluate(judged(report, report, fresh=EVERYTHING), surroundings(hub)).fresh is None
    assert [use.set for use in hub.uses] == ["reference"]


KINDS = [row["kind"] for row in make_numbers(100, seed=9)]


def flowers(hub: MemoryHub, *features: str, version: int = 1) -> TrainReport:
    return trained(hub, make_train_run(data=make_source(features=features), version=version))


def test_models_of_different_columns_are_each_fed_their_own() -> None:
    hub = MemoryHub(datasets={"flowers.csv": as_csv(make_numbers(200))}, taken={1: numbers("width", "height")})
    hub.labelled = as_records([[row["width"], row["height"]] for row in make_numbers(100, seed=9)], KINDS)
    champion, candidate = flowers(hub, "width", "height"), flowers(hub, "height", version=2)
    run = make_evaluate_run(
        candidate.manifest,
        candidate.data_sha256,
        champion=champion.manifest,
        data=make_source(features=("height",)),
        fresh=EVERYTHING,
    )

    report = evaluate(run, surroundings(hub))

    assert report.reference is not None
    assert report.reference.champion is not None
    assert report.fresh is not None
    assert report.fresh.rows > 90  # some heights are also in the source
    assert report.fresh.champion is not None
    assert min(report.fresh.candidate, report.fresh.champion) > 0.8


def test_records_follow_a_candidate_that_takes_the_columns_in_another_order() -> None:
    hub = MemoryHub(datasets={"flowers.csv": as_csv(make_numbers(200))}, taken={1: numbers("width", "height")})
    hub.labelled = as_records([[row["width"], row["height"]] for row in make_numbers(100, seed=9)], KINDS)
    champion, candidate = flowers(hub, "width", "height"), flowers(hub, "height", "width", version=2)
    run = make_evaluate_run(candidate.manifest, candidate.data_sha256, champion=champion.manifest, fresh=EVERYTHING)

    fresh = evaluate(run, surroundings(hub)).fresh

    assert fresh is not None
    assert fresh.champion is not None
    assert abs(fresh.candidate - fresh.champion) < 0.15


def test_a_champion_whose_columns_are_gone_is_not_scored() -> None:
    hub = MemoryHub(datasets={"flowers.csv": as_csv(make_numbers(200))})
    champion = flowers(hub, "width", "height")
    hub.datasets["flowers.csv"] = as_csv([{"height": r["height"], "kind": r["kind"]} for r in make_numbers(200)])
    candidate = flowers(hub, version=2)
    run = make_evaluate_run(candidate.manifest, candidate.data_sha256, champion=champion.manifest)

    score = evaluate(run, surroundings(hub)).reference

    assert score is not None
    assert score.champion is None


def test_equal_manifests_are_equal_bytes() -> None:
    hub = MemoryHub()
    report = trained(hub, WEAK)

    assert encode_manifest(hub.manifest(report.manifest)) == hub.blob(report.manifest)
