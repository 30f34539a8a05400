"""IsotonicRegression: linear interpolation between the steps. skl2onnx does not know it on its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto
from sklearn.isotonic import IsotonicRegression

from evermodel_runtime.train.converters.graph import Graph, register_regressor


def register() -> None:
    """Make skl2onnx know the converter."""
    register_regressor(IsotonicRegression, convert)


def convert(model: Any, graph: Graph) -> None:
    """Outside the range seen: not a number (``nan``) or the nearest step (``clip``); ``raise`` has no graph."""
    if model.out_of_bounds == "raise":
        raise NotImplementedError("IsotonicRegression with out_of_bounds=raise")
    x, y = np.asarray(model.X_thresholds_, np.float64), np.asarray(model.y_thresholds_, np.float64)
    rows = graph.rows()
    if len(x) == 1:  # one value seen, one answer
        x, y = np.repeat(x, 2), np.repeat(y, 2)
    clipped = graph.node("Max", graph.node("Min", rows, graph.constant(x[-1])), graph.constant(x[0]))
    slopes = np.divide(np.diff(y), np.diff(x), out=np.zeros(len(x) - 1), where=np.diff(x) > 0)
    below = graph.node("GreaterOrEqual", clipped, graph.constant(x[None, 1:-1]))
    counts = graph.node("ReduceSum", graph.node("Cast", below, to=TensorProto.INT64), graph.constant([1]), keepdims=1)
    starts = graph.node("Sub", clipped, graph.node("Gather", graph.constant(x[:-1]), counts))
    risen = graph.node("Mul", starts, graph.node("Gather", graph.constant(slopes), counts))
    answer = graph.node("Add", risen, graph.node("Gather", graph.constant(y[:-1]), counts))
    if model.out_of_bounds == "nan":
        inside = graph.node("Equal", clipped, rows)
        answer = graph.node("Where", inside, answer, graph.constant(float("nan")))
    graph.answer_value(answer)
