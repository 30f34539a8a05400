"""skops archives that were made elsewhere: loaded only where no figure in them can make native code leave its arrays.

scikit-learn trusts a fitted model. Its compiled code follows the indices that a tree holds without a look at how long
the arrays are, so a forged archive of allowed types alone can end the process, or worse. Here trees are looked at
before anything asks them, and what computes with compiled code in other ways is not taken.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree

from evermodel_runtime.artifacts.onnx_file import LARGEST_MODEL, MIB
from evermodel_runtime.artifacts.skops_archive import (
    ARCHIVE_ERRORS,
    SCHEMA,
    ArchiveError,
    check_types,
    load_pipeline,
    nodes_of,
    read_schema,
)
from evermodel_runtime.artifacts.skops_types import TYPES

NATIVE = (
    "evermodel_runtime.train.earlier_model.",
    "sklearn.feature_extraction.text.",
    "sklearn.impute._knn.",
    "sklearn.metrics._dist_metrics.",
    "sklearn.neighbors._ball_tree.",
    "sklearn.neighbors._classification.",
    "sklearn.neighbors._kd_tree.",
    "sklearn.neighbors._regression.",
    "sklearn.neighbors._unsupervised.",
    "sklearn.semi_supervised._label_propagation.",
    *(f"sklearn.svm._classes.{name}" for name in ("SVC", "SVR", "NuSVC", "NuSVR")),
)
"""Neighbours, kernel machines, models within: compiled code all through. Vectorisers open files, search by anything."""
CHECKED = frozenset(name for name in TYPES if not name.startswith(NATIVE))
LEAF = -1
ADVICE = "Export the model to ONNX, or train it here."


def load_foreign(content: bytes) -> Any:
    """Load an archive that somebody else wrote.

    Raises
    ------
    ArchiveError
        When it is none that may be loaded, unpacks to too much, or holds figures that point nowhere.
    """
    try:
        _check_schema(content)
        pipeline = load_pipeline(content)
        for part in _objects(pipeline):
            _check(part)
    except ARCHIVE_ERRORS as error:
        raise ArchiveError(f"its parts do not go together: {type(error).__name__}: {error}") from error
    return pipeline


def _check_schema(content: bytes) -> None:
    """Refuse what is known to be wrong before anything is made."""
    schema = read_schema(content)
    check_types(schema)
    for node in nodes_of(schema):
        if (name := f"{node['__module__']}.{node['__class__']}") not in CHECKED:
            raise ArchiveError(f"{name} is not taken from elsewhere: compiled code follows its figures. {ADVICE}")
    _check_size(content, schema)
    _check_arguments(schema)


def _check_size(content: bytes, schema: Any) -> None:
    """Refuse what would not fit once it is unpacked: a zip file tells, and nothing reads more than it tells."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    names = [node["file"] for node in nodes_of(schema) if "file" in node]
    missing = next((name for name in names if name not in sizes), None)
    if missing is not None:
        raise ArchiveError(f"it names the file {missing!r}, which is not in it")
    size = sizes[SCHEMA] + sum(sizes[name] for name in names)
    if size > LARGEST_MODEL:
        raise ArchiveError(
            f"it unpacks to {size / MIB:,.1f} MiB; at most {LARGEST_MODEL / MIB:,.1f} MiB are taken. Make it smaller."
        )


def _check_arguments(schema: Any) -> None:
    """Refuse a tree of more than one output: its constructor reads as many numbers as it is told there are."""
    for node in nodes_of(schema):
        if node["__loader__"] == "TreeNode":
            outputs = node["__reduce__"]["args"]["content"][2]["content"]
            if outputs != "1":
                raise ArchiveError(f"it holds a tree with {outputs!r} outputs; one is taken")


def _objects(root: Any) -> Iterator[Any]:
    """Walk all that a model holds."""
    waiting, seen = [root], {id(root)}
    while waiting:
        part = waiting.pop()
        yield part
        for held in _held(part):
            if id(held) not in seen:
                seen.add(id(held))
                waiting.append(held)


def _held(part: Any) -> list[Any]:
    if isinstance(part, dict):
        return list(part.values())
    if isinstance(part, list | tuple):
        return list(part)
    if isinstance(part, np.ndarray):
        return part.ravel().tolist() if part.dtype == np.object_ else []
    return list(vars(part).values()) if hasattr(part, "__dict__") and not isinstance(part, type) else []


def _check(part: Any) -> None:
    if isinstance(part, BaseDecisionTree) and hasattr(part, "tree_"):
        _check_tree(part.tree_, part.n_features_in_)
    elif isinstance(part, GradientBoostingClassifier | GradientBoostingRegressor) and hasattr(part, "estimators_"):
        _check_stages(part)
    elif isinstance(part, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        _check_predictors(part)
    elif isinstance(part, OneHotEncoder) and hasattr(part, "categories_"):
        _check_categories(part)


def _demand(holds: object, words: str) -> None:
    if not holds:
        raise ArchiveError(f"{words}. {ADVICE}")


def _check_tree(tree: Any, width: Any) -> None:
    _demand(isinstance(tree, Tree) and tree.n_features == width, "it holds a tree of another number of columns")
    _demand(tree.node_count > 0, "it holds a tree without nodes")
    inner = np.flatnonzero(tree.children_left != LEAF)
    _check_children(inner, tree.children_left, tree.children_right, tree.node_count)
    _check_columns(tree.feature[inner], width)


def _check_children(inner: NDArray[np.intp], left: Any, right: Any, nodes: int) -> None:
    """Refuse nodes that are not there, and those that lead back, for nothing would ever come out of these."""
    children = np.stack([left[inner], right[inner]]).astype(np.int64)
    _demand(((children > inner) & (children < nodes)).all(), "it holds a tree whose nodes point out of it, or back")


def _check_columns(features: Any, width: int) -> None:
    _demand(((features >= 0) & (features < width)).all(), "it holds a tree that asks for a column that is not there")


def _check_stages(model: Any) -> None:
    stages, width = model.estimators_, model.n_features_in_
    _demand(isinstance(stages, np.ndarray) and stages.ndim == 2 and stages.size, "it holds no stages")  # noqa: PLR2004 - rounds, classes
    for one in stages.ravel().tolist():
        _demand(isinstance(one, BaseDecisionTree) and one.n_features_in_ == width, "a stage takes other columns")
        _check_tree(one.tree_, width)
        _demand(one.tree_.value.shape[1:] == (1, 1), "a stage answers more than a number")
    simple = isinstance(model.init_, DummyClassifier | DummyRegressor) or model.init_ == "zero"
    _demand(simple, "its stages start from another model")
    first = model._raw_predict_init(np.zeros((1, width), np.float32))  # noqa: SLF001 - nothing public says how wide it is
    _demand(first.shape == (1, stages.shape[1]), "it has not a tree for each of its sums")


def _check_predictors(model: Any) -> None:
    if not hasattr(model, "_predictors"):
        return
    _demand(model._preprocessor is None, "it splits by category")  # noqa: SLF001 - as above
    _demand(not np.any(model._bin_mapper.is_categorical_), "it splits by category")  # noqa: SLF001 - as above
    for one in chain.from_iterable(model._predictors):  # noqa: SLF001 - as above
        _demand(isinstance(one, TreePredictor) and len(one.nodes) > 0, "it holds no trees")
        nodes = one.nodes
        _demand(not nodes["is_categorical"].any(), "it splits by category")
        inner = np.flatnonzero(nodes["is_leaf"] == 0)
        _check_children(inner, nodes["left"], nodes["right"], len(nodes))
        _check_columns(nodes["feature_idx"][inner], model.n_features_in_)


def _check_categories(encoder: Any) -> None:
    """Refuse an encoder whose categories lead to columns that it does not have."""
    _demand(encoder.drop is None and encoder.drop_idx_ is None, "its OneHotEncoder drops categories")
    grouped = encoder._infrequent_enabled  # noqa: SLF001 - as above
    known = encoder.categories_
    mappings = encoder._default_to_infrequent_mappings if grouped else [None] * len(known)  # noqa: SLF001 - as above
    rare = encoder._infrequent_indices if grouped else [None] * len(known)  # noqa: SLF001 - as above
    widths = encoder._n_features_outs  # noqa: SLF001 - as above
    words = "its OneHotEncoder has other columns than categories"
    _demand(len(widths) == len(known) == len(mappings) == len(rare), words)
    for categories, mapping, indices, width in zip(known, mappings, rare, widths, strict=True):
        if categories.dtype != np.object_:
            _demand((categories[:-1] < categories[1:]).all(), "the categories of its OneHotEncoder are not in order")
        if mapping is None:
            _demand(indices is None and width == len(categories), words)
        else:
            places = np.asarray(mapping)
            _demand(places.shape == (len(categories),) and places.min() >= 0 and places.max() < width, words)
