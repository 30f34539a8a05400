"""From cells of text to numbers, with the first wrong cell named."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evermodel.contract import ColumnKind
from evermodel_runtime.data.csvfile import CsvFile
from evermodel_runtime.data.failure import data_error, listed

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
"""How a missing number is spelled, in lower case."""
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class ColumnSurvey:
    """What the cells of a column look like; the lists hold row indices."""

    numbers: int
    missing: list[int]
    infinite: list[int]
    texts: list[int]

    @property
    def kind(self) -> ColumnKind:
        """A column is a number when most of its cells are: a few that are not are mistakes, and are reported."""
        return ColumnKind.NUMBER if self.numbers + len(self.infinite) > len(self.texts) else ColumnKind.TEXT


def survey(cells: tuple[str, ...]) -> ColumnSurvey:
    """Sort the cells of a column by what they are."""
    numbers, missing, infinite, texts = 0, [], [], []
    for row, cell in enumerate(cells):
        if cell.strip().lower() in MISSING:
            missing.append(row)
            continue
        try:
            value = float(cell)
        except ValueError:
            texts.append(row)
            continue
        if math.isfinite(value) and abs(value) <= LARGEST:
            numbers += 1
        else:
            infinite.append(row)
    return ColumnSurvey(numbers, missing, infinite, texts)


def numbers_of(file: CsvFile, name: str) -> NDArray[np.float32]:
    """Return a column of numbers as float32.

    Raises
    ------
    JobError
        DataInvalid, with the row and the value of the first cell that is no finite number.
    """
    found = survey(file.cells[name])
    if found.missing:
        raise data_error(
            f"{file.name}: column {name!r} has no value in {len(found.missing):,} of {len(file):,} rows: "
            f"{listed([file.place(row) for row in found.missing])}. Fill or remove these rows, or leave the column "
            "out of spec.data.features; missing values are not imputed."
        )
    if found.texts:
        row = found.texts[0]
        raise data_error(
            f"{file.name}: column {name!r} is a number in {found.numbers:,} of {len(file):,} rows, but "
            f"{file.place(row)} holds {file.cells[name][row]!r}{_others(found.texts)}. Correct these cells; if the "
            "column is text, name it in a OneHotEncoder step of spec.training.preprocessing."
        )
    if found.infinite:
        row = found.infinite[0]
        raise data_error(
            f"{file.name}: column {name!r} holds {file.cells[name][row]!r} in {file.place(row)}"
            f"{_others(found.infinite)}: numbers must be finite and fit into 32-bit floats."
        )
    return np.array([float(cell) for cell in file.cells[name]], dtype=np.float32)


def texts_of(file: CsvFile, name: str) -> NDArray[np.object_]:
    """Return a column of text as it stands in the file; an empty cell is a category of its own."""
    return np.array(file.cells[name], dtype=np.object_)


def _others(rows: list[int]) -> str:
    return f" (and {len(rows) - 1:,} more rows likewise)" if len(rows) > 1 else ""
