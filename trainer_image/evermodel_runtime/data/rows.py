"""Feature rows by column, and the hash by which a row is known wherever it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from operator import add
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from evermodel.contract import Column, ColumnKind

Matrix = NDArray[np.float32]
ColumnValues = NDArray[np.float32] | NDArray[np.object_]
Inputs = Matrix | Sequence[ColumnValues]
"""A float32 matrix of shape (rows, columns), or for each column one of shape (rows,): float32, or str as object."""
Labels = NDArray[np.int64] | NDArray[np.object_] | NDArray[np.floating[Any]]
"""Classes are whole numbers, or str; what a regressor learns and answers are floats."""
Hashes = NDArray[np.uint64]
Mask = NDArray[np.bool_]
Index = NDArray[np.intp]
NUMBER_CELL = np.uint8(ord("n"))
TEXT_CELL = b"t"
DIGEST_BYTES = 8
_NUMBER_CELL = np.dtype([("kind", np.uint8), ("number", "<f4")])
ROWS_AT_ONCE = 1 << 13
"""Rows that are hashed together: what is made of them stays in the processor's cache."""


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """Rows of features, one array per column: float32, or str as object.

    Numbers are float32 from the beginning, as the served model sees them.
    """

    columns: tuple[Column, ...]
    values: tuple[ColumnValues, ...]

    @classmethod
    def of(cls, pairs: Sequence[tuple[Column, ColumnValues]]) -> Self:
        """Put columns side by side."""
        return cls(tuple(column for column, _ in pairs), tuple(values for _, values in pairs))

    def __len__(self) -> int:
        return len(self.values[0])

    def __getitem__(self, chosen: Mask | Index | slice) -> Self:
        return type(self)(self.columns, tuple(values[chosen] for values in self.values))

    def followed_by(self, other: Self) -> Self:
        """Return these rows and then those of ``other``, which has the same columns."""
        if not len(other):
            return self
        pairs = zip(self.values, other.values, strict=True)
        return type(self)(self.columns, tuple(_joined(first, second) for first, second in pairs))

    @property
    def all_numbers(self) -> bool:
        """Whether no column is text."""
        return all(column.kind is ColumnKind.NUMBER for column in self.columns)

    def matrix(self) -> Matrix:
        """Return float32 of shape (rows, columns); all columns must be numbers."""
        return self._filled(np.empty((len(self), len(self.values)), dtype=np.float32))

    def wide_matrix(self) -> NDArray[np.float64]:
        """Return the same as float64, without a copy in between."""
        return self._filled(np.empty((len(self), len(self.values)), dtype=np.float64))

    def inputs(self) -> Inputs:
        """Return the rows as a model takes them."""
        return self.matrix() if self.all_numbers else self.values

    def _filled(self, matrix: NDArray[Any]) -> NDArray[Any]:
        for place, values in enumerate(self.values):
            matrix[:, place] = values
        return matrix

    def arrow(self) -> Any:
        """Return a pyarrow.Table of float32 and text: a matrix of objects would take eight times the memory."""
        import pyarrow as pa  # noqa: PLC0415 - serving pods hash and score rows, and read no files

        columns = [
            pa.array(values, pa.string()).dictionary_encode() if values.dtype == np.object_ else pa.array(values)
            for values in self.values
        ]
        return pa.table(columns, names=[column.name for column in self.columns])


def spread_over(parts: Sequence[FeatureRows], most: int) -> FeatureRows:
    """Return up to so many rows, spread evenly over parts with equal columns, as if these followed one another."""
    total = sum(len(part) for part in parts)
    places = np.unique(np.linspace(0, total - 1, most).astype(np.intp))
    chosen = parts[0][:0]
    start = 0
    for part in parts:
        chosen = chosen.followed_by(part[places[(places >= start) & (places < start + len(part))] - start])
        start += len(part)
    return chosen


def _joined(first: ColumnValues, second: ColumnValues) -> ColumnValues:
    if first.dtype == np.object_:
        return np.concatenate((first, second), dtype=np.object_)
    return np.concatenate((first, second), dtype=np.float32)


def row_hashes(rows: FeatureRows) -> Hashes:
    """Hash each row: the same 64 bits for a line of the CSV file and for the request that was served with its values.

    A number counts as its float32 bits (what the model sees; -0 is 0, a missing one is NaN), a text
    as its UTF-8 bytes with their length.
    """
    digests = b"".join(_digests(rows[start : start + ROWS_AT_ONCE]) for start in range(0, len(rows), ROWS_AT_ONCE))
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def _digests(rows: FeatureRows) -> bytes:
    """Return 8 bytes for each row."""
    first, *others = [
        _cells(list(run)) for _, run in groupby(rows.values, key=lambda values: values.dtype == np.object_)
    ]
    for cells in others:
        first = list(map(add, first, cells))
    return b"".join([blake2b(row, digest_size=DIGEST_BYTES).digest() for row in first])


def _cells(columns: list[ColumnValues]) -> list[bytes]:
    """Encode neighbouring columns of one kind, row by row."""
    if columns[0].dtype != np.object_:
        return _encoded_numbers(columns)
    known: dict[object, bytes] = {}
    texts = [
        [known.get(value) or known.setdefault(value, _encoded_text(str(value))) for value in values.tolist()]
        for values in columns
    ]
    return texts[0] if len(texts) == 1 else [b"".join(row) for row in zip(*texts, strict=True)]


def _encoded_text(text: str) -> bytes:
    content = text.encode()
    return TEXT_CELL + len(content).to_bytes(4, "little") + content


def _encoded_numbers(columns: list[ColumnValues]) -> list[bytes]:
    cells = np.empty((len(columns[0]), len(columns)), dtype=_NUMBER_CELL)
    cells["kind"] = NUMBER_CELL
    for place, values in enumerate(columns):
        canonical = values.astype(np.float32) + np.float32(0)
        canonical[np.isnan(canonical)] = np.nan
        cells["number"][:, place] = canonical
    as_bytes: list[bytes] = cells.view(f"V{_NUMBER_CELL.itemsize * len(columns)}")[:, 0].tolist()
    return as_bytes


def distinct(hashes: Hashes) -> Hashes:
    """Return the different ones, sorted: as ``np.unique`` does, which puts each into a hash table for it."""
    ordered = np.sort(hashes)
    is_first = np.ones(len(ordered), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]


def encode_hashes(hashes: Hashes) -> bytes:
    """Write hashes as Manifest.training_rows holds them: sorted, each once, little-endian uint64."""
    return distinct(hashes).astype("<u8").tobytes()


def decode_hashes(content: bytes) -> Hashes:
    """Read what ``encode_hashes`` wrote."""
    return np.frombuffer(content, dtype="<u8").astype(np.uint64)
