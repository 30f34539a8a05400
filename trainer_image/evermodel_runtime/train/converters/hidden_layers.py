"""HiddenLayers: a transformer of our own, which skl2onnx cannot know."""

from __future__ import annotations

from typing import Any

from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import FloatTensorType

from evermodel_runtime.train.converters.graph import Graph
from evermodel_runtime.train.hidden_layers import HiddenLayers

NODES = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}


def register() -> None:
    """Make skl2onnx know the converter."""
    update_registered_converter(HiddenLayers, "EvermodelHiddenLayers", _shape, _convert)


def _shape(operator: Any) -> None:
    operator.outputs[0].type = FloatTensorType([None, operator.raw_operator.weights[-1].shape[1]])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    layers: HiddenLayers = operator.raw_operator
    graph = Graph(scope, operator, container)
    values = graph.rows()
    for weights, biases in zip(layers.weights, layers.biases, strict=True):
        values = graph.node("Add", graph.node("MatMul", values, graph.constant(weights)), graph.constant(biases))
        values = graph.node(NODES[layers.activation], values) if layers.activation in NODES else values
    graph.answer_value(values)
