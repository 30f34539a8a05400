"""What the hub tells Jobs and the operator."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from evermodel.contract.artifacts import Column
from evermodel.contract.drift import Drift, DriftQuery
from evermodel.contract.measures import Measure
from evermodel.contract.message import Message, Scalar


class LabelledRecord(Message, frozen=True, kw_only=True):
    """One captured prediction whose label has come."""

    seq: int
    version: int
    """The version that answered."""
    predicted_at: float
    row: tuple[Scalar | None, ...]
    """Values in the order of the columns that this version takes."""
    label: str
    """As ``label_text`` spells it."""


class LabelledRecords(Message, frozen=True, kw_only=True):
    """Answer to GET /v1/models/{model}/records, in ledger order; ``through`` is the last number looked at."""

    records: tuple[LabelledRecord, ...]
    columns: dict[int, tuple[Column, ...]]
    """What each version of these records takes, as its manifest says; versions of which none is known are not here."""
    targets: dict[int, str] = {}
    """What labels of a version's records are of, where its manifest says it."""
    through: int
    more: bool


class CapturedRow(Message, frozen=True, kw_only=True):
    """One captured prediction, for people."""

    n: int
    """Its number at the hub, in the order in which they came."""
    version: int | None
    """The version that answered; None of rows that a hub of an earlier release wrote."""
    predicted_at: float
    row: tuple[Scalar | None, ...]
    """Values in the order of the columns that this version takes."""
    withheld: tuple[str, ...] = ()
    """Columns whose values the pod kept to itself: null, or a hash."""
    label: str | None = None


class CapturedRows(Message, frozen=True, kw_only=True):
    """Answer to GET /v1/models/{model}/captures, in the order in which they came."""

    captures: tuple[CapturedRow, ...]
    columns: dict[int, tuple[Column, ...]]
    """What each version of these rows takes, as far as the hub knows."""
    through: int
    """The last number on this page."""
    more: bool


class RunProgress(Message, frozen=True, kw_only=True):
    """What a Job is doing right now, for people: the hub keeps the newest word only, and in memory."""

    message: Annotated[str, Meta(max_length=200)]


class HeldoutUse(Message, frozen=True, kw_only=True):
    """One use of held-out rows to decide, told to the hub before the decision; asked again, it answers the same."""

    set: Literal["reference", "fresh"]
    version: int
    rows_key: str
    """Digest of what makes the reference rows (uri, idColumn, fraction); "fresh" for fresh rows."""
    after: int = 0
    through: int = 0


class HeldoutUseReply(Message, frozen=True, kw_only=True):
    """``use`` is k, from 1: versions that were judged on any of these rows, this one included."""

    use: int


class QualityQuery(Message, frozen=True, kw_only=True):
    """Body of POST /v1/models/{model}/quality: what to watch and count. Creates the detector when it is not there."""

    version: int
    measure: Measure = Measure()
    threshold: float
    tolerance: float
    """How far below the threshold the metric may be; of an error, how far above it, as a share of the threshold."""
    false_alarm_every: float
    window: int
    label_delay: float = 0.0
    records_after: int = 0
    """Count labelled captured records with a larger ledger number …"""
    predicted_after: float = 0.0
    """… whose prediction was made later than this."""
    drift: DriftQuery | None = None
    """Tell drift as well."""


class WindowStats(Message, frozen=True, kw_only=True):
    """The metric over the last labelled predictions, for people, with its 95 % interval.

    Wilson's for a share; of errors, that of their mean, taken as normal.
    """

    value: float
    lower: float
    upper: float
    samples: int


class Alarm(Message, frozen=True, kw_only=True):
    """The first time that the evidence passed falseAlarmEvery. Latched until the version or the threshold changes."""

    seq: int
    """Ledger number of the label that crossed."""
    at: float
    """When that label was written."""
    value: float
    """The metric over the labels since the evidence last began to grow."""
    samples: int
    """How many labels that is."""
    changed_after: int
    """Ledger number after which the labels are of the shortfall, by its most likely start: what came later is of the
    new world, though it came before the alarm."""


class Quality(Message, frozen=True, kw_only=True):
    """How one version does in production, as the hub knows it."""

    version: int
    as_of: float
    predictions: int
    labels: int
    window: WindowStats | None
    coverage: float | None
    """Share of the version's predictions, older than labelDelay, whose label has come; None without predictions."""
    alarm: Alarm | None
    last_seq: int
    """Largest ledger number of the model."""
    records: int
    """Labelled captured records of the model in all."""
    records_counted: int
    """Those that the query asked to count."""
    drift: Drift | None = None
    """The few columns that differ most; None: not asked for, or nothing was counted yet."""


class LineageEntry(Message, frozen=True, kw_only=True):
    """One version that became champion, kept beside its artifact, so that a rebuilt cluster adopts it."""

    number: int
    training_hash: str
    manifest: str
    holdout: float
    holdout_set: Literal["reference", "fresh"]
    promoted_at: float
    data_sha256: str
    feedback_through: int | None = None
    parent: int | None = None


class Lineage(Message, frozen=True, kw_only=True):
    """Answer to GET /v1/models/{model}/lineage, oldest first."""

    entries: tuple[LineageEntry, ...]


class HubError(Message, frozen=True, kw_only=True):
    """Body of every answer that is not 2xx."""

    error: str
