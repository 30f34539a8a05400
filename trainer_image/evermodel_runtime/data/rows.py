"""Feature rows by column, and the hash by which a row is known wherever it comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from evermodel.contract import Column, ColumnKind

Matrix = NDArray[np.float32]
ColumnValues = NDArray[np.float32] | NDArray[np.object_]
Inputs = Matrix | Sequence[ColumnValues]
"""A float32 matrix of shape (rows, columns), or for each column one of shape (rows,): float32, or str as object."""
Labels = NDArray[np.int64] | NDArray[np.object_]
"""Whole numbers, or str."""
Hashes = NDArray[np.uint64]
Mask = NDArray[np.bool_]
Index = NDArray[np.intp]
NUMBER_CELL = np.uint8(ord("n"))
TEXT_CELL = b"t"


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """Rows of features, one array per column: float32, or str as object.

    Numbers are float32 from the beginning, as the served model sees them.
    """

    columns: tuple[Column, ...]
    values: tuple[ColumnValues, ...]

    def __len__(self) -> int:
        return len(self.values[0])

    def __getitem__(self, chosen: Mask | Index | slice) -> Self:
        return type(self)(self.columns, tuple(values[chosen] for values in self.values))

    def followed_by(self, other: Self) -> Self:
        """Return these rows and then those of ``other``, which has the same columns."""
        pairs = zip(self.values, other.values, strict=True)
        return type(self)(self.columns, tuple(_joined(first, second) for first, second in pairs))

    @property
    def all_numbers(self) -> bool:
        """Whether no column is text."""
        return all(column.kind is ColumnKind.NUMBER for column in self.columns)

    def matrix(self) -> Matrix:
        """Return float32 of shape (rows, columns); all columns must be numbers."""
        return np.column_stack(self.values).astype(np.float32, copy=False)

    def inputs(self) -> Inputs:
        """Return the rows as a model takes them."""
        return self.matrix() if self.all_numbers else self.values

    def mixed(self) -> NDArray[np.object_]:
        """Return float and str as objects of shape (rows, columns)."""
        return np.column_stack([values.astype(np.object_) for values in self.values])


def _joined(first: ColumnValues, second: ColumnValues) -> ColumnValues:
    if first.dtype == np.object_:
        return np.concatenate((first, second), dtype=np.object_)
    return np.concatenate((first, second), dtype=np.float32)


def row_hashes(rows: FeatureRows) -> Hashes:
    """Hash each row: the same 64 bits for a line of the CSV file and for the request that was served with its values.

    A number counts as its float32 bits (what the model sees; -0 is 0), a text as its UTF-8 bytes with their length.
    """
    encoded = [_encoded(values) for values in rows.values]
    if rows.all_numbers:
        joined = np.concatenate(encoded, axis=1)
        return np.array([_hash64(row.tobytes()) for row in joined], dtype=np.uint64)
    cells = zip(*(_cells(column) for column in encoded), strict=True)
    return np.array([_hash64(b"".join(row)) for row in cells], dtype=np.uint64)


def _encoded(values: ColumnValues) -> NDArray[np.uint8] | list[bytes]:
    if values.dtype == np.object_:
        texts = (str(value).encode() for value in values)
        return [TEXT_CELL + len(text).to_bytes(4, "little") + text for text in texts]
    bits = (values.astype("<f4") + np.float32(0)).view(np.uint8).reshape(-1, 4)
    return np.column_stack([np.full(len(values), NUMBER_CELL), bits])


def _cells(column: NDArray[np.uint8] | list[bytes]) -> list[bytes]:
    return column if isinstance(column, list) else [row.tobytes() for row in column]


def _hash64(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def encode_hashes(hashes: Hashes) -> bytes:
    """Write hashes as Manifest.training_rows holds them: sorted, each once, little-endian uint64."""
    return np.unique(hashes).astype("<u8").tobytes()


def decode_hashes(content: bytes) -> Hashes:
    """Read what ``encode_hashes`` wrote."""
    return np.frombuffer(content, dtype="<u8").astype(np.uint64)
