"""ONNX models as a container of somebody's own may write them: a valid one, to be changed in one point by a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NUMBERS = ("height", "width")
CLASSES = ("rose", "tulip")


def value(name: str, kind: int, *shape: int | None) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


def weights(columns: int = 2, classes: int = 2) -> dict[str, Any]:
    random = np.random.default_rng(1)
    return {
        "W": random.normal(size=(columns, classes)).astype(np.float32),
        "B": np.zeros(classes, np.float32),
        "C": np.array(CLASSES, dtype=object),
    }


NODES = (
    helper.make_node("Gemm", ["X", "W", "B"], ["scores"]),
    helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    helper.make_node("ArgMax", ["scores"], ["place"], axis=1, keepdims=0),
    helper.make_node("Gather", ["C", "place"], ["label"]),
)
INPUTS = (value("X", TensorProto.FLOAT, None, 2),)
OUTPUTS = (value("label", TensorProto.STRING, None), value("probabilities", TensorProto.FLOAT, None, 2))


def model(
    *,
    nodes: Sequence[Any] = NODES,
    inputs: Sequence[Any] = INPUTS,
    outputs: Sequence[Any] = OUTPUTS,
    constants: dict[str, Any] | None = None,
    domains: Sequence[str] = (),
) -> Any:
    tensors = [numpy_helper.from_array(array, name) for name, array in (constants or weights()).items()]
    graph = helper.make_graph(nodes, "flowers", inputs, outputs, tensors)
    opsets = [helper.make_opsetid("", 21), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def written(**changes: Any) -> bytes:
    content: bytes = model(**changes).SerializeToString()
    return content


def by_column() -> bytes:
    """A model with an input for each column, one of which is text."""
    kinds = {"colour": TensorProto.STRING, "height": TensorProto.FLOAT, "width": TensorProto.FLOAT}
    nodes = [
        helper.make_node("Equal", ["colour", "red"], ["is_red"]),
        helper.make_node("Cast", ["is_red"], ["redness"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["height", "width", "redness"], ["X"], axis=1),
        *NODES,
    ]
    inputs = [value(name, kinds[name], None, 1) for name in ("height", "width", "colour")]
    return written(nodes=nodes, inputs=inputs, constants=weights(3) | {"red": np.array(["red"], dtype=object)})


def keeping_weights_elsewhere(path: str) -> bytes:
    """A model whose weights are said to be in a file of the one who loads it."""
    made = model()
    onnx.external_data_helper.set_external_data(made.graph.initializer[0], location=path)
    made.graph.initializer[0].ClearField("raw_data")
    content: bytes = made.SerializeToString()
    return content
