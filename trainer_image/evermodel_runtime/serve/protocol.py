"""The messages of the Open Inference Protocol v2 (REST)."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec
from numpy.typing import NDArray

MAX_ROWS = 10_000
MAX_BODY_BYTES = 32 * 1024 * 1024


class RequestError(Exception):
    """The request cannot be answered; the message names the input, column or row and says what to do."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Datatype(StrEnum):
    """Tensor element types that are understood."""

    BOOL = "BOOL"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    FP16 = "FP16"
    FP32 = "FP32"
    FP64 = "FP64"
    BYTES = "BYTES"


INTEGER_BOUNDS: dict[Datatype, tuple[int, int]] = {
    datatype: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    for datatype, bits, signed in (
        (Datatype.INT8, 8, True),
        (Datatype.INT16, 16, True),
        (Datatype.INT32, 32, True),
        (Datatype.INT64, 64, True),
        (Datatype.UINT8, 8, False),
        (Datatype.UINT16, 16, False),
        (Datatype.UINT32, 32, False),
        (Datatype.UINT64, 64, False),
    )
}


class InferInput(msgspec.Struct, frozen=True):
    """One input tensor, its data flat or nested by rows."""

    name: str
    shape: tuple[int, ...]
    datatype: Datatype
    data: list[Any] | None = None
    parameters: dict[str, Any] | None = None


class BinaryTensor(msgspec.Struct, frozen=True):
    """An input tensor whose elements came as bytes, flat."""

    name: str
    shape: tuple[int, ...]
    datatype: Datatype
    data: NDArray[Any] | list[str]


Tensor = InferInput | BinaryTensor


class RequestedOutput(msgspec.Struct, frozen=True):
    """One output that the caller asks for."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct, frozen=True):
    """Body of POST /v2/models/{model}/infer."""

    inputs: list[InferInput]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[RequestedOutput] | None = None


class InferOutput(msgspec.Struct, frozen=True, omit_defaults=True):
    """One output tensor, row-major and flat."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    data: list[Any] | None = None
    """None where the elements follow the JSON as bytes."""
    parameters: dict[str, int] | None = None


class ResponseParameters(msgspec.Struct, frozen=True):
    """What Evermodel adds to the protocol's answer."""

    prediction_ids: Sequence[str]
    """One for each row: the id to send a label for."""


class InferResponse(msgspec.Struct, frozen=True):
    """Answer to an InferRequest."""

    model_name: str
    model_version: str
    id: str
    parameters: ResponseParameters
    outputs: list[InferOutput]


class TensorMetadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """Name, type and shape of an input or output; -1 stands for the number of rows."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    parameters: dict[str, Any] = {}


class ModelMetadata(msgspec.Struct, frozen=True):
    """Answer to GET /v2/models/{model}."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


class ServerMetadata(msgspec.Struct, frozen=True):
    """Answer to GET /v2."""

    name: str
    version: str
    extensions: tuple[str, ...]


class Liveness(msgspec.Struct, frozen=True):
    """Answer to GET /v2/health/live."""

    live: bool


class ServerReadiness(msgspec.Struct, frozen=True, omit_defaults=True):
    """Answer to GET /v2/health/ready; ``error`` says why not."""

    ready: bool
    error: str | None = None


class ModelReadiness(msgspec.Struct, frozen=True, omit_defaults=True):
    """Answer to GET /v2/models/{model}/ready and /v1/models/{model}; ``error`` says why not."""

    name: str
    ready: bool
    error: str | None = None


class ModelList(msgspec.Struct, frozen=True):
    """Answer to GET /v1/models."""

    models: tuple[str, ...]


class ErrorResponse(msgspec.Struct, frozen=True):
    """Every refusal, as the protocol has it: what is wrong, and what to do."""

    error: str


_request_decoder = msgspec.json.Decoder(InferRequest)


def decode_request(body: bytes) -> InferRequest:
    """Decode the body of an inference request."""
    try:
        return _request_decoder.decode(body)
    except msgspec.ValidationError as error:
        raise RequestError(f"the body is no inference request: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(malformed(body, error)) from error


def malformed(body: bytes, error: Exception) -> str:
    """Say what is wrong with a body that is not JSON."""
    if not body:
        return "the body is empty: send a JSON object"
    if b"NaN" in body or b"Infinity" in body:
        return f"NaN and Infinity are neither JSON nor accepted as values ({error})"
    return f"the body is not JSON: {error}"
