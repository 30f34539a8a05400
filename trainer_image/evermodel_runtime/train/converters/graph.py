"""What the converters share: nodes in float64, the two outputs of a classifier, and how skl2onnx learns of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, compose
from skl2onnx import update_registered_converter
from skl2onnx._supported_operators import sklearn_operator_name_map
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)

Converter = Callable[[Any, "Graph"], None]
"""Writes the nodes of a fitted estimator."""
Floats = NDArray[np.float64]
CLASSIFIER_OPTIONS = {"zipmap": [True, False, "columns"], "nocl": [True, False], "output_class_labels": [False, True]}
_TENSORS = {np.dtype(np.float64): TensorProto.DOUBLE, np.dtype(np.int64): TensorProto.INT64}


class Graph:
    """Adds nodes for one operator to what skl2onnx builds. Names of values are strings, as in ONNX."""

    def __init__(self, scope: Any, operator: Any, container: Any) -> None:
        if len(operator.inputs) != 1:
            raise NotImplementedError(f"{len(operator.inputs)} inputs instead of one matrix")
        self._scope = scope
        self._operator = operator
        self._container = container

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; returns the output's name."""
        output: str = self._scope.get_unique_variable_name(f"{kind.lower()}_out")
        self._add(kind, inputs, output, attributes)
        return output

    def trees(self, rows: str, **attributes: Any) -> str:
        """Add a tree ensemble of float32; version 3 of its operator, the last that is not the one of version 5."""
        output: str = self._scope.get_unique_variable_name("trees_out")
        self._add("TreeEnsembleRegressor", (rows,), output, attributes | {"op_domain": "ai.onnx.ml", "op_version": 3})
        return output

    def constant(self, values: Any) -> str:
        """Add a constant: float64, int64 or text."""
        name: str = self._scope.get_unique_variable_name("constant")
        array = np.asarray(values)
        if array.dtype.kind in "OUS":
            texts = [str(text).encode() for text in array.ravel()]
            self._container.add_initializer(name, TensorProto.STRING, array.shape, texts)
        else:
            array = array.astype(np.int64 if array.dtype.kind in "iu" else np.float64)
            self._container.add_initializer(name, _TENSORS[array.dtype], array.shape, array.ravel())
        return name

    def rows(self) -> str:
        """Return the input as float64 of shape (rows, features)."""
        return self.node("Cast", self._operator.inputs[0].full_name, to=TensorProto.DOUBLE)

    def rows_as_floats(self) -> str:
        """Return the input as float32 of shape (rows, features)."""
        return self.node("Cast", self._operator.inputs[0].full_name, to=TensorProto.FLOAT)

    def total(self, values: str, axis: int = 1) -> str:
        """Return the sum along an axis, which stays with length 1."""
        return self.node("ReduceSum", values, self.constant([axis]), keepdims=1)

    def squared_distances(self, rows: str, points: Floats) -> str:
        """Return |row − point|² of shape (rows, points)."""
        norms = self.total(self.node("Mul", rows, rows))
        products = self.node("MatMul", rows, self.constant(-2.0 * points.T))
        squares = self.node("Add", self.node("Add", products, norms), self.constant((points**2).sum(axis=1)[None, :]))
        return self.node("Max", squares, self.constant(0.0))

    def top(self, distances: str, count: int) -> str:
        """Return the indices of the smallest distances of each row, of shape (rows, count)."""
        values, indices = (self._scope.get_unique_variable_name(name) for name in ("nearest_values", "nearest"))
        name = self._scope.get_unique_operator_name("TopK")
        inputs = [distances, self.constant([count])]
        self._container.add_node("TopK", inputs, [values, indices], name=name, axis=1, largest=0)
        return str(indices)

    def as_double(self, values: str) -> str:
        """Return values as float64."""
        return self.node("Cast", values, to=TensorProto.DOUBLE)

    def regressor_part(self, model: Any) -> str:
        """Let skl2onnx convert a regressor that is a part of this one; returns its answer, of shape (rows, 1)."""
        return self._part(model, [FloatTensorType([None, 1])])

    def classifier_part(self, model: Any) -> str:
        """Let skl2onnx convert a classifier that is a part of this one; returns its probabilities, as float64."""
        label = Int64TensorType([None]) if model.classes_.dtype.kind in "iu" else StringTensorType([None])
        return self.as_double(self._part(model, [label, FloatTensorType([None, len(model.classes_)])]))

    def _part(self, model: Any, outputs: list[Any]) -> str:
        if type(model) not in sklearn_operator_name_map:
            raise NotImplementedError(f"{type(model).__name__} has no converter")
        part = self._scope.declare_local_operator(sklearn_operator_name_map[type(model)], model)
        part.inputs.append(self._operator.inputs[0])
        for kind in outputs:
            part.outputs.append(self._scope.declare_local_variable("part", kind))
        return str(part.outputs[-1].full_name)

    def model(self, model: ModelProto) -> list[str]:
        """Add all nodes of a model of one matrix that skl2onnx made; returns the names of its outputs.

        skl2onnx writes nodes as its newest operators have them, and notes the oldest that would do. What others made
        may mean something else by a node's name.
        """
        known = {(one.domain, one.version) for one in model.opset_import}
        if len(model.graph.input) != 1 or model.producer_name != "skl2onnx":
            raise NotImplementedError("an earlier version of several inputs, or by another exporter")
        part = compose.add_prefix(model, self._scope.get_unique_operator_name("model") + "_")
        self._add("Identity", (self.rows_as_floats(),), part.graph.input[0].name, {})
        self._container.nodes.extend(part.graph.node)
        self._container.initializers.extend(part.graph.initializer)
        self._container.node_domain_version_pair_sets.update(known)
        return [output.name for output in part.graph.output]

    def answer_value(self, values: str) -> None:
        """Let values of shape (rows, 1) be the regressor's answer."""
        self._add("Cast", (values,), self._operator.outputs[0].full_name, {"to": TensorProto.FLOAT})

    def answer_scores(self, scores: str, classes: NDArray[Any], best: str | None = None) -> None:
        """Let the class of the largest score be the label, and the scores the probabilities.

        Parameters
        ----------
        scores : str
            Of shape (rows, classes).
        classes : array
            Labels in the order of the scores.
        best : str or None
            Index of each row's label, where it is not that of the largest score.
        """
        index = self.node("ArgMax", scores, axis=1, keepdims=0) if best is None else best
        labels, probabilities = (output.full_name for output in self._operator.outputs)
        self._add("Gather", (self.constant(classes), index), labels, {"axis": 0})
        self._add("Cast", (scores,), probabilities, {"to": TensorProto.FLOAT})

    def _add(self, kind: str, inputs: tuple[str, ...], output: str, attributes: dict[str, Any]) -> None:
        name = self._scope.get_unique_operator_name(kind)
        self._container.add_node(kind, list(inputs), output, name=name, **attributes)


def register_classifier(kind: type, converter: Converter) -> None:
    """Let skl2onnx convert a class of classifiers so."""
    update_registered_converter(
        kind,
        f"Evermodel{kind.__name__}",
        calculate_linear_classifier_output_shapes,
        _as_library_calls(converter),
        options=CLASSIFIER_OPTIONS,
    )


def register_regressor(kind: type, converter: Converter) -> None:
    """Let skl2onnx convert a class of regressors so."""
    update_registered_converter(
        kind, f"Evermodel{kind.__name__}", calculate_linear_regressor_output_shapes, _as_library_calls(converter)
    )


def _as_library_calls(converter: Converter) -> Callable[[Any, Any, Any], None]:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        converter(operator.raw_operator, Graph(scope, operator, container))

    return convert
