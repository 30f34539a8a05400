"""KernelRidge: a kernel between the row and each training row, times the dual coefficients. skl2onnx has none."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.kernel_ridge import KernelRidge

from evermodel_runtime.train.converters.graph import Graph, register_regressor


def register() -> None:
    """Make skl2onnx know the converter."""
    register_regressor(KernelRidge, convert)


def convert(model: Any, graph: Graph) -> None:
    """Convert models with the kernels linear, rbf, polynomial and sigmoid."""
    points = np.asarray(model.X_fit_, dtype=np.float64)
    gamma = 1.0 / points.shape[1] if model.gamma is None else float(model.gamma)
    rows = graph.rows()
    weights = graph.constant(np.asarray(model.dual_coef_, np.float64).reshape(len(points), -1))
    graph.answer_value(graph.node("MatMul", _kernel(model, graph, rows, points, gamma), weights))


def _kernel(model: Any, graph: Graph, rows: str, points: Any, gamma: float) -> str:
    if model.kernel == "rbf":
        return graph.node("Exp", graph.node("Mul", graph.squared_distances(rows, points), graph.constant(-gamma)))
    if model.kernel == "linear":
        return graph.node("MatMul", rows, graph.constant(points.T))
    products = graph.node("MatMul", rows, graph.constant(gamma * points.T))
    moved = graph.node("Add", products, graph.constant(float(model.coef0)))
    match model.kernel:
        case "poly" | "polynomial":
            return graph.node("Pow", moved, graph.constant(float(model.degree)))
        case "sigmoid":  # ONNX Runtime's Tanh of float64 exists
            return graph.node("Tanh", moved)
    raise NotImplementedError(f"KernelRidge with kernel {model.kernel}")
