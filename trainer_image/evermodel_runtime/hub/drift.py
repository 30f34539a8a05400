"""How far what comes in has moved from what a version learnt from."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from evermodel.contract import (
    BESIDE,
    STILL,
    Bins,
    ColumnDrift,
    ColumnKind,
    DataProblem,
    DataProblemKind,
    Drift,
    DriftQuery,
    Histogram,
    Reference,
)
from evermodel_runtime.hub.bins import BinWindow, read_windows
from evermodel_runtime.quality.psi import jump, psi, psi_by_chance

MOST_PROBLEMS = 5
SMALLEST_REFUSED = 100
"""Requests below which the share of refused ones says nothing."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One column in one window."""

    bins: Bins
    counts: Sequence[int]
    missing: int
    outside: int

    @property
    def present(self) -> int:
        """Rows that had a value."""
        return sum(self.counts)

    @property
    def missing_share(self) -> float:
        """Share of the rows without one."""
        return self.missing / max(1, self.present + self.missing)

    @property
    def outside_share(self) -> float:
        """Share of the values that training never had."""
        return self.outside / max(1, self.present)


def read_drift(
    connection: sqlite3.Connection, of: tuple[int, int, str], reference: Reference, query: DriftQuery
) -> Drift | None:
    """Compare the newest windows with what the version learnt from; None before the first window is full.

    Parameters
    ----------
    of : tuple
        Number of the model, version, and digest of the reference.
    """
    first = reference.columns[0]
    windows = read_windows(
        connection, of, first_column=len(first.counts) + 1, seconds=query.window, rows=query.min_samples
    )
    return judge(of[1], reference, windows, query) if windows else None


def judge(version: int, reference: Reference, windows: Sequence[BinWindow], query: DriftQuery) -> Drift:
    """Compare windows, the newest first, with what the version learnt from."""
    newest = windows[0]
    now = _columns(reference, newest)
    before: Sequence[Counted | None] = [None] * len(now)
    if len(windows) > 1:
        before = _columns(reference, windows[1])
    compared = [_compare(one, other, query, len(now)) for one, other in zip(now, before, strict=True)]
    *features, prediction = compared
    found = _problems(now[:-1], newest)
    problems = tuple(one for one, far in found if far >= 1)[:MOST_PROBLEMS]
    return Drift(
        version=version,
        as_of=newest.until,
        since=newest.since,
        rows=now[0].present + now[0].missing,
        judged=len(windows) > 1,
        drifted=sum(column.drifted for column in compared),
        features=tuple(sorted(features, key=lambda column: (not column.drifted, -(column.psi or 0.0)))),
        prediction=prediction,
        problems=problems,
        lingering=tuple(one for one, _ in found[: 2 * MOST_PROBLEMS] if one not in problems),
    )


def _columns(reference: Reference, window: BinWindow) -> list[Counted]:
    parts, at = [], 0
    for bins in reference.columns:
        stop = at + len(bins.counts)
        parts.append(Counted(bins, window.counts[at:stop], *window.counts[stop : stop + BESIDE]))
        at = stop + BESIDE
    return parts


def _compare(now: Counted, before: Counted | None, query: DriftQuery, columns: int) -> ColumnDrift:
    bins = now.bins
    value = psi(bins.counts, now.counts)
    earlier = None if before is None else psi(bins.counts, before.counts)
    chance, drifted = None, False
    if value is not None:
        rows = now.present if before is None else min(now.present, before.present)
        chance = psi_by_chance(len(bins.counts), bins.present, max(1, rows), columns=columns)
        drifted = earlier is not None and min(value, earlier) >= max(query.threshold, chance)
    return ColumnDrift(
        name=bins.name,
        psi=value,
        psi_before=earlier,
        by_chance=chance,
        drifted=drifted,
        missing=now.missing_share,
        missing_reference=bins.missing / max(1, bins.present + bins.missing),
        outside=now.outside_share,
        histogram=_histogram(now),
    )


def _histogram(now: Counted) -> Histogram:
    learnt, come = max(1, now.bins.present), max(1, now.present)
    return Histogram(
        bins=_names(now.bins),
        reference=tuple(count / learnt for count in now.bins.counts),
        window=tuple(count / come for count in now.counts),
    )


def _names(bins: Bins) -> tuple[str, ...]:
    """Name bins for people: intervals of numbers, categories, and what is left."""
    if bins.kind is not ColumnKind.NUMBER:
        return (*bins.categories, "others")
    if not bins.edges:
        return ("all",)
    between = (f"{low:.6g} to {high:.6g}" for low, high in pairwise(bins.edges))
    return (f"≤ {bins.edges[0]:.6g}", *between, f"> {bins.edges[-1]:.6g}")


def _problems(features: Sequence[Counted], window: BinWindow) -> list[tuple[DataProblem, float]]:
    """Return in what the data that come are not those that the model was made for, the largest share first.

    Each comes with how far it goes: from 1 on it is a problem, from STILL on one that was told goes on.
    """
    compared = [one for counted in features for one in _of_column(counted)]
    asked = window.requests + window.refused
    if asked >= SMALLEST_REFUSED:
        refused = window.refused / asked
        compared.append((DataProblem(kind=DataProblemKind.REFUSED, share=refused, usual=0.0), asked, asked))
    far = [(one, jump(one.usual, learnt, one.share, come)) for one, learnt, come in compared]
    return sorted((each for each in far if each[1] >= STILL), key=lambda each: (-each[0].share, each[0].column))


def _of_column(now: Counted) -> tuple[tuple[DataProblem, int, int], ...]:
    """Return what may be wrong with a column, each with the rows that its usual share and its share are of."""
    bins, missing = now.bins, DataProblemKind.MISSING
    learnt, come = bins.present + bins.missing, now.present + now.missing
    usual = bins.missing / max(1, learnt)
    return (
        (DataProblem(kind=missing, column=bins.name, share=now.missing_share, usual=usual), learnt, come),
        (
            DataProblem(kind=DataProblemKind.OUTSIDE, column=bins.name, share=now.outside_share, usual=bins.strange),
            bins.present,
            now.present,
        ),
    )
