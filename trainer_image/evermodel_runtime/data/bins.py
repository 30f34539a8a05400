"""Bins of a column, made from the rows that a model learns from, and counts of other rows over the same bins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from evermodel.contract import Bins, ColumnKind, Reference, Scalar, label_text
from evermodel_runtime.data.rows import FeatureRows

QUANTILES = 10
"""Bins of numbers, each with as many rows of those learnt from as values that repeat allow."""
MOST_CATEGORIES = 20
LEAST_SHARE = 0.01
LEAST_ROWS = 10
"""Share and number of the rows that give a category a bin of its own: those of fewer move by chance."""
MOST_KNOWN = 200
"""Categories of a column that are remembered, so that others are known to be new."""
LONGEST_NAME = 64
"""Characters of a category that is remembered."""
PREDICTION = "prediction"
Counts = NDArray[np.int64]


def bins_of_rows(rows: FeatureRows) -> tuple[Bins, ...]:
    """Return the bins of all features."""
    return tuple(
        number_bins(column.name, values)
        if column.kind is ColumnKind.NUMBER
        else text_bins(column.name, values.tolist(), column.kind)
        for column, values in zip(rows.columns, rows.values, strict=True)
    )


def bins_of_answers(answers: NDArray[Any], classes: Iterable[Scalar]) -> Bins:
    """Return the bins of a model's answers: its classes, or of numbers quantiles."""
    names = [label_text(label) for label in classes]
    if not names:
        return number_bins(PREDICTION, answers.astype(np.float32))
    blank = Bins(
        name=PREDICTION,
        kind=ColumnKind.TEXT,
        counts=(),
        categories=tuple(names[:MOST_CATEGORIES]),
        rare=tuple(names[MOST_CATEGORIES:]),
        complete=True,
    )
    return _filled(blank, count_texts(blank, [label_text(answer) for answer in answers.tolist()]))


def number_bins(name: str, values: NDArray[Any]) -> Bins:
    """Return bins of numbers with as equal counts as can be; edges are values, so that equal numbers stay together."""
    ordered = np.sort(values[~np.isnan(values)])  # takes a tenth of the time of looking for quantiles and bins
    finite = ordered[np.isfinite(ordered)]
    if not len(finite):
        return Bins(name=name, kind=ColumnKind.NUMBER, counts=(0,), missing=len(values))
    edges = np.unique(_quantiles(finite))
    edges = edges[edges < finite[-1]]
    ends = np.searchsorted(ordered, edges, side="right")
    return Bins(
        name=name,
        kind=ColumnKind.NUMBER,
        counts=tuple(np.diff(ends, prepend=0, append=len(ordered)).tolist()),
        missing=len(values) - len(ordered),
        edges=tuple(edges.tolist()),
        lowest=float(finite[0]),
        highest=float(finite[-1]),
        strange=2 / (len(finite) + 1),  # the next number is as likely to be the first or last in order as any other
    )


def _quantiles(ordered: NDArray[Any]) -> NDArray[Any]:
    """Return the first values that at least a tenth, two tenths, … of the rows do not exceed."""
    shares = np.arange(1, QUANTILES) / QUANTILES
    chosen: NDArray[Any] = ordered[np.ceil(len(ordered) * shares - 1).astype(np.intp).clip(0)]
    return chosen


def text_bins(name: str, texts: Sequence[str], kind: ColumnKind = ColumnKind.TEXT) -> Bins:
    """Return bins of the frequent categories, and one of all others; of dates, one for all."""
    if kind is ColumnKind.DATE:
        blank = Bins(name=name, kind=kind, counts=())
        return _filled(blank, count_texts(blank, texts))
    found = Counter(texts)
    missing = found.pop("", 0)
    by_frequency = sorted(found, key=lambda text: (-found[text], text))
    least = max(LEAST_SHARE * found.total(), LEAST_ROWS)
    frequent = [text for text in by_frequency[:MOST_CATEGORIES] if found[text] >= least and len(text) <= LONGEST_NAME]
    known = set(frequent)
    rare = [text for text in by_frequency if text not in known]
    complete = len(by_frequency) <= MOST_KNOWN and all(len(text) <= LONGEST_NAME for text in by_frequency)
    blank = Bins(
        name=name,
        kind=kind,
        counts=(),
        categories=tuple(frequent),
        rare=tuple(rare) if complete else (),
        complete=complete,
        strange=_unseen(found),
    )
    return _filled(blank, _counted(blank, found, missing))


def _unseen(found: Counter[str]) -> float:
    """Return the share of rows to come whose category is new, by that of categories seen once (Good and Turing)."""
    return sum(rows == 1 for rows in found.values()) / max(1, found.total())


def _filled(blank: Bins, counted: Counts) -> Bins:
    """Count the rows that were learnt from as those that come later are."""
    *counts, missing, _ = counted.tolist()
    return msgspec.structs.replace(blank, counts=tuple(counts), missing=missing)


def count_numbers(bins: Bins, values: NDArray[Any]) -> Counts:
    """Count numbers by bin, then those missing, then those out of the range that was learnt from."""
    present = values[~np.isnan(values)]
    edges = np.array(bins.edges, dtype=np.float64)
    cells = np.bincount(np.searchsorted(edges, present, side="left"), minlength=len(edges) + 1)
    outside = 0
    if bins.lowest is not None and bins.highest is not None:
        outside = int(np.count_nonzero((present < bins.lowest) | (present > bins.highest)))
    return np.concatenate((cells, (len(values) - len(present), outside)))


def count_texts(bins: Bins, texts: Iterable[str]) -> Counts:
    """Count texts by category, then the missing ones, then those that nothing was learnt from."""
    found = Counter(texts)
    missing = found.pop("", 0)
    return _counted(bins, found, missing)


def _counted(bins: Bins, found: Counter[str], missing: int) -> Counts:
    present = found.total()
    frequent = [found[name] for name in bins.categories]
    known = sum(frequent) + sum(found[name] for name in bins.rare)
    outside = present - known if bins.complete else 0
    return np.array((*frequent, present - sum(frequent), missing, outside), dtype=np.int64)


def count(reference: Reference, numbers: NDArray[Any], texts: Sequence[Sequence[str]], predicted: Any) -> Counts:
    """Count rows over all bins of a reference, in its order.

    Parameters
    ----------
    numbers : array of shape (rows, number columns)
    texts : sequence
        One sequence of rows for each column that is no number.
    predicted : sequence
        The answers: numbers, or classes as ``label_text`` spells them.
    """
    each_number, each_text = iter(numbers.T), iter(texts)
    counted = [
        count_numbers(bins, next(each_number)) if bins.kind is ColumnKind.NUMBER else count_texts(bins, next(each_text))
        for bins in reference.features
    ]
    answers = reference.prediction
    if answers.kind is ColumnKind.NUMBER:
        counted.append(count_numbers(answers, np.array(predicted, dtype=np.float32)))
    else:
        counted.append(count_texts(answers, predicted))
    return np.concatenate(counted)
