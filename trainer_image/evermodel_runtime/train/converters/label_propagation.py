"""LabelPropagation and LabelSpreading: the labels of near training rows, weighted. skl2onnx knows neither."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from evermodel_runtime.train.converters.graph import Graph, register_classifier


def register() -> None:
    """Make skl2onnx know the converters."""
    register_classifier(LabelPropagation, convert)
    register_classifier(LabelSpreading, convert)


def convert(model: Any, graph: Graph) -> None:
    """Kernel rbf weighs by distance, knn counts the nearest."""
    squares = graph.squared_distances(graph.rows(), np.asarray(model.X_, dtype=np.float64))
    shares = np.asarray(model.label_distributions_, dtype=np.float64)
    if model.kernel == "rbf":
        weights = graph.node("Exp", graph.node("Mul", squares, graph.constant(-float(model.gamma))))
        sums = graph.node("MatMul", weights, graph.constant(shares))
    elif model.kernel == "knn":
        nearest = graph.top(squares, int(model.n_neighbors))
        picked = graph.node("Gather", graph.constant(shares), nearest, axis=0)
        sums = graph.node("ReduceSum", picked, graph.constant([1]), keepdims=0)
    else:
        raise NotImplementedError(f"{type(model).__name__} with a kernel of its own")
    graph.answer_scores(graph.node("Div", sums, graph.total(sums)), model.classes_)
