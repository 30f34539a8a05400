"""The fallback: what ONNX cannot hold is stored by skops, always as the same bytes, and nothing else is loaded."""

from __future__ import annotations

import importlib
import io
import json
import zipfile
from typing import Any

import msgspec
import numpy as np
import pytest
import skops.io
from sklearn.decomposition import NMF
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer
from tests.unit.runtime.made_runs import as_csv, make_numbers, make_source, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import Column, ColumnKind, FailureReason, Manifest, ModelFormat
from evermodel_runtime.artifacts.manifests import load_model
from evermodel_runtime.artifacts.skops_archive import ArchiveError, dump_pipeline, load_pipeline
from evermodel_runtime.artifacts.skops_types import TYPES
from evermodel_runtime.data.bundled import bundled_csv
from evermodel_runtime.data.csvfile import read_csv
from evermodel_runtime.data.dataset import read_dataset
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.train.estimators import CLASSIFIERS
from evermodel_runtime.train.job import train
from evermodel_runtime.train.pipeline import make_recipe, table

pytestmark = pytest.mark.filterwarnings("ignore:.*converge", "ignore::FutureWarning")
WINE = read_dataset(read_csv(bundled_csv("wine"), "wine"), make_source(target="target"))
SMALL: dict[str, dict[str, Any]] = {
    "HistGradientBoostingClassifier": {"max_iter": 5},
    "GradientBoostingClassifier": {"n_estimators": 5},
    "RandomForestClassifier": {"n_estimators": 5},
    "ExtraTreesClassifier": {"n_estimators": 5},
    "AdaBoostClassifier": {"n_estimators": 5},
    "RadiusNeighborsClassifier": {"outlier_label": "most_frequent"},
}
MANHATTAN = {"estimator": "NearestCentroid", "parameters": {"metric": "manhattan"}}
CANBERRA = {"estimator": "KNeighborsClassifier", "parameters": {"metric": "canberra"}}


def fitted(estimator: str, parameters: dict[str, Any] | None = None) -> Any:
    chosen = SMALL.get(estimator, {}) if parameters is None else parameters
    run = make_train_run(data=make_source(target="target"), estimator=estimator, parameters=chosen)
    return make_recipe(run, WINE.features.columns).fit(WINE.features, WINE.target.labels)


@pytest.mark.parametrize("estimator", CLASSIFIERS)
def test_every_estimator_comes_back_as_it_was_and_always_as_the_same_bytes(estimator: str) -> None:
    first, second = fitted(estimator), fitted(estimator)

    content = dump_pipeline(first)

    assert content == dump_pipeline(first) == dump_pipeline(second)
    rows = table(WINE.features)
    assert load_pipeline(content).predict(rows).tolist() == first.predict(rows).tolist()


@pytest.mark.parametrize(
    ("estimator", "parameters"),
    [
        pytest.param("SGDClassifier", {"loss": "log_loss"}, id="another loss"),
        pytest.param("SGDClassifier", {"loss": "epsilon_insensitive"}, id="a loss of regressors"),
        pytest.param("CalibratedClassifierCV", {"method": "isotonic"}, id="isotonic calibration"),
        pytest.param("CalibratedClassifierCV", {"method": "temperature"}, id="calibration by temperature"),
        pytest.param("KNeighborsClassifier", {"algorithm": "ball_tree", "p": 3}, id="a ball tree"),
        pytest.param("KNeighborsClassifier", {"algorithm": "kd_tree", "metric": "chebyshev"}, id="a tree of maxima"),
        pytest.param("MLPClassifier", {"solver": "sgd", "max_iter": 5}, id="another optimiser"),
        pytest.param("LabelSpreading", {"kernel": "knn"}, id="a graph of neighbours"),
        pytest.param("GradientBoostingClassifier", {"init": "zero", "n_estimators": 2}, id="no first estimate"),
        pytest.param("DummyClassifier", {"strategy": "stratified"}, id="answers by lot"),
    ],
)
def test_parameters_bring_in_no_type_that_is_not_loaded(estimator: str, parameters: dict[str, Any]) -> None:
    model = fitted(estimator, parameters)
    rows = table(WINE.features)

    assert load_pipeline(dump_pipeline(model)).predict(rows).tolist() == model.predict(rows).tolist()


def test_an_archive_holds_neither_addresses_nor_times() -> None:
    with zipfile.ZipFile(io.BytesIO(dump_pipeline(fitted("KNeighborsClassifier")))) as archive:
        schema = archive.read("schema.json").decode()
        times = {entry.date_time for entry in archive.infolist()}
        names = archive.namelist()

    assert times == {(1980, 1, 1, 0, 0, 0)}
    assert names[:3] == ["schema.json", "1.npy", "2.npy"]
    assert all(int(part.split(",")[0].split("}")[0]) < 1000 for part in schema.split('"__id__":')[1:])


def test_one_array_in_two_places_is_one_array_after_loading() -> None:
    model = LogisticRegression()
    model.coef_ = np.arange(3.0)
    model.intercept_ = model.coef_

    loaded = load_pipeline(dump_pipeline(model))

    assert loaded.coef_ is loaded.intercept_


class TestAllowList:
    """What an archive may hold."""

    @pytest.mark.parametrize("name", sorted(TYPES))
    def test_each_type_exists(self, name: str) -> None:
        module, _, kind = name.rpartition(".")

        assert isinstance(getattr(importlib.import_module(module), kind), type)

    def test_a_transformer_that_cannot_be_declared_is_not_stored(self) -> None:
        with pytest.raises(ArchiveError, match=r"sklearn\.decomposition\._nmf\.NMF .* may be loaded"):
            dump_pipeline(NMF())

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            pytest.param(NMF(), r"_nmf\.NMF", id="an estimator that skops itself trusts"),
            pytest.param(FunctionTransformer(np.exp), "FunctionNode", id="a function that skops itself trusts"),
            pytest.param({1, 2}, r"builtins\.set", id="a set"),
        ],
    )
    def test_an_archive_with_another_type_is_not_loaded(self, value: Any, words: str) -> None:
        with pytest.raises(ArchiveError, match=words):
            load_pipeline(skops.io.dumps(value))

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"__module__": "os", "__class__": "system"}, id="a type of the operating system"),
            pytest.param({"__loader__": "MethodNode"}, id="a method"),
            pytest.param({"__loader__": "PartialNode"}, id="a call"),
            pytest.param({"__loader__": ["ObjectNode"]}, id="no name of a loader"),
        ],
    )
    def test_a_forged_schema_is_refused_before_anything_is_made(self, change: dict[str, Any]) -> None:
        schema = json.loads(unzipped(dump_pipeline(LogisticRegression()))["schema.json"])
        schema.update(change)

        with pytest.raises(ArchiveError):
            load_pipeline(zipped(schema))

    def test_bytes_that_are_no_archive_are_told(self) -> None:
        with pytest.raises(ArchiveError, match="not a zip file"):
            load_pipeline(b"no archive")


def unzipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(schema: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    return buffer.getvalue()


class TestTraining:
    """The format is chosen by the Job itself."""

    def test_what_onnx_holds_is_onnx(self) -> None:
        hub = MemoryHub(datasets={"flowers.csv": as_csv(make_numbers(200))})

        report = train(make_train_run(), surroundings(hub))

        assert (report.format, report.format_reason) == (ModelFormat.ONNX, "")
        assert hub.manifest(report.manifest).format is ModelFormat.ONNX

    @pytest.mark.parametrize(
        ("declared", "words"),
        [
            pytest.param(MANHATTAN, "metric manhattan", id="labels alone"),
            pytest.param(CANBERRA, "metric='canberra' is not implemented", id="with probabilities"),
        ],
    )
    def test_what_onnx_cannot_hold_is_stored_by_skops_and_it_is_told(
        self, declared: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        hub = MemoryHub(datasets={"flowers.csv": as_csv(make_numbers(200))})

        report = train(make_train_run(**declared), surroundings(hub))
        model = load_model(hub, report.manifest)

        assert report.format is ModelFormat.SKOPS
        assert words in report.format_reason
        assert f"no ONNX: {report.format_reason}" in capsys.readouterr().out
        assert (model.manifest.onnx, model.manifest.format) == (None, ModelFormat.SKOPS)
        rows = np.array([[2.0, 0.0], [-2.0, 0.0]], dtype=np.float32)
        labels, probabilities = model.scorer.predict_with_probabilities(rows)
        assert labels.tolist() == model.scorer.predict(list(rows.T)).tolist() == ["rose", "tulip"]
        assert (probabilities is not None) == model.scorer.has_probabilities == (declared is CANBERRA)

    def test_the_same_run_makes_the_same_archive(self) -> None:
        content = as_csv(make_numbers(200))
        hubs = [MemoryHub(datasets={"flowers.csv": content}) for _ in range(2)]

        first, second = (train(make_train_run(**CANBERRA), surroundings(hub)).manifest for hub in hubs)

        assert first == second

    def test_what_neither_holds_is_refused_with_both_reasons(self) -> None:
        hub = MemoryHub(datasets={"three.csv": bundled_csv("iris")})
        run = make_train_run(
            data=make_source(uri="hub://three.csv", target="target"),
            estimator="GaussianProcessClassifier",
            parameters={"multi_class": "one_vs_one"},
        )

        with pytest.raises(JobError, match=r"As ONNX, .*one_vs_one.* By skops, .*one_vs_one") as failure:
            train(run, surroundings(hub))

        assert failure.value.reason is FailureReason.PARITY_FAILED


def test_a_manifest_of_before_is_read_as_onnx() -> None:
    column = {"name": "a", "kind": "number"}
    fields = {"model": "m", "version": 1, "columns": [column], "classes": [0, 1], "onnx": "ab", "onnxInputs": "matrix"}
    rest = {"trainingRows": "", "majority": 0, "dataSha256": "", "feedbackThrough": None, "estimator": "SVC"}

    content = json.dumps(fields | rest | {"parameters": {}, "libraries": {}})
    manifest = msgspec.json.decode(content, type=Manifest)

    assert (manifest.format, manifest.artifact, manifest.skops) == (ModelFormat.ONNX, "ab", None)
    assert manifest.columns == (Column(name="a", kind=ColumnKind.NUMBER),)
