"""Labelled streams whose world changes at known rows, made from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from evermodel_runtime.data.table import TEXT, Table

ROWS = 12_000
NOISE = 0.1
"""Share of the labels that are another class's, where a stream is noisy."""
TARGET = "label"
BETWEEN_CONCEPTS = 2_000
"""Rows over which a gradual change replaces one concept by the next."""

Numbers = NDArray[np.float64]
Classes = NDArray[np.int64]


class Change(StrEnum):
    """How the world changes."""

    ABRUPT = "abrupt"
    GRADUAL = "gradual"
    RECURRING = "recurring"
    NONE = "none"


class Family(StrEnum):
    """What decides about the class."""

    HYPERPLANE = "hyperplane"
    SEA = "sea"
    BLOBS = "blobs"


@dataclass(frozen=True, slots=True)
class Concept:
    """One state of the world: rows that it sends, and their classes."""

    draw: Callable[[np.random.Generator, int], tuple[Numbers, Classes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a generated stream is made from."""

    family: Family
    change: Change
    noise: float = 0.0
    seed: int = 0
    rows: int = ROWS

    @property
    def name(self) -> str:
        """The kind of change, and whether labels are wrong at times."""
        return f"{self.change}-{'noisy' if self.noise else 'clean'}"


BUILT_IN = tuple(
    Recipe(family=family, change=change, noise=noise)
    for change, family in (
        (Change.ABRUPT, Family.BLOBS),
        (Change.GRADUAL, Family.HYPERPLANE),
        (Change.RECURRING, Family.BLOBS),
        (Change.NONE, Family.SEA),
    )
    for noise in (0.0, NOISE)
)


def generate(recipe: Recipe) -> Table:
    """Draw a stream; equal recipes give equal streams."""
    random = np.random.default_rng([recipe.seed, *recipe.family.encode()])
    concepts = [_CONCEPTS[recipe.family](random) for _ in range(4)]
    active = which_concept(recipe.change, recipe.rows, random)
    drawn = [concept.draw(random, recipe.rows) for concept in concepts]
    features = np.choose(active[:, None], [rows for rows, _ in drawn])
    labels = np.choose(active, [classes for _, classes in drawn])
    wrong = random.random(recipe.rows) < recipe.noise
    classes = int(labels.max()) + 1
    labels = np.where(wrong, (labels + random.integers(1, classes, recipe.rows)) % classes, labels)
    columns = {f"x{place}": pa.chunked_array([column]) for place, column in enumerate(features.T.round(4))}
    columns[TARGET] = pa.chunked_array([pa.array([str(label) for label in labels.tolist()], TEXT)])
    return Table(recipe.name, tuple(columns), columns, None)


def which_concept(change: Change, rows: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Return the concept that each row comes from."""
    place = np.arange(rows)
    starts = np.array([0.3, 0.55, 0.8]) * rows
    match change:
        case Change.NONE:
            return np.zeros(rows, dtype=np.intp)
        case Change.ABRUPT:
            return np.searchsorted(starts, place, side="right").astype(np.intp)
        case Change.RECURRING:
            return np.searchsorted(starts, place, side="right").astype(np.intp) % 2
        case Change.GRADUAL:
            progress = (place[:, None] - starts) / BETWEEN_CONCEPTS
            arrived: NDArray[np.intp] = (random.random((rows, 1)) < progress).sum(axis=1)
            return arrived


def _hyperplane(random: np.random.Generator) -> Concept:
    """Ten features; the class is the side of a plane through the middle."""
    weights = random.normal(size=10)

    def draw(random: np.random.Generator, rows: int) -> tuple[Numbers, Classes]:
        features = random.random((rows, 10))
        return features, ((features - 0.5) @ weights > 0).astype(np.int64)

    return Concept(draw)


def _sea(random: np.random.Generator) -> Concept:
    """Three features, of which a weighted sum of two is compared with a limit."""
    first = random.uniform(0.2, 1.8)
    limit = random.uniform(7.0, 13.0)

    def draw(random: np.random.Generator, rows: int) -> tuple[Numbers, Classes]:
        features = random.random((rows, 3)) * 10
        return features, (first * features[:, 0] + (2 - first) * features[:, 1] <= limit).astype(np.int64)

    return Concept(draw)


def _blobs(random: np.random.Generator) -> Concept:
    """Four classes, each a cloud around two centres in five dimensions, which move."""
    centres = random.normal(scale=1.6, size=(4, 2, 5))

    def draw(random: np.random.Generator, rows: int) -> tuple[Numbers, Classes]:
        classes, side = random.integers(0, 4, rows), random.integers(0, 2, rows)
        return centres[classes, side] + random.normal(size=(rows, 5)), classes

    return Concept(draw)


_CONCEPTS: dict[Family, Callable[[np.random.Generator], Concept]] = {
    Family.HYPERPLANE: _hyperplane,
    Family.SEA: _sea,
    Family.BLOBS: _blobs,
}
