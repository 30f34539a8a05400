"""Model files of strangers: each is refused by words, before ONNX Runtime or scikit-learn follow what it says."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from tests.unit.runtime import made_onnx
from tests.unit.runtime.made_runs import as_csv, make_numbers, make_source, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import FailureReason, ImportedModel, WarmStart, WarmStartMode
from evermodel_runtime.artifacts import foreign_archive
from evermodel_runtime.artifacts.foreign_archive import load_foreign
from evermodel_runtime.artifacts.skops_archive import ArchiveError, dump_pipeline
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.train.job import train

ROWS, LABELS = load_iris(return_X_y=True)
FLOWERS = as_csv(make_numbers(200))


def fitted(estimator: Any) -> Any:
    return estimator.fit(ROWS, LABELS)


TREE = fitted(DecisionTreeClassifier(random_state=0))
FOREST = fitted(RandomForestClassifier(3, random_state=0))
BOOSTED = fitted(GradientBoostingClassifier(n_estimators=2))
HISTOGRAMS = fitted(HistGradientBoostingClassifier(max_iter=2))
CATEGORIES = fitted(make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()))
GROUPED = fitted(make_pipeline(OneHotEncoder(handle_unknown="ignore", min_frequency=5), LogisticRegression()))


def external() -> bytes:
    model = made_onnx.model()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    content: bytes = model.SerializeToString()
    return content


def own_operator() -> bytes:
    run = helper.make_node("Run", ["X"], ["label"], domain="evil")
    return made_onnx.written(nodes=[run], outputs=made_onnx.OUTPUTS[:1], domains=["evil"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(external(), "in another file, which is not taken", id="tensors in another file"),
        pytest.param(own_operator(), "needs the operator 'Run' of 'evil'", id="an operator of its own"),
        pytest.param(made_onnx.written()[:-40], "as ONNX it is not taken", id="cut off"),
        pytest.param(b"\x00" * 100, "is no ONNX file", id="no ONNX"),
        pytest.param(
            made_onnx.written(
                inputs=[made_onnx.value("X", TensorProto.FLOAT, None, 3)], constants=made_onnx.weights(3)
            ),
            "takes 3 columns, and the source has 2",
            id="inputs of another width",
        ),
    ],
)
def test_an_onnx_file_to_import_is_looked_at_before_it_is_loaded(content: bytes, words: str) -> None:
    with pytest.raises(JobError) as failure:
        imported(content)

    assert failure.value.reason is FailureReason.SPEC_INVALID
    assert failure.value.message.startswith("spec.model")
    assert words in failure.value.message


def imported(content: bytes) -> None:
    hub = MemoryHub(datasets={"flowers.csv": FLOWERS, "model": content})
    model = ImportedModel(uri="hub://model", sha256=hashlib.sha256(content).hexdigest())
    train(make_train_run(data=make_source(), estimator="", imported=model), surroundings(hub))


def forged(pipeline: Any, change: Callable[[dict[str, Any]], None], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return an archive whose files were changed: arrays by name, and the schema as JSON."""
    with zipfile.ZipFile(io.BytesIO(dump_pipeline(pipeline))) as archive:
        files: dict[str, Any] = {name: archive.read(name) for name in archive.namelist()}
    arrays = {name: np.load(io.BytesIO(files[name])) for name in files if name.endswith(".npy")}
    held = {"schema.json": json.loads(files["schema.json"]), **arrays}
    change(held)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, value in held.items():
            part = io.BytesIO()
            np.save(part, value) if isinstance(value, np.ndarray) else part.write(json.dumps(value).encode())
            archive.writestr(name, part.getvalue())
    return buffer.getvalue()


def in_nodes(field: str, value: int, place: int = 0) -> Callable[[dict[str, Any]], None]:
    """Set a field of a node in all arrays of nodes."""

    def change(held: dict[str, Any]) -> None:
        arrays = [
            array for array in held.values() if isinstance(array, np.ndarray) and field in (array.dtype.names or ())
        ]
        assert arrays
        for array in arrays:
            array[field][place] = value

    return change


def in_schema(old: str, new: str) -> Callable[[dict[str, Any]], None]:
    def change(held: dict[str, Any]) -> None:
        text = json.dumps(held["schema.json"])
        assert old in text
        held["schema.json"] = json.loads(text.replace(old, new))

    return change


def no_nodes(held: dict[str, Any]) -> None:
    for name, value in held.items():
        if isinstance(value, np.ndarray) and len(value.shape) and len(value) == TREE.tree_.node_count:
            held[name] = value[:0]


def nested(held: dict[str, Any]) -> None:
    inner: Any = held["schema.json"]["content"]
    for _ in range(400):
        inner = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": [inner]}
    held["schema.json"]["content"] = inner


def with_attribute(pipeline: Any, step: int, **values: Any) -> Any:
    copy = load_foreign(dump_pipeline(pipeline))
    vars(copy.steps[step][1] if step >= 0 else copy).update(values)
    return copy


def _of_more_classes() -> Any:
    """Boosting with a tree more in each stage than it has sums."""
    copy = load_foreign(dump_pipeline(BOOSTED))
    copy.estimators_ = np.hstack([copy.estimators_, copy.estimators_])
    return copy


HOSTILE = [
    pytest.param(forged(FOREST, in_nodes("left_child", 10**8)), "point out of it", id="a child beyond the nodes"),
    pytest.param(forged(FOREST, in_nodes("right_child", -5)), "point out of it", id="a child before the nodes"),
    pytest.param(forged(FOREST, in_nodes("left_child", 0)), "or back", id="a node that is its own child"),
    pytest.param(forged(FOREST, in_nodes("feature", 10**6)), "column that is not there", id="a column beyond"),
    pytest.param(forged(FOREST, in_nodes("feature", -9)), "column that is not there", id="a column before"),
    pytest.param(forged(TREE, no_nodes), "a tree without nodes", id="no nodes"),
    pytest.param(
        forged(
            fitted(DecisionTreeClassifier()), in_schema('"content": "1", "is_json"', '"content": "99999999", "is_json"')
        ),
        "99999999' outputs",
        id="more outputs than there are",
    ),
    pytest.param(forged(BOOSTED, in_nodes("left_child", 10**8)), "point out of it", id="a stage's child"),
    pytest.param(dump_pipeline(_of_more_classes()), "a tree for each of its sums", id="a stage too wide"),
    pytest.param(forged(HISTOGRAMS, in_nodes("left", 10**8)), "point out of it", id="a histogram tree's child"),
    pytest.param(forged(HISTOGRAMS, in_nodes("feature_idx", 10**6)), "not there", id="a histogram tree's column"),
    pytest.param(forged(HISTOGRAMS, in_nodes("is_categorical", 1)), "splits by category", id="sets of categories"),
    pytest.param(dump_pipeline(fitted(KNeighborsClassifier())), "not taken from elsewhere", id="neighbours"),
    pytest.param(dump_pipeline(fitted(SVC())), r"SVC is not taken from elsewhere", id="a kernel machine"),
    pytest.param(
        dump_pipeline(with_attribute(CATEGORIES, 0, _n_features_outs=[1, 1, 1, 1])), "other columns", id="categories"
    ),
    pytest.param(dump_pipeline(with_attribute(CATEGORIES, 0, drop_idx_=np.array([9]))), "drops", id="dropped ones"),
    pytest.param(
        dump_pipeline(
            with_attribute(
                GROUPED,
                0,
                _n_features_outs=[len(categories) for categories in GROUPED.steps[0][1].categories_],
                _infrequent_indices=[np.array([10**8])] * 4,
                _default_to_infrequent_mappings=[None] * 4,
            )
        ),
        "other columns",
        id="rare categories far away",
    ),
    pytest.param(forged(LogisticRegression(), nested), "recursion", id="a bottomless schema"),
    pytest.param(b"PK\x03\x04 and no more", "not a zip file", id="no archive"),
    pytest.param(dump_pipeline(FOREST)[:5000], "not a zip file", id="cut off"),
    pytest.param(
        forged(FOREST, in_schema('"sklearn.tree._tree"', '"os"')), r"os\.Tree .* may be loaded", id="another module"
    ),
    pytest.param(
        forged(LogisticRegression(), in_schema("LogisticRegression", "NMF")), "may be loaded", id="another type"
    ),
]


@pytest.mark.parametrize(("content", "words"), HOSTILE)
def test_a_forged_archive_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(ArchiveError, match=words):
        load_foreign(content)


@pytest.mark.parametrize(
    "estimator",
    [
        pytest.param(FOREST, id="forest"),
        pytest.param(fitted(ExtraTreesClassifier(3, max_leaf_nodes=9)), id="trees grown best first"),
        pytest.param(BOOSTED, id="boosting"),
        pytest.param(HISTOGRAMS, id="boosting of histograms"),
        pytest.param(CATEGORIES, id="categories"),
        pytest.param(GROUPED, id="categories of which rare ones are one"),
        pytest.param(fitted(LogisticRegression(max_iter=500)), id="no trees"),
    ],
)
def test_an_honest_archive_is_loaded(estimator: Any) -> None:
    loaded = load_foreign(dump_pipeline(estimator))

    assert loaded.predict(ROWS).tolist() == estimator.predict(ROWS).tolist()


def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_archive, "LARGEST_MODEL", 1 << 20)

    def swell(held: dict[str, Any]) -> None:
        name = next(name for name, value in held.items() if isinstance(value, np.ndarray))
        held[name] = np.zeros(1 << 20)

    content = forged(LogisticRegression().fit(ROWS, LABELS), swell, zipfile.ZIP_DEFLATED)
    assert len(content) < 1 << 16

    with pytest.raises(ArchiveError, match=r"unpacks to 8\.0 MiB; at most 1\.0 MiB"):
        load_foreign(content)


def test_a_file_that_is_named_again_and_again_counts_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_archive, "LARGEST_MODEL", 1 << 20)
    array = np.zeros(50_000)
    model = LogisticRegression()
    model.coef_ = [array + place for place in range(8)]

    def one_file(held: dict[str, Any]) -> None:
        text = json.dumps(held["schema.json"])
        for name in [name for name in held if name.endswith(".npy")][1:]:
            text = text.replace(f'"{name}"', '"1.npy"')
            del held[name]
        held["schema.json"] = json.loads(text)

    with pytest.raises(ArchiveError, match=r"unpacks to 3\.1 MiB"):
        load_foreign(forged(model, one_file))


class TestPlaces:
    """Both fields that take an archive of somebody else."""

    HOSTILE = forged(
        make_pipeline(RandomForestClassifier(2, random_state=0)).fit(ROWS[:, :2], LABELS > 0),
        in_nodes("left_child", 10**8),
    )

    def test_an_import(self) -> None:
        with pytest.raises(JobError, match=r"spec\.model\.uri: the archive may not be loaded: .* point out of it"):
            imported(self.HOSTILE)

    def test_a_start(self) -> None:
        hub = MemoryHub(datasets={"flowers.csv": FLOWERS, "start": self.HOSTILE})
        digest = hashlib.sha256(self.HOSTILE).hexdigest()
        start = WarmStart(mode=WarmStartMode.GROW, uri="hub://start", sha256=digest)

        with pytest.raises(JobError, match=r"spec\.training\.warmStart: .* point out of it"):
            train(make_train_run(warm_start=start, estimator="RandomForestClassifier"), surroundings(hub))
