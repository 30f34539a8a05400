"""What a model answers for the rows of one request, as arrays: of a thousand rows nobody may need a list."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from evermodel.contract import Scalar, label_text
from evermodel_runtime.data.rows import Labels
from evermodel_runtime.serve.binary import TYPES
from evermodel_runtime.serve.protocol import Datatype

MANY_ROWS = 64
"""Rows from which on numpy finds their classes quicker than a dictionary does."""


class UnknownClassError(Exception):
    """A model answered what is none of its classes; the text says what."""


class Classes:
    """The classes of a model, each known by its place among them."""

    def __init__(self, labels: Sequence[Scalar]) -> None:
        self.labels = tuple(labels)
        """As the training data has them."""
        self.texts = tuple(map(label_text, labels))
        """As prediction ids carry them."""
        self.datatype = _datatype(labels)
        self._elements = None if self.datatype is Datatype.BYTES else np.array(labels, TYPES[self.datatype])
        self._places = {label: place for place, label in enumerate(labels)}
        """By what a model may answer for them: 1 where the class is true."""
        self._places_by_text = {text: place for place, text in enumerate(self.texts)}
        self._integers = np.array(labels, np.int64) if self.datatype is Datatype.INT64 else np.empty(0, np.int64)
        self._in_order = np.argsort(self._integers)

    def places(self, answers: Labels) -> NDArray[np.intp]:
        """Return the places of what a model answered.

        Raises
        ------
        UnknownClassError
            Where an answer is none of the classes.
        """
        if len(self._integers) and len(answers) >= MANY_ROWS and answers.dtype == np.int64:
            nearest = np.searchsorted(self._integers, answers, sorter=self._in_order)
            found = self._in_order.take(nearest, mode="clip")
            if np.array_equal(self._integers.take(found), answers):
                return found
        each = answers.tolist()
        try:
            return np.fromiter(map(self._places.__getitem__, each), np.intp, len(each))
        except KeyError:
            return np.fromiter(map(self._spelled_otherwise, each), np.intp, len(each))

    def elements(self, places: NDArray[np.intp]) -> list[str] | NDArray[np.generic]:
        """Return the classes at these places as elements of a tensor."""
        if self._elements is None:
            return [self.texts[place] for place in places.tolist()]
        return self._elements.take(places)

    def _spelled_otherwise(self, answer: Scalar) -> int:
        """Return the place of an answer that a model gives as text, or as another kind of number."""
        place = self._places.get(answer, self._places_by_text.get(label_text(answer)))
        if place is None:
            raise UnknownClassError(f"the model answered {answer!r}, which is none of its classes")
        return place


class ClassPrediction(msgspec.Struct, frozen=True, gc=False):
    """A class for each row."""

    classes: Classes
    places: NDArray[np.intp]
    probabilities: NDArray[np.float32] | None
    """Shape (rows, classes), in the order of the manifest's classes."""

    @property
    def rows(self) -> int:
        """How many rows were answered."""
        return len(self.places)

    @property
    def labels(self) -> list[Scalar]:
        """As the training data has them."""
        labels = self.classes.labels
        return [labels[place] for place in self.places.tolist()]

    @property
    def signed(self) -> list[str]:
        """What prediction ids carry: the classes as ``label_text`` spells them."""
        texts = self.classes.texts
        return [texts[place] for place in self.places.tolist()]

    @property
    def elements(self) -> list[str] | NDArray[np.generic]:
        """The classes as elements of a tensor."""
        return self.classes.elements(self.places)

    def distinct(self) -> tuple[list[str], NDArray[np.intp]]:
        """Return the different answers as ids carry them, and which of them each row has."""
        present = np.flatnonzero(np.bincount(self.places))
        kinds = np.empty(present[-1] + 1, np.intp)
        kinds[present] = np.arange(len(present))
        return [self.classes.texts[place] for place in present.tolist()], kinds.take(self.places)

    def between(self, start: int, stop: int) -> ClassPrediction:
        """Return the answers for a stretch of the rows."""
        probabilities = None if self.probabilities is None else self.probabilities[start:stop]
        return ClassPrediction(self.classes, self.places[start:stop], probabilities)


class NumberPrediction(msgspec.Struct, frozen=True, gc=False):
    """A number for each row."""

    elements: NDArray[np.float64]
    probabilities: None = None

    @property
    def rows(self) -> int:
        """How many rows were answered."""
        return len(self.elements)

    @property
    def labels(self) -> list[Scalar]:
        """The numbers."""
        numbers: list[Scalar] = self.elements.tolist()
        return numbers

    @property
    def signed(self) -> list[float]:
        """What prediction ids carry: the numbers."""
        numbers: list[float] = self.elements.tolist()
        return numbers

    def distinct(self) -> tuple[list[float], NDArray[np.intp]]:
        """Return the different answers, and which of them each row has."""
        numbers = self.signed
        kinds = {number: kind for kind, number in enumerate(dict.fromkeys(numbers))}
        return list(kinds), np.fromiter(map(kinds.__getitem__, numbers), np.intp, len(numbers))

    def between(self, start: int, stop: int) -> NumberPrediction:
        """Return the answers for a stretch of the rows."""
        return NumberPrediction(self.elements[start:stop])


Prediction = ClassPrediction | NumberPrediction


def _datatype(classes: Sequence[Scalar]) -> Datatype:
    kinds = {type(label) for label in classes}
    if kinds == {bool}:
        return Datatype.BOOL
    if kinds == {int}:
        return Datatype.INT64
    return Datatype.FP64 if kinds and kinds <= {int, float} else Datatype.BYTES
