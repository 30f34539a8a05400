"""Models that were made elsewhere and are taken over as version 1: what is read from them, and what is refused."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pytest
import skl2onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from tests.unit.runtime.made_runs import (
    as_csv,
    make_evaluate_run,
    make_numbers,
    make_source,
    make_table,
    make_train_run,
)
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import FailureReason, ImportedModel, ModelFormat, Task, TrainReport
from evermodel_runtime.artifacts.manifests import load_model
from evermodel_runtime.artifacts.skops_archive import dump_pipeline
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.evaluate.job import evaluate
from evermodel_runtime.train.job import train

IRIS = make_source(uri="sklearn://iris", target="target")
ROWS, LABELS = load_iris(return_X_y=True)
FLOWERS = {"flowers.csv": as_csv(make_numbers(200)), "mixed.csv": as_csv(make_table(200))}


def imported(hub: MemoryHub, content: bytes, **changes: Any) -> TrainReport:
    hub.datasets["model"] = content
    model = ImportedModel(uri="hub://model", sha256=hashlib.sha256(content).hexdigest())
    return train(make_train_run(**{"data": IRIS, "estimator": "", "imported": model, **changes}), surroundings(hub))


def as_onnx(estimator: Any, width: int = 4, kind: Any = FloatTensorType, **options: Any) -> bytes:
    initial = [("features", kind([None, width]))]
    model = skl2onnx.convert_sklearn(estimator, initial_types=initial, options={id(estimator): options})
    content: bytes = model.SerializeToString()
    return content


def fitted(estimator: Any, labels: Any = LABELS) -> Any:
    return estimator.fit(ROWS, labels)


def test_an_onnx_model_is_served_as_it_is_and_judged_on_all_held_out_rows() -> None:
    hub, forest = MemoryHub(), fitted(RandomForestClassifier(20, random_state=0))
    content = as_onnx(forest, zipmap=False)

    report = imported(hub, content)

    manifest = hub.manifest(report.manifest)
    assert (report.format, report.rows, report.classes) == (ModelFormat.ONNX, 0, 3)
    assert hub.blob(manifest.artifact) == content
    assert (manifest.classes, manifest.onnx_inputs) == ((0, 1, 2), "matrix")
    assert "nobody knows which rows" in report.notes[0]
    scorer = load_model(hub, report.manifest).scorer
    assert scorer.predict(ROWS.astype(np.float32)).tolist() == forest.predict(ROWS).tolist()
    judged = evaluate(make_evaluate_run(report.manifest, report.data_sha256, data=IRIS), surroundings(hub)).reference
    assert judged is not None
    assert judged.candidate > 0.95
    assert judged.rows > 20


def test_the_classes_of_a_model_without_probabilities_are_those_of_the_source() -> None:
    hub = MemoryHub()
    model = onnx.load_from_string(as_onnx(fitted(LinearSVC())))
    del model.graph.output[1:]

    assert hub.manifest(imported(hub, model.SerializeToString()).manifest).classes == (0, 1, 2)


def test_an_archive_is_exported_to_onnx_where_that_answers_the_same() -> None:
    hub = MemoryHub()

    report = imported(hub, dump_pipeline(fitted(make_pipeline(StandardScaler(), LogisticRegression()))))

    manifest = hub.manifest(report.manifest)
    assert (report.format, manifest.estimator) == (ModelFormat.ONNX, "LogisticRegression")
    assert "scikit-learn" in manifest.libraries


def test_a_model_that_is_no_pipeline_is_taken_over_too() -> None:
    hub = MemoryHub()

    report = imported(hub, dump_pipeline(fitted(HistGradientBoostingClassifier(max_iter=5))))

    assert hub.manifest(report.manifest).estimator == "HistGradientBoostingClassifier"


def test_columns_that_a_model_names_are_found_in_its_own_order() -> None:
    hub = MemoryHub(datasets=dict(FLOWERS))
    table = make_numbers(200)
    frame = pa.table({name: [row[name] for row in table] for name in ("width", "height")})
    model = RandomForestClassifier(20, random_state=0).fit(frame, [row["kind"] for row in table])

    report = imported(hub, dump_pipeline(model), data=make_source())

    assert [column.name for column in hub.manifest(report.manifest).columns] == ["width", "height"]
    reference = hub.reference(report.manifest)
    assert [bins.name for bins in reference.features] == ["width", "height"]
    assert (reference.prediction.categories, reference.prediction.present) == (("rose", "tulip"), 200)
    judged = evaluate(make_evaluate_run(report.manifest, report.data_sha256), surroundings(hub)).reference
    assert judged is not None
    assert judged.candidate > 0.95


@pytest.mark.parametrize("form", ["onnx", "skops"])
def test_a_regressor_is_taken_over(form: str) -> None:
    hub = MemoryHub(datasets=dict(FLOWERS))
    table = make_numbers(200)
    rows = np.array([[row["height"]] for row in table])
    model = LinearRegression().fit(rows, [row["width"] for row in table])
    content = dump_pipeline(model)
    if form == "onnx":
        content = skl2onnx.convert_sklearn(model, initial_types=[("X", FloatTensorType([None, 1]))]).SerializeToString()
    source = make_source(target="width", features=("height",))

    report = imported(hub, content, data=source, task=Task.REGRESSION)

    manifest = hub.manifest(report.manifest)
    assert manifest.classes == ()
    assert manifest.mean == pytest.approx(np.mean([row["width"] for row in table]), abs=1e-6)
    assert hub.reference(report.manifest).prediction.counts == (20,) * 10


def backwards(content: bytes) -> bytes:
    """Let a model answer its probabilities from the last class to the first."""
    model = onnx.load_from_string(content)
    known = model.graph.output[1].name
    turned = onnx.helper.make_node("Gather", [known, "order"], ["turned"], axis=1)
    model.graph.node.append(turned)
    model.graph.initializer.append(onnx.helper.make_tensor("order", onnx.TensorProto.INT64, [3], [2, 1, 0]))
    model.graph.output[1].name = "turned"
    turned_content: bytes = model.SerializeToString()
    return turned_content


FOREST = fitted(RandomForestClassifier(5, random_state=0))


@pytest.mark.parametrize(
    ("content", "changes", "words"),
    [
        pytest.param(
            b"model",
            {},
            "no zip file, as a skops archive is, and as ONNX it is not taken: The model has no node",
            id="neither",
        ),
        pytest.param(b"PK..", {}, "the archive may not be loaded", id="a broken archive"),
        pytest.param(as_onnx(FOREST), {}, "zipmap=False", id="maps for probabilities"),
        pytest.param(as_onnx(FOREST, kind=DoubleTensorType, zipmap=False), {}, "is a tensor(double)", id="doubles"),
        pytest.param(
            as_onnx(FOREST, zipmap=False),
            {"data": make_source()},
            "takes 4 columns, and the source has 2",
            id="columns",
        ),
        pytest.param(
            as_onnx(FOREST, zipmap=False),
            {"data": make_source(uri="hub://mixed.csv", id_column="id")},
            "'colour' of the source is text",
            id="text for numbers",
        ),
        pytest.param(
            as_onnx(fitted(LinearRegression())), {}, "a Classification answers tensor(int64)", id="numbers for classes"
        ),
        pytest.param(
            as_onnx(fitted(LogisticRegression(), LABELS > 1), zipmap=False),
            {},
            "knows 2 classes, and source and answers have 3",
            id="classes that it does not know",
        ),
        pytest.param(
            as_onnx(fitted(LogisticRegression(), np.array(["a", "b", "c"])[LABELS]), zipmap=False),
            {},
            "text and whole numbers are different",
            id="text for whole numbers",
        ),
        pytest.param(
            backwards(as_onnx(FOREST, zipmap=False)), {}, "not those of 0, 1, 2, in this order", id="classes backwards"
        ),
        pytest.param(as_onnx(fitted(LinearSVC())), {}, "second output holds no probabilities", id="scores"),
        pytest.param(dump_pipeline(fitted(LinearRegression())), {}, "no fitted model of a Class", id="another task"),
        pytest.param(dump_pipeline(LogisticRegression()), {}, "no fitted model", id="not fitted"),
        pytest.param(dump_pipeline(FOREST), {"data": make_source()}, "takes 4 columns", id="columns of an archive"),
    ],
)
def test_what_cannot_be_served_is_refused(content: bytes, changes: dict[str, Any], words: str) -> None:
    hub = MemoryHub(datasets=dict(FLOWERS))

    with pytest.raises(JobError) as failure:
        imported(hub, content, **changes)

    assert failure.value.reason is FailureReason.SPEC_INVALID
    assert words in failure.value.message
    assert not hub.blobs


def test_another_file_is_refused() -> None:
    hub = MemoryHub(datasets={"model": b"another"})
    model = ImportedModel(uri="hub://model", sha256="0" * 64)

    with pytest.raises(JobError) as failure:
        train(make_train_run(data=IRIS, imported=model), surroundings(hub))

    assert failure.value.reason is FailureReason.DIGEST_MISMATCH
    assert failure.value.message.startswith("spec.model.uri: hub://model is not the declared file")
