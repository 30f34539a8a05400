"""What an ONNX file holds, looked at before anything loads it: one file, and operators of ONNX itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from evermodel_runtime.artifacts.scorer import ModelFileError

STANDARD = frozenset({"", "ai.onnx", "ai.onnx.ml"})
"""Domains of the operators that ONNX itself defines."""
LARGEST_MODEL = 1 << 30
"""Bytes of a model: protobuf ends at twice as many, and every serving pod has it in memory."""
MIB = 1 << 20


def check_graph(content: bytes) -> None:
    """Refuse a file that is no ONNX, is too large, names other files, or needs operators of somebody's own.

    Raises
    ------
    ModelFileError
        What is wrong, and how to write a file that is taken.
    """
    if len(content) > LARGEST_MODEL:
        raise ModelFileError(
            f"The model has {len(content) / MIB:,.1f} MiB; at most {LARGEST_MODEL / MIB:,.1f} MiB are taken. Make it "
            "smaller."
        )
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise ModelFileError(
            "The model is no ONNX file: it cannot be decoded. Write it with onnx.save_model."
        ) from error
    if not model.graph.node:
        raise ModelFileError("The model has no node: it computes nothing. Write it with onnx.save_model.")
    own = {(function.domain, function.name) for function in model.functions}
    for part in _parts(model):
        if isinstance(part, onnx.TensorProto):
            _refuse_other_files(part)
        elif (
            isinstance(part, onnx.NodeProto) and part.domain not in STANDARD and (part.domain, part.op_type) not in own
        ):
            raise ModelFileError(
                f"The model needs the operator {part.op_type!r} of {part.domain!r}; only those of ai.onnx and "
                "ai.onnx.ml are there. Export it without operators of your own."
            )


def _refuse_other_files(tensor: Any) -> None:
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise ModelFileError(
            f"The model keeps the tensor {tensor.name!r} in another file, which is not taken. Write one file: "
            "onnx.save_model(model, path, save_as_external_data=False)."
        )


def _parts(message: Message) -> Iterator[Message]:
    """Walk a message and all messages in it."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        yield part
        for field, value in part.ListFields():
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                waiting.extend([value] if isinstance(value, Message) else value)
