"""Sizes, types and encodings of request bodies."""

import zlib

from evermodel_runtime.serve.protocol import MAX_BODY_BYTES, RequestError

_WINDOWS = {b"gzip": 16 + zlib.MAX_WBITS, b"x-gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}
_PLAIN = (b"", b"identity")
_TYPES = frozenset(
    {b"application/json", b"application/octet-stream", b"application/x-www-form-urlencoded", b"text/plain"}
)
"""What clients say of JSON: curl calls all that it is given a form, other libraries call it text or bytes."""


def check_type(content_type: bytes) -> None:
    """Refuse a body that its sender takes for something else than JSON or bytes of tensors."""
    kind = content_type.partition(b";")[0].strip().lower()
    if kind not in _TYPES and not kind.endswith(b"+json"):
        raise RequestError(
            f"content-type {content_type.decode('latin-1')[:80]!r} is not supported: send application/json", 415
        )


def check_size(size: int) -> None:
    """Refuse a body that is too large to be held."""
    if size > MAX_BODY_BYTES:
        raise RequestError(f"the body is larger than {MAX_BODY_BYTES >> 20} MiB: send several requests", 413)


def decompressed(body: bytes, encoding: bytes) -> bytes:
    """Undo a content-encoding; never more is unpacked than a plain body may have."""
    name = encoding.strip().lower()
    if name in _PLAIN:
        return body
    if name not in _WINDOWS:
        raise RequestError(
            f"content-encoding {encoding.decode('latin-1')[:40]!r} is not supported: send gzip, deflate or plain JSON",
            415,
        )
    unpacking = zlib.decompressobj(_WINDOWS[name])
    try:
        content = unpacking.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise RequestError(f"the body is no {name.decode()}: {error}") from error
    check_size(len(content))
    if not unpacking.eof or unpacking.unused_data:
        raise RequestError(f"the body is no whole {name.decode()} stream, or something follows it")
    return content
