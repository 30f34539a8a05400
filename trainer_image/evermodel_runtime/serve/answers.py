"""HTTP answers as values."""

from collections.abc import Sequence
from typing import Any

import msgspec

from evermodel_runtime.serve.ids import RowIds
from evermodel_runtime.serve.protocol import ErrorResponse

JSON = b"application/json"
BYTES = b"application/octet-stream"
HEADER_LENGTH = b"inference-header-content-length"
"""Header that says how many bytes of a body are JSON; the bytes of tensors follow."""
LONGEST_MESSAGE = 480
"""Characters of an error: names in it come from the caller."""


def _as_json(value: object) -> msgspec.Raw:
    if isinstance(value, RowIds):
        return value.as_json()
    raise NotImplementedError(f"{type(value).__name__} is no part of an answer")


_encode = msgspec.json.Encoder(enc_hook=_as_json).encode


class Answer(msgspec.Struct, frozen=True):
    """Status, body and headers of one answer."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


def json_answer(value: Any, status: int = 200) -> Answer:
    """Encode a value as the answer."""
    return Answer(status, _encode(value))


def binary_answer(value: Any, content: Sequence[bytes]) -> Answer:
    """Encode a value, and put the bytes of its tensors after it."""
    head = _encode(value)
    return Answer(200, b"".join((head, *content)), BYTES, ((HEADER_LENGTH, b"%d" % len(head)),))


def error_answer(status: int, message: str, *, retry_after: str | None = None) -> Answer:
    """Say what is wrong as the protocol has it: {"error": sentence}."""
    headers = ((b"retry-after", retry_after.encode()),) if retry_after is not None else ()
    return Answer(status, _encode(ErrorResponse(shortened(message))), headers=headers)


def shortened(message: str) -> str:
    """Return what of an error's message is told."""
    return message if len(message) <= LONGEST_MESSAGE else message[:LONGEST_MESSAGE] + "…"
