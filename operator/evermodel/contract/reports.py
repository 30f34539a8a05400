"""What a Job tells the operator that came of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta

from evermodel.contract.message import Message
from evermodel.contract.runs import FoldStrategy, SearchAlgorithm


class FailureReason(StrEnum):
    """Why a Job failed, as shown in conditions and Events."""

    DATA_INVALID = "DataInvalid"
    DATA_NOT_FOUND = "DataNotFound"
    DIGEST_MISMATCH = "DigestMismatch"
    SPEC_INVALID = "SpecInvalid"
    PARITY_FAILED = "ParityFailed"
    TRAINER_FAILED = "TrainerFailed"
    MODEL_INVALID = "ModelInvalid"
    METRIC_FAILED = "MetricFailed"
    METRIC_INVALID = "MetricInvalid"
    HUB_UNAVAILABLE = "HubUnavailable"
    SOURCE_UNAVAILABLE = "SourceUnavailable"
    OUT_OF_MEMORY = "OutOfMemory"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    CANNOT_START = "CannotStart"
    REPORT_LOST = "ReportLost"
    CRASHED = "Crashed"


class ModelFormat(StrEnum):
    """How a model is stored and served."""

    ONNX = "onnx"
    SKOPS = "skops"
    """The scikit-learn pipeline itself, without pickle: where ONNX is not possible or answers otherwise."""


class EpochSummary(Message, frozen=True, kw_only=True):
    """How passes over the rows went, in short; the whole curve is a blob that the manifest names."""

    run: int
    """Epochs that were run."""
    best: int
    """The epoch whose weights were kept."""
    validation: float
    """Its accuracy on the rows that were kept apart to stop by; of a regressor, R²."""
    loss: float | None = None
    """Its loss on the rows that were learnt from, where the estimator has one."""


class Trial(Message, frozen=True, kw_only=True):
    """One setting of a search, scored over all folds."""

    number: int
    """From 1, in the order in which they are tried."""
    parameters: dict[str, Any]
    rows: int
    """Rows that it was fitted and scored on, all folds together."""
    scores: tuple[float, ...] = ()
    """One for each fold."""
    score: float | None = None
    """Their mean; None for a trial that failed."""
    std: float | None = None
    failure: str = ""
    """Why it could not be fitted."""


class Trials(Message, frozen=True, kw_only=True):
    """Answer to GET /v1/models/{model}/trials/{version}/{run}: those that have ended, by number."""

    trials: tuple[Trial, ...]


class TrialsLeft(Message, frozen=True, kw_only=True):
    """Body of POST /v1/models/{model}/trials/{version}/{run}/begun: what a pod knows not to have ended."""

    numbers: Annotated[tuple[Annotated[int, Meta(ge=1, le=10_000)], ...], Meta(max_length=1000)]
    begun: Annotated[int, Meta(ge=0)] = 0
    """How often others may have begun the trial already: what they began may never end, should they be gone."""


class TrialBegun(Message, frozen=True, kw_only=True):
    """Answer to it: the trial to make next; None where each was begun more often."""

    number: int | None


class SearchTable(Message, frozen=True, kw_only=True):
    """All that a search tried, kept beside the model that came of it."""

    algorithm: SearchAlgorithm
    folds: int
    fold_strategy: FoldStrategy
    rows: int
    """Rows that there were to learn from."""
    trials: tuple[Trial, ...]
    best: int
    """Number of the trial whose parameters were taken."""


class SearchSummary(Message, frozen=True, kw_only=True):
    """What came of a search, in a few words."""

    trials: int
    failed: int
    """Trials that could not be fitted."""
    score: float
    """Mean over the folds of the best trial."""
    std: float
    """Standard deviation over its folds."""
    parameters: str
    """The best trial's, as JSON, cut where it is long."""


WARNING = "Warning: "
"""Begins those notes of a run that are announced as an Event as well."""


class TrainReport(Message, tag_field="kind", tag="trained", frozen=True, kw_only=True):
    """What a training Job made. ``manifest`` names everything else by digest."""

    manifest: str
    data_sha256: str
    rows: int
    """Rows fitted on, source and feedback together."""
    feedback_rows: int
    window: Annotated[str, Meta(description="all or recent: what an inner temporal validation chose; new: new records")]
    validation: float | None
    """Metric of the chosen data on the inner temporal validation rows; None without feedback to validate on."""
    fits: int = 1
    """Models fitted: those of the validation and the one that was published."""
    classes: int
    """0 of a regressor."""
    notes: tuple[str, ...] = ()
    """What a person should know of the run: defaults that were applied, and warnings, which begin with WARNING."""
    seconds: float
    format: ModelFormat = ModelFormat.ONNX
    format_reason: str = ""
    """Why the model is not ONNX; empty when it is."""
    epochs: EpochSummary | None = None
    started_from: str | None = None
    """sha256 of the manifest, or of the archive, that the training started from; None: from nothing."""
    search: SearchSummary | None = None


class SliceScore(Message, frozen=True, kw_only=True):
    """One group of rows, measured by the objective's metric."""

    column: str
    group: str
    """A value, a range of numbers, or what is left."""
    rows: int
    candidate: float
    lower: float | None = None
    """Lower end of the candidate's 95 % interval: Wilson's for accuracy, else by bootstrap."""
    upper: float | None = None
    champion: float | None = None


class PairedScore(Message, frozen=True, kw_only=True):
    """Candidate and champion on the same held-out rows."""

    rows: int
    metric: str = "accuracy"
    """The objective's metric, as ``Measure`` spells it."""
    candidate: float
    """Its value for the candidate."""
    dummy: float
    """Its value for what looks at no feature: always the most frequent class of the training rows, or their mean.

    For precision and f1 of a class, always that class; for recall of it, a guess that says it as often as the model.
    """
    champion: float | None = None
    """Its value for the champion."""
    candidate_only: int = 0
    """Rows that only the candidate got right."""
    champion_only: int = 0
    """Rows that only the champion got right."""
    p: float | None = None
    """Probability of a difference this large for the candidate, were both equally good. None: that of the exact McNemar
    test, which follows from the two counts above, as for accuracy."""
    champion_p: float | None = None
    """The same of a difference this large for the champion; None where ``p`` is."""
    use: int = 1
    """k: how often these rows have decided, this time included."""
    metrics: dict[str, float] = {}
    """All metrics of the candidate that have a value, as ``Measure`` spells them."""
    slices: tuple[SliceScore, ...] = ()
    """Groups of rows in which the objective's metric has a value."""


class ReportDigests(Message, frozen=True, kw_only=True):
    """The report of an evaluation, stored as blobs: as data, and as a page for people."""

    json: str
    """sha256 of the JSON."""
    html: str
    """sha256 of the page."""


class EvaluationReport(Message, tag_field="kind", tag="evaluated", frozen=True, kw_only=True):
    """Scores on each held-out set. The operator's gate decides; the Job only measures."""

    reference: PairedScore | None
    fresh: PairedScore | None
    report: ReportDigests | None = None
    """Everything that was measured; None where no set could be scored."""
    seconds: float


class OfflineReport(Message, tag_field="kind", tag="scored", frozen=True, kw_only=True):
    """The champion on production records."""

    scheduled: str
    rows: int
    """Records that it was asked about: labelled ones that it has not learnt from, as many as were wanted at most."""
    score: PairedScore | None
    """Its figures, as those of a candidate; None where the objective has no value on these records."""
    lower: float | None = None
    """Ends of the objective's 95 % interval."""
    upper: float | None = None
    report: ReportDigests | None = None
    seconds: float


class NothingNewReport(Message, tag_field="kind", tag="nothingNew", frozen=True, kw_only=True):
    """A training Job found nothing that a version has not learnt from already, and fitted nothing."""

    data_sha256: str
    message: str
    """Which version that is, in a sentence."""


class FailureReport(Message, tag_field="kind", tag="failed", frozen=True, kw_only=True):
    """Why a Job gave up, in words for the person who wrote the ModelDeployment."""

    reason: FailureReason
    message: str


RunReport = TrainReport | NothingNewReport | EvaluationReport | OfflineReport | FailureReport
