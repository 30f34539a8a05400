"""Event files of TensorBoard: scalars by step, without TensorBoard.

A file is a row of records (TFRecord): length, its masked CRC-32C, content, its masked CRC-32C. A content is an Event of
``tensorboard/compat/proto/event.proto``, of which a wall time, a step and scalar summaries are written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

FILE_VERSION = b"brain.Event:2"
_POLYNOMIAL = 0x82F63B78
"""CRC-32C (Castagnoli), its bits reversed."""
_MASK = 0xA282EAD8
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
"""Wire types of protocol buffers."""


@dataclass(frozen=True, slots=True)
class Scalars:
    """Values of one step, by tag."""

    step: int
    values: Mapping[str, float]


def event_file(steps: Iterable[Scalars]) -> bytes:
    """Return the content of an event file.

    A step's time is its number in seconds: with times of the clock, no two runs of the same training would be equal.
    """
    first = _double(1, 0.0) + _field(3, FILE_VERSION)
    return b"".join([_record(first), *(_record(_event(step)) for step in steps)])


def _event(step: Scalars) -> bytes:
    summary = b"".join(
        _field(1, _field(1, tag.encode()) + _key(2, _FIXED32) + struct.pack("<f", value))
        for tag, value in step.values.items()
    )
    return _double(1, float(step.step)) + _key(2, _VARINT) + _varint(step.step) + _field(5, summary)


def _record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return length + _checksum(length) + content + _checksum(content)


def _checksum(content: bytes) -> bytes:
    crc = crc32c(content)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)


def crc32c(content: bytes) -> int:
    """Return the CRC-32C of some bytes."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _table_entry(index: int) -> int:
    for _ in range(8):
        index = index >> 1 ^ (_POLYNOMIAL if index & 1 else 0)
    return index


_TABLE = tuple(_table_entry(index) for index in range(256))


def _key(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits in a byte
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _field(number: int, content: bytes) -> bytes:
    return _key(number, _BYTES) + _varint(len(content)) + content


def _double(number: int, value: float) -> bytes:
    return _key(number, _FIXED64) + struct.pack("<d", value)
