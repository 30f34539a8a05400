"""How much a table is: told from its columns, or estimated before they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from evermodel_runtime.data.table import TEXT

NUMBER_BYTES = 8
CODE_BYTES = 4
"""Of a text in a row: which of the column's words it is."""
WORD_BYTES = 12
"""Of a word besides its letters; what Python takes for it, while words are looked at, is four times that."""

SHORT_WORD = 8
"""Bytes of a short text in a file: no more different ones are expected than these make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The extent of a table.

    Attributes
    ----------
    rows : int
        How many rows.
    cells : int
        Bytes of numbers, and of the codes of texts.
    words : int
        Different texts of each column, added up.
    letters : int
        Bytes of these.
    """

    rows: int
    cells: int
    words: int = 0
    letters: int = 0

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> Self:
        """Measure columns that are read."""
        rows = cells = words = letters = 0
        for column in columns.values():
            rows = len(column)
            if column.type != TEXT:
                cells += column.nbytes
                continue
            cells += CODE_BYTES * rows
            if column.num_chunks:  # all of them have the same dictionary
                dictionary = column.chunk(0).dictionary
                words += len(dictionary)
                letters += dictionary.nbytes
        return cls(rows=rows, cells=cells, words=words, letters=letters)

    @property
    def size(self) -> int:
        """Bytes of the columns."""
        return self.cells + WORD_BYTES * self.words + self.letters

    def followed_by(self, other: Self) -> Self:
        """Return the extent of both tables, one after the other."""
        return type(self)(
            rows=self.rows + other.rows,
            cells=self.cells + other.cells,
            words=self.words + other.words,
            letters=self.letters + other.letters,
        )
