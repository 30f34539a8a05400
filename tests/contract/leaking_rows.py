"""Rows that can be told apart wherever they turn up: those that are held out are like no other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evermodel.contract import Column, ColumnKind
from evermodel_runtime.data.rows import FeatureRows, row_hashes
from evermodel_runtime.data.split import held_out, keys_of_ids, keys_of_rows

FRACTION = 0.2
MARK = 1000.0
"""What the heights of held-out rows are above; the others are below 2."""
HIDDEN = "hidden"
"""The colour of held-out rows."""
COLUMNS = (Column(name="height", kind=ColumnKind.NUMBER), Column(name="width", kind=ColumnKind.NUMBER))
Row = dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """A source, of which the test knows what a Job has to hold out.

    The class of rows to learn from follows from the sign of their height, with room between; that of held-out rows is
    drawn, so that whoever judges or fits by one of them is wrong about half of them.
    """

    source: list[Row]
    held_out: list[Row]

    @property
    def to_learn(self) -> list[Row]:
        return [row for row in self.source if row not in self.held_out]


def by_id(count: int = 240, fraction: float = FRACTION) -> Rows:
    """Rows whose ids say which are held out."""
    random = np.random.default_rng(1)
    ids = [f"r{number}" for number in range(count)]
    source = []
    for name, held in zip(ids, held_out(keys_of_ids(ids), fraction).tolist(), strict=True):
        source.append({"id": name, **(_hidden(random) if held else _open(random))})
    return Rows(source, [row for row in source if row["colour"] == HIDDEN])


def by_hash(count: int = 240) -> Rows:
    """Rows without an id: two numbers and a class, held out by the hash of the numbers."""
    random = np.random.default_rng(2)
    source: list[Row] = []
    while len(source) < count:
        hide = len(source) % 5 == 0
        row = _hidden(random) if hide else _open(random)
        del row["colour"]
        if bool(held_out(keys_of_rows(_hash(row)), FRACTION)[0]) is hide:
            source.append(row)
    return Rows(source, [row for row in source if row["height"] > MARK])


def _hash(row: Row) -> Any:
    values = tuple(np.array([row[column.name]], dtype=np.float32) for column in COLUMNS)
    return row_hashes(FeatureRows(COLUMNS, values))


def _open(random: np.random.Generator) -> Row:
    height = float(random.choice([-1, 1]) * random.uniform(1, 2))
    return {
        "height": round(height, 3),
        "width": round(float(random.uniform()), 3),
        "colour": str(random.choice(["red", "green"])),
        "kind": "rose" if height > 0 else "tulip",
    }


def _hidden(random: np.random.Generator) -> Row:
    return {
        "height": MARK + int(random.integers(1, 900)),
        "width": int(random.integers(1, 9)),
        "colour": HIDDEN,
        "kind": str(random.choice(["rose", "tulip"])),
    }
