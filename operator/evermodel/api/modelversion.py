"""ModelVersion: the immutable record of one run, owned by its ModelDeployment as a ReplicaSet is by a Deployment."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from evermodel.api.fields import Message, Resource, Text, Time, Token
from evermodel.api.modeldeployment import Data, ImportedModel, Objective, Online, RetrainingData, Training
from evermodel.contract import Strategy, Task


class VersionPhase(StrEnum):
    """Where a version stands."""

    TRAINING = "Training"
    AWAITING_LABELS = "AwaitingLabels"
    EVALUATING = "Evaluating"
    CANDIDATE = "Candidate"
    CHAMPION = "Champion"
    ARCHIVED = "Archived"
    REJECTED = "Rejected"
    SUPERSEDED = "Superseded"
    FAILED = "Failed"


ACTIVE_PHASES = frozenset(
    {VersionPhase.TRAINING, VersionPhase.AWAITING_LABELS, VersionPhase.EVALUATING, VersionPhase.CANDIDATE}
)
"""Phases of a run that is under way; one ModelDeployment has at most one such version."""
SERVABLE_PHASES = frozenset({VersionPhase.CANDIDATE, VersionPhase.CHAMPION, VersionPhase.ARCHIVED})
"""Phases of a version that passed its gate and may be pinned."""


class VersionTrigger(Resource, frozen=True, kw_only=True):
    """Why the run began."""

    reason: Text
    """FirstVersion, SpecChanged, Requested, AccuracyAlarm, MoreLabels, OnlineUpdate, Scheduled, DataChanged, Drift or
    Adopted."""
    message: Message
    """The same in a sentence, with its figures."""
    strategy: Strategy | None = None
    """What the attempt does beyond the choice of data; absent: what is declared."""
    request: Token = ""
    """Token of the evermodel.dev/retrain annotation, when that was the reason."""
    alarm_seq: int | None = None
    """Ledger number of the alarm that the run answers."""
    alarm_at: float | None = None
    """Time of the alarm, seconds since the epoch."""
    changed_after: int | None = None
    """Ledger number after which labels are of the shortfall that the alarm was about."""


class ModelVersionSpec(Resource, frozen=True, kw_only=True):
    """What the run was started with."""

    number: Annotated[int, Meta(ge=1)]
    """Versions of one ModelDeployment count from 1."""
    trigger: VersionTrigger
    training_hash: Text
    """Digest of data and training: a version with the same one is the same work."""
    image: Text
    """Runtime image of the run; the version is served with it too."""
    data: Data
    training: Training
    model: ImportedModel | None = None
    """The model that was taken over; absent: one was trained."""
    task: Task = Task.CLASSIFICATION
    """What is predicted."""
    objective: Objective | None = None
    """What was to be kept when the run began; a run of long ago has none, and was about accuracy."""
    parent: int | None = None
    """Number of the champion that the run began under."""
    source_sha256: Text | None = None
    """sha256 of the source when the run began, where it can be watched; what was read then is in the status."""
    feedback_through: int | None = None
    """Ledger number up to which captured labelled records are trained on; absent: none."""
    retraining_data: RetrainingData | None = None
    """Which of these are trained on, and how they are weighed; absent: all, as much as rows of the source."""
    online: Online | None = None
    """What an online update was to wait for; absent: the version is not stored so that it can learn on."""
    adopted_manifest: Text | None = None
    """Manifest of a version that was adopted from the hub's lineage instead of trained."""


class ReportDigests(Resource, frozen=True, kw_only=True):
    """The report of the evaluation; the hub has it at /v1/models/MODEL/versions/NUMBER/report and …/report.html."""

    json: Text
    """sha256 of the report as JSON."""
    html: Text
    """sha256 of the report as a page."""


class SliceScore(Resource, frozen=True, kw_only=True):
    """One group of rows of a slice, in the objective's metric."""

    column: Text
    """Column of the slice."""
    group: Text
    """A value, a range of numbers, or what is left."""
    rows: int
    """Rows of the group."""
    candidate: float
    """Value for the candidate."""
    lower: float | None = None
    """Lower end of its 95 % interval."""
    upper: float | None = None
    """Upper end of its 95 % interval."""
    champion: float | None = None
    """Value for the champion."""


class SetScore(Resource, frozen=True, kw_only=True):
    """Candidate and champion on one held-out set."""

    rows: int
    """Rows that both were scored on."""
    metric: Text = "accuracy"
    """The objective's metric, such as accuracy, recall (weighted) or recall of fraud."""
    candidate: float
    """Its value for the candidate."""
    dummy: float
    """Its value for what looks at no feature: always the most frequent class or the mean; or a guess at a class."""
    champion: float | None = None
    """Its value for the champion; absent for the first version."""
    candidate_only: int = 0
    """Rows that only the candidate got right."""
    champion_only: int = 0
    """Rows that only the champion got right."""
    p: float | None = None
    """Probability of a difference this large, were both equally good; absent where the two counts above tell it."""
    use: int = 1
    """How often these rows have decided, this time included."""
    metrics: Annotated[dict[str, float], Meta(max_length=64)] = {}
    """All metrics of the candidate that have a value."""
    slices: Annotated[tuple[SliceScore, ...], Meta(max_length=200)] = ()
    """Groups of rows that spec.evaluation.slices tells apart."""


class EpochsRun(Resource, frozen=True, kw_only=True):
    """How training in epochs went; the whole learning curve is beside the model in the hub."""

    run: int
    """Epochs that were run."""
    best: int
    """The epoch whose weights were kept."""
    validation: float
    """Its accuracy on the rows that were kept apart to stop by; of a regressor, R²."""
    loss: float | None = None
    """Its loss on the rows that were learnt from, where the estimator has one."""


class ShownProgress(Resource, frozen=True, kw_only=True):
    """What the run's Job is doing; refreshed once a minute at most, and gone when it has ended."""

    message: Message
    """The last line of its log when it was asked."""
    at: Time
    """When that was."""


class SearchRun(Resource, frozen=True, kw_only=True):
    """What a search for parameters found; the table of all trials is beside the model in the hub."""

    trials: int
    """Settings that were fitted and scored."""
    failed: int = 0
    """Trials that could not be fitted."""
    score: float
    """Mean score of the best setting over the folds."""
    std: float
    """Standard deviation of its scores."""
    parameters: Text
    """The best setting, as JSON, cut where it is long."""


class VersionFailure(Resource, frozen=True, kw_only=True):
    """Why the run failed or was rejected."""

    reason: Text
    """One word, as in conditions and Events."""
    message: Message
    """What happened and what to do."""
    exit_code: int | None = None
    """Exit code of the Job's container."""


class ModelVersionStatus(Resource, frozen=True, kw_only=True):
    """What came of the run."""

    phase: VersionPhase = VersionPhase.TRAINING
    message: Message = ""
    """What the run is doing or waiting for."""
    manifest: Text | None = None
    """sha256 of the model's manifest in the hub, which names everything else by digest."""
    data_sha256: Text | None = None
    """sha256 of the source that was trained on."""
    rows: int | None = None
    """Rows fitted on, source and feedback together; of an online update the new records alone."""
    feedback_rows: int | None = None
    """Rows of these that came from feedback."""
    window: Text | None = None
    """all or recent: the data that the inner temporal validation chose; new: new records, of an online update."""
    format: Text | None = None
    """onnx; or skops, the scikit-learn pipeline itself, where ONNX is not possible or answers otherwise."""
    format_reason: Message = ""
    """Why the model is not served as ONNX; empty when it is."""
    notes: Annotated[tuple[Message, ...], Meta(max_length=16)] = ()
    """What a person should know of the run: default steps that were applied, and warnings."""
    epochs: EpochsRun | None = None
    started_from: Text | None = None
    """sha256 of the manifest, or of the archive, that the training started from; absent: from nothing."""
    progress: ShownProgress | None = None
    search: SearchRun | None = None
    fresh_through: int | None = None
    """Ledger number up to which fresh rows are judged on, once the evaluation began."""
    fresh_records: int | None = None
    """Labelled records up to there that neither model has seen, after an alarm."""
    looks: Annotated[tuple[int, ...], Meta(max_length=64)] = ()
    """Fresh rows of each evaluation so far, after an alarm: the gate may look early, and waits for more."""
    reference: SetScore | None = None
    """Scores on rows of the source that are never trained on."""
    fresh: SetScore | None = None
    """Scores on labelled production records that neither model has seen."""
    report: ReportDigests | None = None
    holdout: float | None = None
    """The metric on the set that decided."""
    holdout_set: Text | None = None
    """reference or fresh: the set that decided."""
    failure: VersionFailure | None = None
    started_at: Time | None = None
    """When the run began."""
    finished_at: Time | None = None
    """When the run ended."""
    promoted_at: Time | None = None
    """When the version took the traffic."""
