"""HistGradientBoostingClassifier and HistGradientBoostingRegressor as one tree ensemble.

skl2onnx 1.20 writes numpy values into the nodes' attributes, which ONNX refuses; it knows no splits by category either,
and rounds thresholds to the nearest float32, which sends rows between the two to the other side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from evermodel_runtime.train.converters.graph import Floats, Graph, register_classifier, register_regressor

EXPONENTIAL_LOSSES = frozenset({"HalfPoissonLoss", "HalfGammaLoss"})
"""Losses of regressors whose raw score is the logarithm of the answer."""
BITS = 32


def register() -> None:
    """Make skl2onnx know the converters."""
    register_classifier(HistGradientBoostingClassifier, convert_classifier)
    register_regressor(HistGradientBoostingRegressor, convert_regressor)


def convert_classifier(model: Any, graph: Graph) -> None:
    """Logistic function of the one raw score of two classes, or softmax of one for each class."""
    raw = raw_scores(model, graph)
    if len(model.classes_) == 2:  # noqa: PLR2004 - two classes
        second = graph.node("Sigmoid", raw)
        first = graph.node("Sub", graph.constant(1.0), second)
        graph.answer_scores(graph.node("Concat", first, second, axis=1), model.classes_)
    else:
        graph.answer_scores(graph.node("Softmax", raw, axis=1), model.classes_)


def convert_regressor(model: Any, graph: Graph) -> None:
    """Raw score, or its exponential where the loss has a logarithmic link."""
    raw = raw_scores(model, graph)
    loss = type(model._loss).__name__  # noqa: SLF001 - nothing public tells the link
    graph.answer_value(graph.node("Exp", raw) if loss in EXPONENTIAL_LOSSES else raw)


def raw_scores(model: Any, graph: Graph) -> str:
    """Return the sum of the trees and the baseline, of shape (rows, trees per iteration), as float64."""
    splits = Splits.of(model)
    nodes = Nodes()
    for iteration in model._predictors:  # noqa: SLF001 - the trees are nowhere else
        for target, tree in enumerate(iteration):
            nodes.add_tree(tree, target, splits)
    sums = graph.trees(
        graph.rows_as_floats(),
        n_targets=int(model.n_trees_per_iteration_),
        aggregate_function="SUM",
        post_transform="NONE",
        **nodes.attributes,
    )
    baseline = np.asarray(model._baseline_prediction, dtype=np.float64).reshape(1, -1)  # noqa: SLF001
    return graph.node("Add", graph.as_double(sums), graph.constant(baseline))


def float32_at_most(threshold: float) -> float:
    """Return the largest float32 that is not above: every float32 compares with it as with the threshold itself."""
    with np.errstate(over="ignore"):
        rounded = np.float32(threshold)
        above = float(rounded) > threshold  # numpy would compare a float32 with a float as two float32
        return float(np.nextafter(rounded, np.float32(-np.inf)) if above else rounded)


@dataclass(frozen=True, slots=True)
class Splits:
    """What a split of the fitted model means in terms of the input's columns.

    Attributes
    ----------
    columns : array of int
        Column of the input for each feature of the trees: the model puts categories first.
    categories : dict
        Known values of each categorical feature of the trees, in the order of its bits.
    """

    columns: NDArray[np.intp]
    categories: dict[int, Floats]

    @classmethod
    def of(cls, model: Any) -> Splits:
        """Read the model's own preprocessing."""
        if model.is_categorical_ is None:
            return cls(np.arange(model.n_features_in_), {})
        categorical = np.flatnonzero(model.is_categorical_)
        columns = np.concatenate([categorical, np.flatnonzero(~model.is_categorical_)])
        encoder = model._preprocessor.named_transformers_["encoder"]  # noqa: SLF001 - the categories are nowhere else
        return cls(columns, {place: np.asarray(known, np.float64) for place, known in enumerate(encoder.categories_)})

    def values(self, feature: int, bitset: NDArray[np.uint32]) -> tuple[list[float], list[float]]:
        """Return the known categories that go left and those that go right."""
        sides: tuple[list[float], list[float]] = ([], [])
        for code, value in enumerate(self.categories[feature]):
            if not np.isnan(value):
                goes_left = int(bitset[code // BITS]) >> (code % BITS) & 1
                sides[1 - goes_left].append(float(value))
        return sides


@dataclass(slots=True)
class Nodes:
    """The attributes of a tree ensemble, one list each, filled tree by tree."""

    trees: int = 0
    attributes: dict[str, list[Any]] = field(default_factory=dict)

    def add_tree(self, tree: Any, target: int, splits: Splits) -> None:
        """Add a tree that votes for one of the targets. Node 0 is its root."""
        extra = len(tree.nodes)  # ids above those of the tree's own nodes: further comparisons of one split
        for number, node in enumerate(tree.nodes):
            left, right = int(node["left"]), int(node["right"])
            missing_left = bool(node["missing_go_to_left"])
            column = int(splits.columns[node["feature_idx"]])
            if node["is_leaf"]:
                self._node(number, "LEAF", 0, 0.0, (0, 0), missing_left=False)
                self._vote(number, target, float(node["value"]))
            elif not node["is_categorical"]:
                threshold = float32_at_most(float(node["num_threshold"]))
                self._node(number, "BRANCH_LEQ", column, threshold, (left, right), missing_left=missing_left)
            else:
                lefts, rights = splits.values(
                    int(node["feature_idx"]), tree.raw_left_cat_bitsets[int(node["bitset_idx"])]
                )
                # Missing and unknown values are no known category, so they fall through to the last comparison's no.
                chosen, yes, no = (rights, right, left) if missing_left else (lefts, left, right)
                extra = self._any_of(number, column, chosen, (yes, no), extra)
        self.trees += 1

    def _any_of(self, number: int, column: int, values: list[float], ways: tuple[int, int], extra: int) -> int:
        """Add a chain of comparisons with each value; returns the next free id."""
        yes, no = ways
        # Nothing equals what is no number, so a split without values sends all rows one way.
        for place, value in enumerate(values or [float("nan")]):
            last = place >= len(values) - 1
            self._node(number, "BRANCH_EQ", column, value, (yes, no if last else extra), missing_left=False)
            number, extra = extra, extra + (not last)
        return extra

    def _node(
        self, number: int, mode: str, column: int, value: float, ways: tuple[int, int], *, missing_left: bool
    ) -> None:
        self._append("nodes_treeids", self.trees)
        self._append("nodes_nodeids", number)
        self._append("nodes_modes", mode)
        self._append("nodes_featureids", column)
        self._append("nodes_values", value)
        self._append("nodes_truenodeids", ways[0])
        self._append("nodes_falsenodeids", ways[1])
        self._append("nodes_missing_value_tracks_true", int(missing_left))

    def _vote(self, number: int, target: int, weight: float) -> None:
        self._append("target_treeids", self.trees)
        self._append("target_nodeids", number)
        self._append("target_ids", target)
        self._append("target_weights", weight)

    def _append(self, name: str, value: Any) -> None:
        self.attributes.setdefault(name, []).append(value)
