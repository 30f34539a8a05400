"""The messages of the published protocol, package ``inference``, built of a table when imported.

Names, numbers and types are those that every client was compiled from. A field's number is its place in the table, from
one on. Generated code would be longer, and bound to the version of protobuf that made it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"
METHODS = ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer")
"""Each takes and returns the messages of its name."""

_TENSOR = {"name": "string", "datatype": "string", "shape": "repeated int64"}
_MODEL = {"name": "string", "version": "string"}
_PARAMETERS = "map InferParameter"
_CHOICE = "parameter_choice"
"""The oneof of all fields of a parameter."""
_LABELS = {
    "": FieldDescriptorProto.LABEL_OPTIONAL,
    "oneof": FieldDescriptorProto.LABEL_OPTIONAL,
    "repeated": FieldDescriptorProto.LABEL_REPEATED,
}
_FIELDS: Mapping[str, Mapping[str, str]] = {
    "ServerLiveRequest": {},
    "ServerLiveResponse": {"live": "bool"},
    "ServerReadyRequest": {},
    "ServerReadyResponse": {"ready": "bool"},
    "ModelReadyRequest": _MODEL,
    "ModelReadyResponse": {"ready": "bool"},
    "ServerMetadataRequest": {},
    "ServerMetadataResponse": {"name": "string", "version": "string", "extensions": "repeated string"},
    "ModelMetadataRequest": _MODEL,
    "ModelMetadataResponse": {
        "name": "string",
        "versions": "repeated string",
        "platform": "string",
        "inputs": "repeated ModelMetadataResponse.TensorMetadata",
        "outputs": "repeated ModelMetadataResponse.TensorMetadata",
    },
    "ModelMetadataResponse.TensorMetadata": _TENSOR,
    "ModelInferRequest": {
        "model_name": "string",
        "model_version": "string",
        "id": "string",
        "parameters": _PARAMETERS,
        "inputs": "repeated ModelInferRequest.InferInputTensor",
        "outputs": "repeated ModelInferRequest.InferRequestedOutputTensor",
        "raw_input_contents": "repeated bytes",
    },
    "ModelInferRequest.InferInputTensor": _TENSOR | {"parameters": _PARAMETERS, "contents": "InferTensorContents"},
    "ModelInferRequest.InferRequestedOutputTensor": {"name": "string", "parameters": _PARAMETERS},
    "ModelInferResponse": {
        "model_name": "string",
        "model_version": "string",
        "id": "string",
        "parameters": _PARAMETERS,
        "outputs": "repeated ModelInferResponse.InferOutputTensor",
        "raw_output_contents": "repeated bytes",
    },
    "ModelInferResponse.InferOutputTensor": _TENSOR | {"parameters": _PARAMETERS, "contents": "InferTensorContents"},
    "InferParameter": {
        "bool_param": "oneof bool",
        "int64_param": "oneof int64",
        "string_param": "oneof string",
        "double_param": "oneof double",
        "uint64_param": "oneof uint64",
    },
    "InferTensorContents": {
        "bool_contents": "repeated bool",
        "int_contents": "repeated int32",
        "int64_contents": "repeated int64",
        "uint_contents": "repeated uint32",
        "uint64_contents": "repeated uint64",
        "fp32_contents": "repeated float",
        "fp64_contents": "repeated double",
        "bytes_contents": "repeated bytes",
    },
}


def file() -> FileDescriptorProto:
    """Return the description of all messages, as a compiler would make it of the published file."""
    described = FileDescriptorProto(name="open_inference_grpc.proto", package=PACKAGE, syntax="proto3")
    within: dict[str, DescriptorProto] = {}
    for path, fields in _FIELDS.items():
        outer, _, name = path.rpartition(".")
        message = within[outer].nested_type.add(name=name) if outer else described.message_type.add(name=name)
        within[path] = message
        for number, (field, kind) in enumerate(fields.items(), start=1):
            _add(message, field, number, kind, path)
    return described


def _add(message: DescriptorProto, name: str, number: int, kind: str, path: str) -> None:
    """Add a field to the message at a path; a map is a repeated entry of key and value."""
    label, _, of = kind.rpartition(" ")
    if label == "map":
        entry = message.nested_type.add(name="".join(part.capitalize() for part in name.split("_")) + "Entry")
        entry.options.map_entry = True
        _add(entry, "key", 1, "string", path)
        _add(entry, "value", 2, of, path)
        label, of = "repeated", f"{path}.{entry.name}"
    field = message.field.add(name=name, number=number, label=_LABELS[label])
    if label == "oneof":
        if not message.oneof_decl:
            message.oneof_decl.add(name=_CHOICE)
        field.oneof_index = 0
    if of[0].isupper():
        field.type = FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{of}"
    else:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{of.upper()}")


def _classes() -> Iterator[tuple[str, Any]]:
    pool = DescriptorPool()
    pool.Add(file())
    for path in _FIELDS:
        yield path, GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{path}"))


_BY_NAME = dict(_classes())
ModelInferRequest = _BY_NAME["ModelInferRequest"]
ModelInferResponse = _BY_NAME["ModelInferResponse"]
ModelMetadataResponse = _BY_NAME["ModelMetadataResponse"]
ModelReadyResponse = _BY_NAME["ModelReadyResponse"]
ServerLiveResponse = _BY_NAME["ServerLiveResponse"]
ServerMetadataResponse = _BY_NAME["ServerMetadataResponse"]
ServerReadyResponse = _BY_NAME["ServerReadyResponse"]


def request_type(method: str) -> Any:
    """Return the class of what a method takes."""
    return _BY_NAME[f"{method}Request"]


def response_type(method: str) -> Any:
    """Return the class of what a method returns."""
    return _BY_NAME[f"{method}Response"]


def serialized(message: Any) -> bytes:
    """Return a message as it goes over the wire."""
    content: bytes = message.SerializeToString()
    return content
