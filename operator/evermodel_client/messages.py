"""Bodies of requests and what their answers mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from evermodel.contract import Erased, FeedbackResponse, LabelResult, LabelStatus, PredictResponse, Scalar
from evermodel_client.errors import ClientError
from evermodel_client.rows import Array, Row, encode

ROWS_AT_ONCE = 1_000
"""Of one request; a server takes 10,000."""

Labels = Mapping[str, Scalar | Array] | Iterable[tuple[str, Scalar | Array]]
"""True labels, of Python or numpy, by the ids of their predictions."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The answer to one row."""

    id: str
    """What to send the true label for."""
    label: Scalar
    """The class, or a regressor's number."""
    version: int
    """Number of the model's version that answered."""
    probabilities: Mapping[Scalar, float] | None
    """By class; None where the model has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What became of labels, in the order in which they were sent."""

    results: tuple[LabelResult, ...]

    @property
    def recorded(self) -> int:
        """How many of the predictions have a label on the hub's disk, by this or by an earlier request."""
        return len(self.results) - len(self.refused)

    @property
    def refused(self) -> tuple[LabelResult, ...]:
        """Return those that count for nothing; their messages say why, and sent again they are refused again."""
        return tuple(
            result for result in self.results if result.status not in (LabelStatus.ACCEPTED, LabelStatus.DUPLICATE)
        )


@dataclass(frozen=True, slots=True)
class Request:
    """One of the requests that many rows are sent in."""

    body: bytes
    first: int
    """Place of its first row among all rows: the server counts those of each request from 0."""


def predict_requests(rows: Sequence[Row], ids: Sequence[str] | None) -> list[Request]:
    """Return the requests for some rows, and what the caller calls them."""
    if ids is None:
        return _requests({"instances": rows})
    if len(ids) != len(rows):
        raise ValueError(f"there are {len(ids):,} ids for {len(rows):,} rows: give one for each")
    return _requests({"instances": rows, "ids": ids})


def feedback_requests(labels: Labels) -> list[Request]:
    """Return the requests for some labels."""
    pairs = labels.items() if isinstance(labels, Mapping) else labels
    return _requests({"labels": [{"id": prediction, "label": label} for prediction, label in pairs]})


def _requests(fields: Mapping[str, Sequence[Any]]) -> list[Request]:
    """Cut lists of one length into those of several requests."""
    starts = range(0, max(map(len, fields.values())), ROWS_AT_ONCE)
    return [
        Request(encode({name: values[first : first + ROWS_AT_ONCE] for name, values in fields.items()}), first)
        for first in starts
    ]


def read_predictions(content: bytes) -> list[Prediction]:
    """Read the answer to one request for predictions."""
    answer = _decoded(content, PredictResponse)
    chances: Sequence[list[float] | None] = answer.probabilities or [None] * len(answer.predictions)
    return [
        Prediction(
            id=name,
            label=label,
            version=int(answer.model_version),
            probabilities=None if row is None else dict(zip(answer.classes or (), row, strict=True)),
        )
        for name, label, row in zip(answer.prediction_ids, answer.predictions, chances, strict=True)
    ]


def read_results(content: bytes) -> tuple[LabelResult, ...]:
    """Read the answer to one request with labels."""
    return _decoded(content, FeedbackResponse).results


def read_erased(content: bytes) -> int:
    """Read how many rows were erased."""
    return _decoded(content, Erased).rows


def _decoded(content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        raise ClientError(f"the answer is none of a served model ({error}): is the URL right?") from error
