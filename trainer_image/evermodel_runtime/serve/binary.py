"""The binary tensor extension: elements of tensors as little-endian bytes after the JSON, in the tensors' order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evermodel_runtime.serve.protocol import BinaryTensor, Datatype, InferInput, RequestError, Tensor

SIZE = "binary_data_size"
TYPES: dict[Datatype, np.dtype[Any]] = {
    Datatype.BOOL: np.dtype("?"),
    Datatype.INT8: np.dtype("i1"),
    Datatype.INT16: np.dtype("<i2"),
    Datatype.INT32: np.dtype("<i4"),
    Datatype.INT64: np.dtype("<i8"),
    Datatype.UINT8: np.dtype("u1"),
    Datatype.UINT16: np.dtype("<u2"),
    Datatype.UINT32: np.dtype("<u4"),
    Datatype.UINT64: np.dtype("<u8"),
    Datatype.FP16: np.dtype("<f2"),
    Datatype.FP32: np.dtype("<f4"),
    Datatype.FP64: np.dtype("<f8"),
}
LENGTH_BYTES = 4
"""Before each text stands how many bytes of UTF-8 it has."""


def split(body: bytes, header_length: bytes) -> tuple[bytes, bytes]:
    """Cut a body into its JSON and what follows; ``header_length`` is the value of Inference-Header-Content-Length."""
    if not header_length.isdigit() or int(header_length) > len(body):
        raise RequestError(
            f"Inference-Header-Content-Length is {header_length.decode('latin-1')[:20]!r}; it must be the number of "
            f"bytes of JSON at the start of the body, which has {len(body):,} bytes"
        )
    size = int(header_length)
    return body[:size], body[size:]


def with_binary(inputs: Sequence[InferInput], content: bytes) -> list[Tensor]:
    """Give each tensor that has a ``binary_data_size`` its part of what follows the JSON."""
    tensors: list[Tensor] = []
    at = 0
    for tensor in inputs:
        size = (tensor.parameters or {}).get(SIZE)
        if size is None:
            tensors.append(tensor)
            continue
        if type(size) is not int or not 0 <= size <= len(content) - at:
            raise RequestError(
                f"input {tensor.name!r} has binary_data_size {size!r:.20}, and {len(content) - at:,} bytes are left "
                "after the JSON: send the tensors in the order of the inputs, each in as many bytes as it says"
            )
        if tensor.data is not None:
            raise RequestError(f"input {tensor.name!r} has 'data' and binary_data_size: send one of them")
        elements = read_elements(tensor.name, tensor.datatype, content[at : at + size])
        tensors.append(BinaryTensor(tensor.name, tensor.shape, tensor.datatype, elements))
        at += size
    if at != len(content):
        raise RequestError(f"{len(content) - at:,} bytes after the JSON belong to no input: set binary_data_size")
    return tensors


def read_elements(name: str, datatype: Datatype, content: bytes) -> NDArray[Any] | list[str]:
    """Return the elements of the input of a name."""
    if datatype is Datatype.BYTES:
        return _texts(name, content)
    kind = TYPES[datatype]
    if len(content) % kind.itemsize:
        raise RequestError(
            f"input {name!r} has {len(content):,} bytes, which are no whole number of {datatype.value}, "
            f"of {kind.itemsize} bytes each"
        )
    if datatype is Datatype.BOOL and content.strip(b"\0\1"):
        raise RequestError(f"input {name!r} has bytes that are no BOOL: 0 or 1 is one")
    return np.frombuffer(content, kind)


def _texts(name: str, content: bytes) -> list[str]:
    texts: list[str] = []
    at = 0
    while at < len(content):
        start = at + LENGTH_BYTES
        at = start + int.from_bytes(content[at:start], "little")
        if start > len(content) or at > len(content):
            raise RequestError(
                f"input {name!r} ends within element {len(texts)}: each is {LENGTH_BYTES} bytes, its length "
                "from the lowest byte, and then so many bytes of UTF-8"
            )
        texts.append(read_text(name, len(texts), content[start:at]))
    return texts


def read_text(name: str, place: int, content: bytes) -> str:
    """Return an element of the input of a name."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise RequestError(f"element {place} of input {name!r} is no UTF-8: {error}") from error


def encoded(datatype: Datatype, elements: Sequence[Any] | NDArray[Any]) -> bytes:
    """Return elements of an output as bytes."""
    if datatype is Datatype.BYTES:
        texts = [text.encode() for text in elements]
        return b"".join(len(text).to_bytes(LENGTH_BYTES, "little") + text for text in texts)
    return np.asarray(elements, TYPES[datatype]).tobytes()
