"""Columns that alone tell the target: made from it, or known only after it, they make a score that production lacks.

Each column answers half of the rows by what the other half shows: the class, or the mean, that goes with its value, or
with the nearest one. An id, which the other half has not, tells nothing so; a copy under another name or spelling, a
function of the target and the target with some noise tell nearly all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evermodel.contract import Scalar, label_text
from evermodel_runtime.data.rows import ColumnValues, FeatureRows, Hashes, Index, Labels, Mask

MOST_ROWS = 5_000
MOST_CELLS = 500_000
"""Rows times columns that are looked at: 100 columns take some tenths of a second, and 10,000 a few seconds."""
FEWEST_ROWS = 40
FEWEST_DIFFERENT = 100
"""Different rows below which all rows are taken: a few categories make many equal rows, which prove much together."""
FEWEST_OTHERS = 10
"""Rows that are not of the largest class, or that lack a value: fewer may be told right by luck."""
TOLD = 0.98
"""Share of what is left to tell beyond the most frequent class: honest columns of well-known data reach 0.95."""
EXPLAINED = 0.99
"""Share of the variance of the target's ranks."""
LONGEST_SHOWN = 24
Codes = NDArray[np.intp]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Telltale:
    """A column that tells the target.

    Attributes
    ----------
    strength : float
        From 0 to 1.
    figure : str
        How well it does, in words.
    """

    column: str
    strength: float
    figure: str


def telltales(rows: FeatureRows, hashes: Hashes, labels: Labels, among: Index) -> list[Telltale]:
    """Return the columns that alone tell the target nearly always, the strongest first.

    Parameters
    ----------
    rows, hashes : FeatureRows, array of uint64
        The features, and the hash of each row: of equal rows one is looked at, or each would tell the other's target.
    labels : array of shape (rows,)
        Their targets: classes, or float64 of a regression.
    among : array of int
        Places of the rows that may be looked at.
    """
    most = min(MOST_ROWS, max(MOST_CELLS // len(rows.columns), FEWEST_ROWS))
    random = np.random.default_rng(0)
    among = among if len(among) <= most else np.sort(random.choice(among, most, replace=False))
    _, different = np.unique(hashes[among], return_index=True)
    if len(different) >= FEWEST_DIFFERENT:
        among = among[np.sort(different)]
    if len(among) < FEWEST_ROWS:
        return []
    rows, labels = rows[among], labels[among]
    second = random.permutation(len(among)) < len(among) // 2
    classes, codes = np.unique(labels, return_inverse=True)
    tell = _Numbers(_ranks(codes), second) if labels.dtype == np.float64 else _Classes(codes, second)
    found = []
    for column, values in zip(rows.columns, rows.values, strict=True):
        cells = _texts(values) if values.dtype == np.object_ else _numbers(values)
        told = tell(cells) or _by_gaps(cells.missing, codes, classes.tolist())
        if told is not None:
            found.append(Telltale(column.name, *told))
    return sorted(found, key=lambda one: -one.strength)


Told = tuple[float, str]


@dataclass(frozen=True, slots=True)
class _Cells:
    """A column as numbers, or as numbers that stand for texts; what is missing is one value of its own."""

    values: Floats
    missing: NDArray[np.bool_]
    ordered: bool

    def looked_up(self, shown: Mask, answers: Floats) -> Floats:
        """Return what goes with the value of each other row, of answers that are in the order of the shown values.

        A number that was not shown has the answer of the nearest; NaN is that of a text that was not shown.
        """
        known, asked = np.unique(self.values[shown]), self.values[~shown]
        right = np.searchsorted(known, asked).clip(0, len(known) - 1)
        if not self.ordered:
            return np.where(known[right] == asked, answers[right], np.nan)
        left = (right - 1).clip(0)
        with np.errstate(invalid="ignore"):  # what is missing is as far away from itself as from others
            nearest = np.where(asked - known[left] < known[right] - asked, left, right)
        return answers[np.where(known[right] == asked, right, nearest)]


def _numbers(values: ColumnValues) -> _Cells:
    numbers = values.astype(np.float64)
    missing = np.isnan(numbers)
    return _Cells(np.where(missing, np.inf, numbers), missing, ordered=True)


def _texts(values: ColumnValues) -> _Cells:
    known: dict[object, int] = {}
    codes = np.array([known.setdefault(text, len(known)) for text in values.tolist()], dtype=np.float64)
    return _Cells(codes, codes == known.get("", -1), ordered=False)


@dataclass(frozen=True, slots=True)
class _Classes:
    """Judges columns by the classes that they tell."""

    codes: Codes
    second: Mask

    def __call__(self, cells: _Cells) -> Told | None:
        rows, largest = len(self.codes), int(np.bincount(self.codes).max())
        others = rows - largest
        if others < FEWEST_OTHERS:
            return None
        right = 0
        for shown in (self.second, ~self.second):
            if shown.any() and not shown.all():
                answers = cells.looked_up(shown, _commonest(cells.values[shown], self.codes[shown]))
                right += int(np.count_nonzero(answers == self.codes[~shown]))
        strength = (right - largest) / others
        if strength < TOLD:
            return None
        return strength, f"{right / rows:.1%} of {rows:,} rows (commonest label: {largest / rows:.1%})"


def _commonest(values: Floats, codes: Codes) -> Floats:
    """Return the class that is most frequent with each of the different values, in their order."""
    _, places = np.unique(values, return_inverse=True)
    width = int(codes.max()) + 1
    pairs, counts = np.unique(places * width + codes, return_counts=True)
    pairs = pairs[np.lexsort((counts, pairs // width))]
    last = np.append(np.diff(pairs // width) > 0, np.True_)
    commonest: Floats = (pairs[last] % width).astype(np.float64)
    return commonest


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Judges columns by the ranks of the targets that they tell, or a few large ones would outweigh all others."""

    ranks: Floats
    second: Mask

    def __call__(self, cells: _Cells) -> Told | None:
        strength = max(self._by_order(cells), self._by_value(cells))
        if strength < EXPLAINED:
            return None
        return strength, f"R² {strength:.3f} of its ranks over {len(self.ranks):,} rows"

    def _by_order(self, cells: _Cells) -> float:
        """Return the square of Spearman's correlation: of a rising or falling function, with noise."""
        if not cells.ordered or cells.values.min() == cells.values.max():
            return 0.0
        _, places = np.unique(cells.values, return_inverse=True)
        return float(np.corrcoef(_ranks(places), self.ranks)[0, 1] ** 2)

    def _by_value(self, cells: _Cells) -> float:
        """Return the share of the variance that is explained by the mean of each value."""
        told = np.full(len(self.ranks), self.ranks.mean())
        for shown in (self.second, ~self.second):
            if shown.any() and not shown.all():
                _, places = np.unique(cells.values[shown], return_inverse=True)
                means = np.bincount(places, weights=self.ranks[shown]) / np.bincount(places)
                found = cells.looked_up(shown, means)
                told[~shown] = np.where(np.isnan(found), told[~shown], found)
        return 1 - float(np.square(self.ranks - told).mean() / self.ranks.var())


def _ranks(places: Codes) -> Floats:
    """Return the rank of each row by its place among the different values; equal ones share the mean of theirs."""
    counts = np.bincount(places)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def _by_gaps(missing: Mask, codes: Codes, targets: list[Scalar]) -> Told | None:
    """Tell whether a column lacks its value in the rows of one target, and in no others."""
    gaps = int(missing.sum())
    if gaps < FEWEST_OTHERS or gaps == len(missing):
        return None
    counts = np.bincount(codes[missing])
    target = int(counts.argmax())
    both = int(counts[target])
    of_target = int(np.count_nonzero(codes == target))
    strength = min(both / gaps, both / of_target)
    if strength < TOLD:
        return None
    name = label_text(targets[target])[:LONGEST_SHOWN]
    return strength, f"no value in {gaps:,} of {len(missing):,} rows, which are those of the target {name!r}"
