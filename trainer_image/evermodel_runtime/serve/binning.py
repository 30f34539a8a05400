"""Counts of how the values that come in are spread, made in pauses between requests and not with each of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evermodel.contract import BinCounts, Reference
from evermodel_runtime.data.bins import count
from evermodel_runtime.serve.rows import Rows

MOST_ROWS = 2000
"""Rows that are looked at in each pause: of more, the first, and of a large request rows all through it."""
MOST_VALUES = 100_000
"""Values that are looked at in each pause, which takes 2 to 4 ms."""


class BinCounter:
    """Totals since the pod's start, for the hub to compare with what the model learnt from."""

    def __init__(self, digest: str, reference: Reference) -> None:
        self._digest = digest
        self._reference = reference
        self._most = max(1, min(MOST_ROWS, MOST_VALUES // len(reference.columns)))
        self._totals = np.zeros(reference.width, dtype=np.int64)
        self._held = 0
        self._numbers: list[NDArray[np.float32]] = []
        self._texts: list[list[list[str]]] = []
        self._predicted: list[Sequence[Any]] = []

    @property
    def full(self) -> bool:
        """Whether no more rows are looked at in the next pause."""
        return self._held >= self._most

    def add(self, rows: Rows, predicted: Sequence[Any]) -> None:
        """Keep the rows of one request, and what was answered, until the next pause."""
        if self.full:
            return
        if rows.count > self._most:
            self._add_some(rows, predicted)
            return
        self._held += rows.count
        self._numbers.append(rows.numbers32)
        self._predicted.append(predicted)
        if rows.texts:
            self._texts.append(rows.texts)

    def _add_some(self, rows: Rows, predicted: Sequence[Any]) -> None:
        step = -(-rows.count // self._most)
        self._held += self._most
        self._numbers.append(rows.numbers32[::step].copy())  # a view would hold all of a large request
        self._predicted.append(predicted[::step])
        self._texts.append([column[::step] for column in rows.texts])

    def counts(self, *, requests: int, refused: int) -> BinCounts:
        """Count what was kept, and return the totals."""
        if self._held:
            columns = range(len(self._texts[0])) if self._texts else ()
            self._totals += count(
                self._reference,
                np.concatenate(self._numbers),
                [list(chain.from_iterable(texts[column] for texts in self._texts)) for column in columns],
                list(chain.from_iterable(self._predicted)),
            )
            self._held = 0
            self._numbers, self._texts, self._predicted = [], [], []
        return BinCounts(
            reference=self._digest, requests=requests, refused=refused, counts=tuple(self._totals.tolist())
        )
