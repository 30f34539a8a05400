"""How values are spread: where the model learnt, as pods count them, and what the hub makes of both."""

from __future__ import annotations

from enum import StrEnum

from evermodel.contract.artifacts import ColumnKind
from evermodel.contract.message import Message


class Bins(Message, frozen=True, kw_only=True):
    """The bins of one column, and how many rows each of them had where the model learnt.

    A number falls into the first bin whose edge is not below it, else into the last; a text into its category, else
    into the last bin. Dates have one bin: time goes on, which is no drift.
    """

    name: str
    kind: ColumnKind
    counts: tuple[int, ...]
    missing: int = 0
    edges: tuple[float, ...] = ()
    """Of numbers, ascending: one fewer than bins."""
    lowest: float | None = None
    highest: float | None = None
    """Bounds of the numbers that were learnt from."""
    categories: tuple[str, ...] = ()
    """Texts with a bin of their own."""
    rare: tuple[str, ...] = ()
    """Other texts that were learnt from: they share the last bin."""
    complete: bool = False
    """Whether no other texts were learnt from than these."""
    strange: float = 0.0
    """Share of values outside of what was learnt from that comes with a world at rest: nothing learnt from is all."""

    @property
    def present(self) -> int:
        """Rows that had a value."""
        return sum(self.counts)


class Reference(Message, frozen=True, kw_only=True):
    """What Manifest.bins names: features as in the rows learnt from, and the model's answers to held-out rows."""

    features: tuple[Bins, ...]
    prediction: Bins

    @property
    def columns(self) -> tuple[Bins, ...]:
        """All bins in the order in which they are counted."""
        return (*self.features, self.prediction)

    @property
    def width(self) -> int:
        """How many numbers a count has: for each column its bins, what is missing, and what training never had."""
        return sum(len(bins.counts) + BESIDE for bins in self.columns)


BESIDE = 2
"""Numbers that follow those of a column's bins: values missing, and values outside of what training had."""


STILL = 0.8
"""Share of a limit below which what was beyond it must fall before it is over: what hovers about it is told once."""


class BinCounts(Message, frozen=True, kw_only=True):
    """What a pod has counted since its start; of many rows, a sample."""

    reference: str
    """sha256 of the Reference whose bins these are."""
    requests: int
    """Inference requests answered …"""
    refused: int
    """… and those refused, since they were not what the model takes."""
    counts: tuple[int, ...]


class DriftQuery(Message, frozen=True, kw_only=True):
    """What counts as drift: a PSI of this in two consecutive windows, each of so many seconds and rows at least."""

    threshold: float = 0.2
    window: float = 86_400.0
    min_samples: int = 1000


class Histogram(Message, frozen=True, kw_only=True):
    """Shares of the rows that have a value."""

    bins: tuple[str, ...]
    reference: tuple[float, ...]
    window: tuple[float, ...]


class ColumnDrift(Message, frozen=True, kw_only=True):
    """How one column differs from where the model learnt."""

    name: str
    psi: float | None
    """Of the newest window; None without two bins and rows that have a value."""
    psi_before: float | None
    """Of the window before it."""
    by_chance: float | None
    """What chance alone may make of a PSI with so few rows: no drift is seen below."""
    drifted: bool
    missing: float
    missing_reference: float
    outside: float
    """Share of values below the lowest or above the highest, or of categories that training never had."""
    histogram: Histogram | None = None


class DataProblemKind(StrEnum):
    """In what the data that come are not those that the model was made for."""

    MISSING = "Missing"
    OUTSIDE = "Outside"
    REFUSED = "Refused"


class DataProblem(Message, frozen=True, kw_only=True):
    """A share that is far above what it was where the model learnt."""

    kind: DataProblemKind
    column: str = ""
    """None of requests that were refused."""
    share: float
    usual: float


class Drift(Message, frozen=True, kw_only=True):
    """How what comes in differs from what a version learnt from, over its newest window."""

    version: int
    as_of: float
    """End of the window …"""
    since: float
    """… and its start."""
    rows: int
    """Rows that were counted in it."""
    judged: bool
    """Whether there are two windows with minSamples each."""
    drifted: int
    """Columns with drift, the prediction among them."""
    features: tuple[ColumnDrift, ...]
    """By PSI, the largest first."""
    prediction: ColumnDrift
    problems: tuple[DataProblem, ...] = ()
    lingering: tuple[DataProblem, ...] = ()
    """Shares of at least STILL of what makes a problem: one that was told goes on, none begins."""
