"""An objective about one class, from training to evaluation: its value, what must be beaten, what data must have."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import skl2onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn import metrics as sklearn_metrics
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from tests.unit.runtime.made_runs import as_csv, make_evaluate_run, make_numbers, make_source, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import FailureReason, ImportedModel, Measure, Metric
from evermodel_runtime.artifacts.manifests import load_model
from evermodel_runtime.custom.folders import Folders
from evermodel_runtime.custom.prepare import prepare
from evermodel_runtime.data.csvfile import read_csv
from evermodel_runtime.data.dataset import read_dataset
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.labels import as_texts
from evermodel_runtime.data.split import held_out, keys_of_ids
from evermodel_runtime.evaluate.job import evaluate
from evermodel_runtime.train.job import train

TABLE = make_numbers(400)
SOURCE = make_source()
IRIS = make_source(uri="sklearn://iris", target="target")
OF_ROSES = Measure(metric=Metric.RECALL, positive_class="rose")
ORACLES = {
    Metric.PRECISION: sklearn_metrics.precision_score,
    Metric.RECALL: sklearn_metrics.recall_score,
    Metric.F1: sklearn_metrics.f1_score,
}


def hub_with(table: list[dict[str, Any]]) -> MemoryHub:
    return MemoryHub(datasets={"flowers.csv": as_csv(table)})


@pytest.mark.parametrize("kind", ["rose", "tulip"])
@pytest.mark.parametrize("metric", list(ORACLES))
def test_the_score_is_that_of_the_class_and_a_guess_is_beaten(metric: Metric, kind: str) -> None:
    hub, measure = hub_with(TABLE), Measure(metric=metric, positive_class=kind)
    made = train(make_train_run(parameters={"max_depth": 1}, objective=measure), surroundings(hub))

    score = evaluate(make_evaluate_run(made.manifest, made.data_sha256, objective=measure), surroundings(hub)).reference

    dataset = read_dataset(read_csv(hub.datasets["flowers.csv"], "f"), SOURCE)
    truth = dataset.target.labels[dataset.reference]
    predicted = load_model(hub, made.manifest).scorer.predict(dataset.features[dataset.reference].inputs())
    said = np.mean(as_texts(predicted.tolist()) == kind)
    share = np.mean(truth == kind)
    guessed = {Metric.RECALL: said, Metric.PRECISION: share, Metric.F1: 2 * share / (share + 1)}
    assert score is not None
    assert score.metric == str(measure)
    assert score.candidate == pytest.approx(ORACLES[metric](truth, predicted.astype(object), pos_label=kind))
    assert score.dummy == pytest.approx(guessed[metric])
    assert score.candidate > score.dummy > 0


@pytest.mark.parametrize("kind", ["rose", "tulip"])
@pytest.mark.parametrize("metric", list(ORACLES))
def test_one_answer_to_all_rows_beats_no_guess(metric: Metric, kind: str) -> None:
    hub, measure = hub_with(TABLE), Measure(metric=metric, positive_class=kind)
    constant = {"strategy": "constant", "constant": kind}
    run = make_train_run(estimator="DummyClassifier", parameters=constant, objective=measure)
    made = train(run, surroundings(hub))

    score = evaluate(make_evaluate_run(made.manifest, made.data_sha256, objective=measure), surroundings(hub)).reference

    assert score is not None
    assert score.candidate == pytest.approx(score.dummy)


def imported(hub: MemoryHub, objective: Measure) -> None:
    rows, labels = load_iris(return_X_y=True)
    model = skl2onnx.convert_sklearn(
        LogisticRegression(max_iter=1000).fit(rows, labels), initial_types=[("features", FloatTensorType([None, 4]))]
    )
    content = model.SerializeToString()
    hub.datasets["model"] = content
    taken = ImportedModel(uri="hub://model", sha256=hashlib.sha256(content).hexdigest())
    train(make_train_run(data=IRIS, estimator="", imported=taken, objective=objective), surroundings(hub))


def trained(hub: MemoryHub, objective: Measure) -> None:
    train(make_train_run(data=IRIS, objective=objective), surroundings(hub))


def prepared(hub: MemoryHub, objective: Measure) -> None:
    nowhere = Folders(Path("/nowhere"), Path("/nowhere"), Path("/nowhere"))
    run = make_train_run(data=IRIS, estimator="", container="registry.example/trainer:1", objective=objective)
    prepare(run, surroundings(hub), nowhere)


@pytest.mark.parametrize("make", [trained, prepared, imported], ids=["trained", "by a container", "imported"])
def test_a_class_that_the_data_lack_is_refused_with_the_classes_there_are(make: Any) -> None:
    with pytest.raises(JobError) as failure:
        make(MemoryHub(), Measure(metric=Metric.RECALL, positive_class="3"))

    assert failure.value.reason is FailureReason.SPEC_INVALID
    assert failure.value.message == (
        "spec.objective.positiveClass is '3', which no row of sklearn://iris is: the classes in its target 'target' "
        "are '0', '1', '2'."
    )


def test_a_class_that_is_nearly_spelled_so_is_proposed() -> None:
    objective = Measure(metric=Metric.F1, positive_class="Rose")
    with pytest.raises(JobError, match=r"are 'rose', 'tulip'\. Did you mean 'rose'\?$"):
        train(make_train_run(objective=objective), surroundings(hub_with(TABLE)))


@pytest.mark.parametrize(
    ("rare", "words"),
    [
        pytest.param(
            False,
            "3 of 403 rows of hub://flowers.csv are of class 'orchid', spec.objective.positiveClass, and none of them "
            "is held out, so that its recall cannot be measured. Add rows of this class, or raise "
            "spec.data.holdout.fraction.",
            id="none is held out",
        ),
        pytest.param(
            True,
            "3 of 403 rows of hub://flowers.csv are of class 'orchid', spec.objective.positiveClass, and all of them "
            "are held out, so that it cannot be learnt. Add rows of this class, or lower spec.data.holdout.fraction.",
            id="all are held out",
        ),
    ],
)
def test_a_class_that_is_on_one_side_of_the_split_is_refused(*, rare: bool, words: str) -> None:
    ids = [f"o{number}" for number in range(100)]
    chosen = [one for one, held in zip(ids, held_out(keys_of_ids(ids), 0.2).tolist(), strict=True) if held is rare][:3]
    orchids = [{"height": 0.5, "width": 0.5, "kind": "orchid", "id": one} for one in chosen]
    table = [row | {"id": f"f{place}"} for place, row in enumerate(TABLE)] + orchids
    objective = msgspec.structs.replace(OF_ROSES, positive_class="orchid")

    with pytest.raises(JobError) as failure:
        train(make_train_run(data=make_source(id_column="id"), objective=objective), surroundings(hub_with(table)))

    assert failure.value.reason is FailureReason.DATA_INVALID
    assert failure.value.message == words


def test_rows_without_the_class_give_no_score() -> None:
    hub = hub_with(TABLE)
    made = train(make_train_run(objective=OF_ROSES), surroundings(hub))
    run = make_evaluate_run(
        made.manifest, made.data_sha256, objective=msgspec.structs.replace(OF_ROSES, positive_class="orchid")
    )
    assert evaluate(run, surroundings(hub)).reference is None


def test_that_accuracy_hides_the_smaller_classes_is_no_news_where_it_is_not_the_objective() -> None:
    table = [row | {"kind": "rose" if place % 20 == 0 else "tulip"} for place, row in enumerate(TABLE)]
    by_accuracy = train(make_train_run(), surroundings(hub_with(table))).notes
    by_recall = train(make_train_run(objective=OF_ROSES), surroundings(hub_with(table))).notes
    assert any("always saying it has an accuracy of" in note for note in by_accuracy)
    assert not any("always saying" in note for note in by_recall)
