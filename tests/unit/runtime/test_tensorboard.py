"""Event files as TensorBoard reads them: by a decoder made from the formats' descriptions, and known checksums."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.runtime.made_runs import make_source, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import Epochs
from evermodel_runtime.artifacts.tensorboard import Scalars, crc32c, event_file
from evermodel_runtime.train.job import train


def remainder(content: bytes) -> int:
    """CRC-32C bit by bit, as RFC 3720 has it."""
    register = 0xFFFFFFFF
    for byte in content:
        for place in range(8):
            bit = (byte >> place ^ register) & 1
            register = register >> 1 ^ (0x82F63B78 if bit else 0)
    return register ^ 0xFFFFFFFF


def unmasked(stored: int) -> int:
    turned = (stored - 0xA282EAD8) % 2**32
    return (turned >> 17 | turned << 15) % 2**32


def records(content: bytes) -> Iterator[bytes]:
    while content:
        length, of_length = struct.unpack("<QI", content[:12])
        assert unmasked(of_length) == remainder(content[:8])
        data, of_data = content[12 : 12 + length], content[12 + length : 16 + length]
        assert unmasked(struct.unpack("<I", of_data)[0]) == remainder(data)
        yield data
        content = content[16 + length :]


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Field numbers and values of a protocol buffer."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(message):
        key = varint()
        sizes = {1: 8, 5: 4}
        if key & 7 == 0:
            yield key >> 3, varint()
            continue
        size = varint() if key & 7 == 2 else sizes[key & 7]
        yield key >> 3, message[place : place + size]
        place += size
    assert place == len(message)


def events(content: bytes) -> Iterator[tuple[float, int, dict[str, float]]]:
    """Wall time, step and scalars of each event after the first."""
    version, *following = records(content)
    assert dict(fields(version))[3] == b"brain.Event:2"
    for event in following:
        found = dict(fields(event))
        values = [dict(fields(value)) for number, value in fields(found[5]) if number == 1]
        scalars = {value[1].decode(): struct.unpack("<f", value[2])[0] for value in values}
        yield struct.unpack("<d", found[1])[0], found.get(2, 0), scalars


@pytest.mark.parametrize(
    ("content", "known"),
    [
        pytest.param(b"123456789", 0xE3069283, id="the check value"),
        pytest.param(bytes(32), 0x8A9136AA, id="zeros, from RFC 3720"),
        pytest.param(b"\xff" * 32, 0x62A8AB43, id="ones, from RFC 3720"),
        pytest.param(b"", 0, id="nothing"),
    ],
)
def test_checksums_are_crc32c(content: bytes, known: int) -> None:
    assert crc32c(content) == known == remainder(content)


def test_what_was_written_is_read_by_the_formats_descriptions() -> None:
    steps = [Scalars(1, {"loss": 0.5, "validation/accuracy": 0.25}), Scalars(300, {"loss": -2.0})]

    assert list(events(event_file(steps))) == [
        (1.0, 1, {"loss": 0.5, "validation/accuracy": 0.25}),
        (300.0, 300, {"loss": -2.0}),
    ]


def test_a_training_in_epochs_leaves_its_curve_for_tensorboard() -> None:
    hub = MemoryHub()
    run = make_train_run(
        data=make_source(uri="sklearn://digits?rows=:400", target="target"),
        estimator="MLPClassifier",
        epochs=Epochs(max=3, patience=3, validation_fraction=0.2, min_improvement=0.0),
    )

    digest = hub.manifest(train(run, surroundings(hub)).manifest).tensorboard

    assert digest is not None
    found = list(events(hub.blob(digest)))
    assert [step for _, step, _ in found] == [1, 2, 3]
    assert [set(scalars) for _, _, scalars in found] == [{"training/loss", "validation/accuracy"}] * 3
