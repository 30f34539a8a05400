"""Messages of inference as requests that the model's other callers send, and answers as messages."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evermodel_runtime.serve.binary import TYPES, encoded, read_elements, read_text
from evermodel_runtime.serve.inference import Asked, Inference
from evermodel_runtime.serve.prediction import Prediction
from evermodel_runtime.serve.protocol import (
    BinaryTensor,
    Datatype,
    InferInput,
    InferRequest,
    RequestedOutput,
    RequestError,
    Tensor,
)
from evermodel_runtime.serve.rpc.messages import ModelInferResponse, serialized

CONTENTS = {
    Datatype.BOOL: "bool_contents",
    Datatype.INT8: "int_contents",
    Datatype.INT16: "int_contents",
    Datatype.INT32: "int_contents",
    Datatype.INT64: "int64_contents",
    Datatype.UINT8: "uint_contents",
    Datatype.UINT16: "uint_contents",
    Datatype.UINT32: "uint_contents",
    Datatype.UINT64: "uint64_contents",
    Datatype.FP32: "fp32_contents",
    Datatype.FP64: "fp64_contents",
    Datatype.BYTES: "bytes_contents",
}
"""The field with the elements of each type; FP16 has none, and comes raw."""
_FLOATS = frozenset({Datatype.FP32, Datatype.FP64})


def read_message(message: Any) -> tuple[InferRequest, list[Tensor]]:
    """Return a ModelInferRequest as a request, and its inputs."""
    request = InferRequest(
        inputs=[],
        id=message.id or None,
        # a parameter holds no list
        parameters={"ids": message.parameters["ids"].string_param.split(",")} if "ids" in message.parameters else None,
        outputs=[RequestedOutput(output.name) for output in message.outputs] or None,
    )
    return request, _raw(message) if message.raw_input_contents else [_typed(each) for each in message.inputs]


def _raw(message: Any) -> list[Tensor]:
    contents = message.raw_input_contents
    if len(contents) != len(message.inputs):
        raise RequestError(
            f"there are {len(contents)} raw_input_contents for {len(message.inputs)} inputs: send one for each, in "
            "the order of the inputs"
        )
    tensors: list[Tensor] = []
    for tensor, content in zip(message.inputs, contents, strict=True):
        if tensor.HasField("contents"):
            raise RequestError(f"input {tensor.name!r} has contents and raw_input_contents: send one of them")
        datatype = _datatype(tensor)
        elements = read_elements(tensor.name, datatype, content)
        tensors.append(BinaryTensor(tensor.name, tuple(tensor.shape), datatype, elements))
    return tensors


def _typed(tensor: Any) -> Tensor:
    datatype = _datatype(tensor)
    if datatype not in CONTENTS:
        raise RequestError(f"input {tensor.name!r} has datatype {datatype}: send it in raw_input_contents")
    name, shape = tensor.name, tuple(tensor.shape)
    _check_field(tensor, CONTENTS[datatype])
    values = getattr(tensor.contents, CONTENTS[datatype])
    if datatype in _FLOATS:
        return BinaryTensor(name, shape, datatype, np.array(values, TYPES[datatype]))
    if datatype is Datatype.BYTES:
        texts = [read_text(name, place, value) for place, value in enumerate(values)]
        return BinaryTensor(name, shape, datatype, texts)
    return InferInput(name, shape, datatype, list(values))


def _check_field(tensor: Any, expected: str) -> None:
    """Elements in another field than the datatype's would be passed over in silence."""
    for field, _ in tensor.contents.ListFields():
        if field.name != expected:
            raise RequestError(
                f"input {tensor.name!r} has datatype {tensor.datatype} and its elements in {field.name}: send them "
                f"in {expected}"
            )


def _datatype(tensor: Any) -> Datatype:
    try:
        return Datatype(tensor.datatype)
    except ValueError as error:
        raise RequestError(
            f"input {tensor.name!r} has datatype {tensor.datatype[:20]!r}; send one of {', '.join(Datatype)}"
        ) from error


class Forms:
    """Makes the answer of one model: raw where the request was raw, else typed."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    def raw(self, asked: Asked[bytes], ids: Sequence[str], prediction: Prediction) -> bytes:
        """Return a ModelInferResponse whose elements are bytes."""
        message = self._message(asked, ids)
        for name in asked.outputs:
            datatype, shape, elements = self._inference.elements(name, prediction)
            message.outputs.add(name=name, datatype=datatype, shape=shape)
            message.raw_output_contents.append(encoded(datatype, elements))
        return serialized(message)

    def typed(self, asked: Asked[bytes], ids: Sequence[str], prediction: Prediction) -> bytes:
        """Return a ModelInferResponse with a field for each type."""
        message = self._message(asked, ids)
        for name in asked.outputs:
            datatype, shape, elements = self._inference.elements(name, prediction)
            output = message.outputs.add(name=name, datatype=datatype, shape=shape)
            getattr(output.contents, CONTENTS[datatype]).extend(_plain(datatype, elements))
        return serialized(message)

    def _message(self, asked: Asked[bytes], ids: Sequence[str]) -> Any:
        message = ModelInferResponse(
            model_name=self._inference.name, model_version=self._inference.version, id=asked.id or ids[0]
        )
        # a parameter holds no list
        message.parameters["prediction_ids"].string_param = ",".join(ids)
        return message


def _plain(datatype: Datatype, elements: list[Any] | NDArray[Any]) -> list[Any]:
    values = elements if isinstance(elements, list) else elements.tolist()
    return [text.encode() for text in values] if datatype is Datatype.BYTES else values
