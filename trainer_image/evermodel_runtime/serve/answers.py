"""HTTP answers as values."""

from typing import Any

import msgspec

from evermodel.contract import HubError

JSON = b"application/json"
LONGEST_MESSAGE = 480
"""Characters of an error: names in it come from the caller."""
_encode = msgspec.json.Encoder().encode


class Answer(msgspec.Struct, frozen=True):
    """Status, body and headers of one answer."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


def json_answer(value: Any, status: int = 200) -> Answer:
    """Encode a value as the answer."""
    return Answer(status, _encode(value))


def error_answer(status: int, message: str, *, retry_after: str | None = None) -> Answer:
    """Say what is wrong as the protocol has it: {"error": sentence}."""
    headers = ((b"retry-after", retry_after.encode()),) if retry_after is not None else ()
    if len(message) > LONGEST_MESSAGE:
        message = message[:LONGEST_MESSAGE] + "…"
    return Answer(status, _encode(HubError(error=message)), headers=headers)
