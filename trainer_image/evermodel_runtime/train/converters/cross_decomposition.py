"""CCA and PLSCanonical: their answers are those of a linear model. skl2onnx knows PLSRegression alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.cross_decomposition import CCA, PLSCanonical

from evermodel_runtime.train.converters.graph import Graph, register_regressor


def register() -> None:
    """Make skl2onnx know the converters."""
    register_regressor(CCA, convert)
    register_regressor(PLSCanonical, convert)


def convert(model: Any, graph: Graph) -> None:
    """Centre, multiply, add."""
    centred = graph.node("Sub", graph.rows(), graph.constant(np.asarray(model._x_mean, np.float64)))  # noqa: SLF001
    products = graph.node("MatMul", centred, graph.constant(np.asarray(model.coef_, np.float64).T))
    graph.answer_value(graph.node("Add", products, graph.constant(np.asarray(model.intercept_, np.float64))))
