"""Groups of rows told apart by a column, each measured on its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np

from evermodel.contract import ColumnKind, Measure, Slice, SliceScore
from evermodel_runtime.data.columns import as_numbers, survey, texts_of
from evermodel_runtime.data.rows import ColumnValues, FeatureRows, Mask
from evermodel_runtime.data.table import Table
from evermodel_runtime.evaluate.answers import Answers

MISSING = "missing"
OTHERS = "other values"
MOST_FREQUENT = 10

Columns = Mapping[str, ColumnValues]
"""Columns that slices tell rows apart by, those that are known of the rows."""


def slice_columns(slices: tuple[Slice, ...], features: FeatureRows, file: Table | None = None) -> Columns:
    """Return the columns of slices: features as the model takes them, others as the file has them."""
    known = {column.name: values for column, values in zip(features.columns, features.values, strict=True)}
    found = {one.column: known[one.column] for one in slices if one.column in known}
    if file is not None:
        for one in slices:
            if one.column in file.columns and one.column not in found:
                found[one.column] = _as_it_stands(file, one.column)
    return found


def score_slices(
    slices: tuple[Slice, ...], columns: Columns, measure: Measure, ours: Answers, theirs: Answers | None
) -> tuple[SliceScore, ...]:
    """Measure each group in which the metric has a value."""
    scores = []
    for one in slices:
        if one.column not in columns:
            continue
        for group, chosen in groups(one, columns[one.column]):
            answers = ours.only(chosen)
            value = answers.value(measure)
            if value is None:
                continue
            lower, upper = answers.interval(measure) or (None, None)
            scores.append(
                SliceScore(
                    column=one.column,
                    group=group,
                    rows=len(answers),
                    candidate=value,
                    lower=lower,
                    upper=upper,
                    champion=None if theirs is None else theirs.only(chosen).value(measure),
                )
            )
    return tuple(scores)


def groups(declared: Slice, values: ColumnValues) -> Iterator[tuple[str, Mask]]:
    """Yield the name and the rows of each group that has rows."""
    names = _by_value(declared, values) if values.dtype == np.object_ else _by_range(declared, values)
    for name, chosen in names:
        if chosen.any():
            yield name, chosen


def _by_value(declared: Slice, values: ColumnValues) -> Iterator[tuple[str, Mask]]:
    empty: Mask = values == ""
    counted = Counter(values[~empty].tolist())
    wanted = declared.values or tuple(str(name) for name, _ in counted.most_common(MOST_FREQUENT))
    for name in wanted:
        yield name, values == name
    yield OTHERS, ~np.isin(values, np.array(wanted, dtype=np.object_)) & ~empty
    yield MISSING, empty


def _by_range(declared: Slice, values: ColumnValues) -> Iterator[tuple[str, Mask]]:
    numbers = values.astype(np.float64)
    missing = np.isnan(numbers)
    distinct = np.unique(numbers[~missing])
    if len(distinct) <= declared.bins:
        for number in distinct.tolist():
            yield f"{number:g}", numbers == number
    else:
        edges = np.unique(np.quantile(numbers[~missing], np.linspace(0, 1, declared.bins + 1)[1:-1]))
        place = np.searchsorted(edges, numbers)  # a value that equals an edge belongs below it
        shown = [f"{edge:.4g}" for edge in edges.tolist()]
        names = [f"at most {shown[0]}", *(f"{a} to {b}" for a, b in pairwise(shown))]
        for index, name in enumerate((*names, f"above {shown[-1]}")):
            yield name, (place == index) & ~missing
    yield MISSING, missing


def _as_it_stands(file: Table, name: str) -> ColumnValues:
    found = survey(file, name)
    return (
        as_numbers(file, name, found)
        if found.kind is ColumnKind.NUMBER and not len(found.texts)
        else texts_of(file, name)
    )
