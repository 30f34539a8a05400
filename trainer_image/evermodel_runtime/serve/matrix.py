"""The request that nearly everybody sends, one matrix of floats: read without the detours that others need."""

from array import array
from math import isfinite
from typing import Any, Literal

import msgspec
import numpy as np

from evermodel_runtime.serve.protocol import MAX_ROWS, RequestedOutput
from evermodel_runtime.serve.rows import Rows, Schema


class MatrixTensor(msgspec.Struct, frozen=True, gc=False):
    """The one input; msgspec refuses whatever is no number while it decodes."""

    shape: tuple[int, int]
    datatype: Literal["FP32", "FP64"]
    data: list[float]


class MatrixRequest(msgspec.Struct, frozen=True, gc=False):
    """Body of a request with one input."""

    inputs: tuple[MatrixTensor]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[RequestedOutput] | None = None


_decode = msgspec.json.Decoder(MatrixRequest).decode


def read_matrix(schema: Schema, body: bytes) -> tuple[MatrixRequest, Rows] | None:
    """Read a request of this kind; None for any other, and for any mistake, which the long way puts into words."""
    try:
        request = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    tensor = request.inputs[0]
    count, width = tensor.shape
    data = tensor.data
    if width != len(schema.names) or not 0 < count <= MAX_ROWS or len(data) != count * width:
        return None
    numbers = np.frombuffer(array("f", data), np.float32).reshape(count, width)
    if not isfinite(np.vdot(numbers, numbers)):  # in a hundredth of the time of looking at each
        return None
    return request, Rows(schema, count, data, numbers, [])
