"""What a serving pod is told, and what it and its callers tell the hub."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from evermodel.contract.drift import BinCounts
from evermodel.contract.message import Message, Scalar


class CallerIds(StrEnum):
    """Whether callers may send labels by ids of their own."""

    IGNORE = "Ignore"
    ACCEPT = "Accept"


LONGEST_CALLER_ID = 256
"""Characters."""


class CaptureRules(Message, frozen=True, kw_only=True):
    """What a pod captures of its requests, and how long the hub keeps it."""

    sample: float = 1.0
    """Share of the rows."""
    drop: tuple[str, ...] = ()
    """Columns whose values are left out."""
    hash: tuple[str, ...] = ()
    """Columns whose values are replaced by a keyed hash."""
    max_age: float | None = None
    """Seconds after its prediction for which a row is kept; None: as long as there is room."""
    max_records: int | None = None
    """Rows kept; None: as many as the hub keeps of any model."""
    caller_ids: CallerIds | UnsetType = UNSET
    """Left out by images that know no such ids: beside them, what other pods of the model say holds."""

    @property
    def withheld(self) -> tuple[str, ...]:
        """Columns whose values the hub does not have."""
        return (*self.drop, *self.hash)


class ServeConfig(Message, frozen=True, kw_only=True):
    """Everything a serving pod needs to know."""

    namespace: str
    model: str
    version: int
    hub_url: str
    manifest: str
    capture: bool = False
    """Capture whole rows: what an image knows that is older than the rules, which must not send what they withhold."""
    capture_rules: CaptureRules | UnsetType = UNSET
    """Left out where there are none, so that pods of a spec without them stay as they are."""
    grpc_port: int | UnsetType = UNSET
    """Where gRPC answers. Not written where there is none, so that pods of earlier releases are not replaced."""

    @property
    def captured(self) -> CaptureRules | None:
        """What is captured; None: nothing."""
        if self.capture_rules is not UNSET:
            return self.capture_rules
        return CaptureRules(caller_ids=CallerIds.IGNORE) if self.capture else None


class PredictRequest(Struct, frozen=True):
    """Body of POST /v1/models/{model}:predict: each instance a list in column order, or an object by column name.

    This and its answer are spelled as TensorFlow Serving and KServe spell them.
    """

    instances: list[list[Any] | dict[str, Any]]
    ids: list[str] | None = None
    """The caller's own, one for each instance, to send labels for; where they are accepted."""


class PredictResponse(Struct, frozen=True, omit_defaults=True):
    """Answer to a PredictRequest; predictions, ids and probabilities have one element for each instance."""

    predictions: list[Scalar]
    prediction_ids: Sequence[str]
    """The ids to send labels for."""
    model_name: str
    model_version: str
    probabilities: list[list[float]] | None = None
    """In the order of ``classes``; both are left out where the model has none."""
    classes: list[Scalar] | None = None


class FeedbackRow(Message, frozen=True, kw_only=True):
    """The true label of one earlier prediction."""

    id: str
    label: Scalar


class FeedbackRequest(Message, frozen=True, kw_only=True):
    """Body of POST /v2/models/{model}/feedback at the model's URL, and of /v1/models/{model}/feedback at the hub."""

    labels: Annotated[tuple[FeedbackRow, ...], Meta(max_length=10_000)]


class LabelStatus(StrEnum):
    """What became of one label."""

    ACCEPTED = "Accepted"
    DUPLICATE = "Duplicate"
    FORGED = "Forged"
    FOREIGN = "Foreign"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    UNKNOWN = "Unknown"
    AMBIGUOUS = "Ambiguous"


class LabelResult(Message, frozen=True, kw_only=True):
    """Answer to one FeedbackRow, in the order of the request."""

    id: str
    status: LabelStatus
    message: str = ""


class FeedbackResponse(Message, frozen=True, kw_only=True):
    """Answer to a FeedbackRequest. Sent only when every accepted label is on disk."""

    results: tuple[LabelResult, ...]
    accepted: int


class Capture(Message, frozen=True, kw_only=True, omit_defaults=True):
    """The raw features of one prediction, in the order of the manifest's columns: by these they are read later.

    Values of columns that the rules drop are null, and text where they hash.
    """

    id: str
    row: tuple[Scalar | None, ...]
    caller: str | None = None
    """What the caller called the row, where labels by such ids are accepted."""


class Heartbeat(Message, frozen=True, kw_only=True):
    """What a serving pod tells the hub every second or two. Counts are totals since the pod's start."""

    pod: str
    version: int
    predictions: int
    errors: int = 0
    captures: tuple[Capture, ...] = ()
    rules: CaptureRules | None = None
    """Those by which the pod captures."""
    bins: BinCounts | None = None
    """Told every few heartbeats."""


class Erasure(Message, frozen=True, kw_only=True):
    """Body of POST /v1/models/{model}/erasures: the row to be erased, by the id of its prediction."""

    id: str


class Erased(Message, frozen=True, kw_only=True):
    """Answer to DELETE /v2/models/{model}/records/{id}: the row is on no disk, and will not be."""

    rows: int
    """How many there were: none where the row was not captured, has not come yet, or went before."""


class HeartbeatReply(Message, frozen=True, kw_only=True):
    """The hub has it on disk."""

    stored: int
