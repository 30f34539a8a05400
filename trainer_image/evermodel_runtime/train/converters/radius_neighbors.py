"""RadiusNeighborsClassifier and RadiusNeighborsRegressor, weighted by one or by distance.

skl2onnx's own fails at the first row without a neighbour, and takes distances in float32, which lets training rows fall
out of the radius.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import RadiusNeighborsClassifier, RadiusNeighborsRegressor

from evermodel_runtime.train.converters.graph import Floats, Graph, register_classifier, register_regressor

NO_DISTANCE = 1e-12
"""Stands for zero where a distance is divided by: such a neighbour then outweighs all others, as in scikit-learn."""


def register() -> None:
    """Make skl2onnx know the converters."""
    register_classifier(RadiusNeighborsClassifier, convert_classifier)
    register_regressor(RadiusNeighborsRegressor, convert_regressor)


def convert_classifier(model: Any, graph: Graph) -> None:
    """Rows without a neighbour get the declared outlier label; without one scikit-learn refuses them, ONNX cannot."""
    if model.outlier_label_ is None or model.outlier_label_ not in model.classes_:
        raise NotImplementedError(
            "RadiusNeighborsClassifier without an outlier_label of the classes refuses rows that have no neighbour"
        )
    one_hot = (np.arange(len(model.classes_))[None, :] == model._y.reshape(-1, 1)).astype(np.float64)  # noqa: SLF001
    weights, number = _weights(model, graph)
    votes = graph.node("MatMul", weights, graph.constant(one_hot))
    lonely = graph.node("Equal", number, graph.constant(0.0))
    outlier: Floats = (model.classes_ == model.outlier_label_).astype(np.float64).reshape(1, -1)
    shares = graph.node("Where", lonely, graph.constant(outlier), graph.node("Div", votes, graph.total(votes)))
    graph.answer_scores(shares, model.classes_)


def convert_regressor(model: Any, graph: Graph) -> None:
    """Rows without a neighbour have no number for an answer."""
    targets: NDArray[Any] = np.asarray(model._y, dtype=np.float64).reshape(-1, 1)  # noqa: SLF001 - kept nowhere else
    weights, _ = _weights(model, graph)
    graph.answer_value(graph.node("Div", graph.node("MatMul", weights, graph.constant(targets)), graph.total(weights)))


def _weights(model: Any, graph: Graph) -> tuple[str, str]:
    """Return the weight of each training row, zero out of the radius, and how many are within."""
    if model.effective_metric_ != "euclidean":
        raise NotImplementedError(f"{type(model).__name__} with metric {model.effective_metric_}")
    squares = graph.squared_distances(graph.rows(), np.asarray(model._fit_X, dtype=np.float64))  # noqa: SLF001
    within = graph.as_double(graph.node("LessOrEqual", squares, graph.constant(float(model.radius) ** 2)))
    if model.weights == "uniform":
        return within, graph.total(within)
    distances = graph.node("Max", graph.node("Sqrt", squares), graph.constant(NO_DISTANCE))
    return graph.node("Div", within, distances), graph.total(within)
