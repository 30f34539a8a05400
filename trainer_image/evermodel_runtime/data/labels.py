"""The target column: what its classes are, and how a label that came as text is one of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from evermodel.contract import Scalar, label_text
from evermodel_runtime.data.columns import spelled
from evermodel_runtime.data.failure import data_error, listed
from evermodel_runtime.data.rows import Labels
from evermodel_runtime.data.table import Table

INT64 = 2**63
UNLABELLED = frozenset({"", "na", "n/a", "nan", "null"})
"""How a missing label is spelled, in lower case; "none" may be a class."""
BOOLEANS = frozenset({"true", "false"})
MIN_CLASSES = 2
MOST_CLASSES = 0.5
"""Classes per row above which the target is surely not a class."""


@dataclass(frozen=True, slots=True)
class Target:
    """The labels of the file's rows.

    Attributes
    ----------
    labels : array of shape (rows,)
        int64 where every label is a whole number, otherwise str as object, spelled as ``label_text`` does.
    """

    labels: Labels

    @property
    def whole_numbers(self) -> bool:
        """Whether the classes are int64."""
        return self.labels.dtype == np.int64

    def parse(self, texts: Iterable[str]) -> list[Scalar | None]:
        """Turn labels that came as text into the target's type; None where one does not fit. New classes are fine."""
        return [_whole(text) if self.whole_numbers else text for text in texts]


def read_target(file: Table, name: str) -> Target:
    """Read and check the target column.

    Raises
    ------
    JobError
        DataInvalid: labels are missing, there is one class only, or nearly as many classes as rows.
    """
    codes, words = spelled(file, name)
    words = [word.strip() for word in words]
    empty = np.array([word.lower() in UNLABELLED for word in words], dtype=np.bool_)
    missing = np.flatnonzero(empty[codes])
    if len(missing):
        raise data_error(
            f"{file.name}: the target {name!r} has no value in {len(missing):,} of {len(file):,} rows: "
            f"{listed([file.place(int(row)) for row in missing])}. Remove these rows or label them."
        )
    used = np.unique(codes)
    target = Target(_typed([words[code] for code in used])[np.searchsorted(used, codes)])
    classes = np.unique(target.labels)
    if len(classes) < MIN_CLASSES:
        raise data_error(
            f"{file.name}: the target {name!r} is {words[codes[0]]!r} in every row. A classifier needs at least two "
            "classes."
        )
    if len(classes) > max(MIN_CLASSES, MOST_CLASSES * len(file)):
        raise data_error(
            f"{file.name}: the target {name!r} has {len(classes):,} different values in {len(file):,} rows, so it is "
            "no class. Is spec.data.target the right column?"
        )
    return target


def as_texts(labels: Iterable[Scalar]) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """Spell labels as ``label_text`` does, so that those of different origin compare."""
    texts = [label_text(label) for label in labels]
    spelled = np.empty(len(texts), dtype=np.object_)
    spelled[:] = texts
    return spelled


def _typed(cells: list[str]) -> Labels:
    whole = [_whole(cell) for cell in cells]
    if None not in whole:
        return np.array(whole, dtype=np.int64)
    if {cell.lower() for cell in cells} <= BOOLEANS:
        return as_texts(cell.lower() for cell in cells)  # pandas writes True, JSON true: one spelling for both
    try:
        return as_texts(float(cell) for cell in cells)
    except ValueError:
        return as_texts(cells)


def _whole(text: str) -> int | None:
    """``3``, ``3.0`` and ``3e0`` are 3."""
    try:
        value = float(text)
        number = int(text) if text.lstrip("+-").isdecimal() else int(value)
    except (ValueError, OverflowError):
        return None
    return number if value.is_integer() and -INT64 <= number < INT64 else None
