"""How often a world at rest is taken for drift or bad data: ``python bench/drift.py [PAIRS]``.

Each pair of windows has thirty features of five kinds: normal numbers, counts, flags of 3 %, 40 categories of which the
first is the most frequent, and numbers of which a third is missing. It takes a minute for a hundred pairs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np

from evermodel.contract import Bins, DriftQuery, Reference
from evermodel_runtime.data.bins import bins_of_answers, count_numbers, count_texts, number_bins, text_bins
from evermodel_runtime.hub.bins import BinWindow
from evermodel_runtime.hub.drift import judge

FEATURES = 30
SIZES = ((100, 1000), (200, 1000), (400, 300), (5000, 1000))
"""Rows learnt from, and rows of each window."""
SHARES = 1 / np.arange(1, 41)
Draw = Callable[[np.random.Generator, int], Any]


def _sparse(chance: np.random.Generator, rows: int) -> Any:
    numbers = chance.exponential(size=rows)
    numbers[chance.random(rows) < 1 / 3] = np.nan
    return numbers


KINDS: Sequence[Draw] = (
    lambda chance, rows: chance.normal(size=rows),
    lambda chance, rows: chance.poisson(2, rows).astype(float),
    lambda chance, rows: (chance.random(rows) < 0.03).astype(float),
    lambda chance, rows: [f"c{place}" for place in chance.choice(40, rows, p=SHARES / SHARES.sum()).tolist()],
    _sparse,
)


def main() -> None:
    """Print a line for each size."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    chance, query = np.random.default_rng(1), DriftQuery()
    for learnt, rows in SIZES:
        drifts = problems = above = 0
        for _ in range(pairs):
            draws = list(islice(cycle(KINDS), FEATURES))
            reference = Reference(
                features=tuple(_bins(f"f{place}", draw(chance, learnt)) for place, draw in enumerate(draws)),
                prediction=bins_of_answers(chance.integers(0, 2, learnt), (0, 1)),
            )
            drift = judge(1, reference, [_window(reference, draws, chance, rows) for _ in range(2)], query)
            drifts += drift.drifted > 0
            problems += bool(drift.problems)
            above += any((column.psi or 0.0) >= query.threshold for column in drift.features)
        print(
            f"{learnt:,} rows learnt from, windows of {rows:,}: of {pairs:,} pairs {drifts} drift, {problems} have a "
            f"data problem; in {above} some PSI is {query.threshold:g} or more",
            flush=True,
        )


def _bins(name: str, values: Any) -> Bins:
    return text_bins(name, values) if isinstance(values, list) else number_bins(name, values.astype(np.float32))


def _window(reference: Reference, draws: Sequence[Draw], chance: np.random.Generator, rows: int) -> BinWindow:
    counted = [_counted(bins, draw(chance, rows)) for bins, draw in zip(reference.features, draws, strict=True)]
    answers = chance.integers(0, 2, rows).astype(str).tolist()
    counted.append(count_texts(reference.prediction, answers))
    return BinWindow(0.0, 1.0, rows, 0, np.concatenate(counted).tolist())


def _counted(bins: Bins, values: Any) -> Any:
    if isinstance(values, list):
        return count_texts(bins, values)
    return count_numbers(bins, values.astype(np.float32))


if __name__ == "__main__":
    main()
