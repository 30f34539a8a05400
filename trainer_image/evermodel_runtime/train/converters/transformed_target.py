"""TransformedTargetRegressor without a transformation: the regressor in it. skl2onnx does not know it.

Parameters that are JSON can declare none; the inverse of a function has no graph.
"""

from __future__ import annotations

from typing import Any

from sklearn.compose import TransformedTargetRegressor

from evermodel_runtime.train.converters.graph import Graph, register_regressor


def register() -> None:
    """Make skl2onnx know the converter."""
    register_regressor(TransformedTargetRegressor, convert)


def convert(model: Any, graph: Graph) -> None:
    """Hand over to the fitted regressor."""
    if (model.transformer, model.inverse_func) != (None, None):
        raise NotImplementedError("TransformedTargetRegressor with a transformation")
    graph.answer_value(graph.part(model.regressor_))
