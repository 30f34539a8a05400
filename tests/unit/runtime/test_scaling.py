"""Scaling as two operators: the numbers of ONNX Runtime's Scaler to the last bit, and none where it takes no floats."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import TensorProto, helper

from evermodel_runtime.train.scaling import scale_by_arithmetic

floats = st.floats(width=32, allow_subnormal=False)
finite = st.floats(-(2.0**60), 2.0**60, width=32, allow_subnormal=False)


def model(offset: list[float], scale: list[float], kind: int = TensorProto.FLOAT) -> Any:
    node = helper.make_node("Scaler", ["X"], ["Y"], domain="ai.onnx.ml", offset=offset, scale=scale)
    rows = helper.make_tensor_value_info("X", kind, [None, 3])
    scaled = helper.make_tensor_value_info("Y", TensorProto.FLOAT, [None, 3])
    graph = helper.make_graph([node], "scaled", [rows], [scaled])
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def answers(scaled: Any, rows: Any) -> Any:
    return onnxruntime.InferenceSession(scaled.SerializeToString()).run(None, {"X": rows})[0]


@settings(deadline=None)  # the first example loads ONNX Runtime
@given(
    rows=arrays(np.float32, (7, 3), elements=floats),
    offset=st.lists(finite, min_size=3, max_size=3),
    scale=st.lists(finite, min_size=3, max_size=3),
)
def test_the_numbers_are_those_of_a_scaler(rows: Any, offset: list[float], scale: list[float]) -> None:
    before, after = model(offset, scale), model(offset, scale)
    scale_by_arithmetic(after)

    onnx.checker.check_model(after)
    assert [node.op_type for node in after.graph.node] == ["Sub", "Mul"]
    np.testing.assert_array_equal(answers(after, rows), answers(before, rows))


def test_one_offset_and_scale_are_those_of_all_columns() -> None:
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    after = model([1.0], [0.1])
    scale_by_arithmetic(after)

    np.testing.assert_array_equal(answers(after, rows), answers(model([1.0], [0.1]), rows))


@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.DOUBLE])
def test_what_scales_other_numbers_stays(kind: int) -> None:
    after = model([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], kind)
    scale_by_arithmetic(after)

    assert [node.op_type for node in after.graph.node] == ["Scaler"]
