"""What operator, Jobs, serving pods and hub say to each other, as values.

Every message that crosses a process is a struct of this module, encoded as JSON with camelCase names. Both sides import
it, so a field cannot mean two things. Times are seconds since the epoch (float, UTC); durations are seconds (float).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

CONTRACT_VERSION = 1
RUN_ENV = "EVERMODEL_RUN"
"""Environment variable of a Job's container that holds its TrainRun or EvaluateRun as JSON."""
SERVE_ENV = "EVERMODEL_SERVE"
"""Environment variable of a serving container that holds its ServeConfig as JSON."""
TOKEN_ENV = "EVERMODEL_TOKEN"  # noqa: S105 - the name of a variable
"""Environment variable with the pod's own role token, from a Secret."""
HUB_KEY_ENV = "EVERMODEL_HUB_KEY"
"""Environment variable of the hub with the namespace's key, from a Secret."""
TERMINATION_MESSAGE_LIMIT = 2048
"""Bytes of a Job's termination message that the operator reads; the full report is in the hub."""
SOURCE_MOUNT = "/var/run/evermodel/source"
"""Folder at which the operator mounts the ConfigMap or the claim of a source, or the Secret of an https:// source."""
INPUT_ENV = "EVERMODEL_INPUT"
"""Environment variable of the user's container: the folder with the rows to learn from."""
OUTPUT_ENV = "EVERMODEL_OUTPUT"
"""Environment variable of the user's container: the folder that it writes its model to."""
STATE_ENV = "EVERMODEL_STATE"
"""Folder of what is told past the user's container, which does not mount it."""
METRICS_ENV = "EVERMODEL_METRICS"
"""Folder with one folder for each custom metric, which its container wrote."""
INPUT_MOUNT = "/evermodel/input"
OUTPUT_MOUNT = "/evermodel/output"
STATE_MOUNT = "/evermodel/state"
METRICS_MOUNT = "/evermodel/metrics"
DATA_ERROR_EXIT_CODE = 3
"""A Job that ends so found bad data or a bad specification: running it again cannot help."""
DISRUPTION_EXIT_CODE = 4
"""A Job that ends so was interrupted, or the hub was away: its pod is started again, and nothing is counted."""


class Message(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=False):
    """Base of all messages: immutable, camelCase on the wire; unknown fields are ignored: versions may differ."""


Scalar = str | int | float | bool


def label_text(label: Scalar) -> str:
    """One text for one class, however a client's JSON spells it: 3, 3.0 and "3" are one, as are true and "true"."""
    if isinstance(label, bool):
        return "true" if label else "false"
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)


class Task(StrEnum):
    """What kind of answer the model gives."""

    CLASSIFICATION = "Classification"
    REGRESSION = "Regression"


class Metric(StrEnum):
    """How well a model does, in one number."""

    ACCURACY = "accuracy"
    BALANCED_ACCURACY = "balancedAccuracy"
    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    ROC_AUC = "rocAuc"
    PR_AUC = "prAuc"
    LOG_LOSS = "logLoss"
    MCC = "mcc"
    RMSE = "rmse"
    MAE = "mae"
    MAPE = "mape"
    R2 = "r2"

    @property
    def task(self) -> Task:
        """The task that it measures."""
        return Task.REGRESSION if self in _OF_REGRESSION else Task.CLASSIFICATION

    @property
    def lower_is_better(self) -> bool:
        """Tell whether it measures errors: 0 is then the best."""
        return self in _ERRORS


_OF_REGRESSION = frozenset({Metric.RMSE, Metric.MAE, Metric.MAPE, Metric.R2})
_ERRORS = frozenset({Metric.LOG_LOSS, Metric.RMSE, Metric.MAE, Metric.MAPE})


class Average(StrEnum):
    """How precision, recall or f1 of all classes become one number, as scikit-learn names it."""

    MACRO = "macro"
    MICRO = "micro"
    WEIGHTED = "weighted"


class Measure(Message, frozen=True, kw_only=True):
    """A metric, and of which classes."""

    metric: Metric = Metric.ACCURACY
    average: Average | None = None
    """Of precision, recall and f1: macro where neither this nor a class is given."""
    positive_class: str | None = None
    """The class that precision, recall, f1, rocAuc or prAuc is about, as ``label_text`` spells it."""

    def __str__(self) -> str:
        """Spell it as records and messages do: recall, recall (weighted), recall of fraud."""
        if self.positive_class is not None:
            return f"{self.metric} of {self.positive_class}"
        return self.metric.value if self.average in {None, Average.MACRO} else f"{self.metric} ({self.average})"

    @property
    def told(self) -> str:
        """Name it in a sentence, where a class such as 0 would be taken for a figure: recall of class "0"."""
        return str(self) if self.positive_class is None else f'{self.metric} of class "{self.positive_class}"'

    def gain(self, ours: float, over: float) -> float:
        """Return by how much one value is better than another: the one place where metrics of errors are turned."""
        return over - ours if self.metric.lower_is_better else ours - over

    @property
    def worse_side(self) -> str:
        """The word for where worse values are."""
        return "above" if self.metric.lower_is_better else "below"

    def shown(self, value: float) -> str:
        """Write a value for people: a score to three decimals, an error in the target's units to four digits."""
        return f"{value:,.4g}" if self.metric.lower_is_better else f"{value:.3f}"


# --- runs: operator -> Job --------------------------------------------------------------------------------------------


class PreprocessingStep(Message, frozen=True, kw_only=True):
    """One transformer over named columns."""

    transformer: str
    columns: tuple[str, ...]
    parameters: dict[str, Any] = {}


class FileType(StrEnum):
    """What a source is written as."""

    CSV = "CSV"
    PARQUET = "Parquet"
    JSON_LINES = "JSONLines"
    ARROW = "Arrow"


class DataFormat(Message, frozen=True, kw_only=True):
    """How a file is read; what is None is found from its name and its first bytes."""

    type: FileType | None = None
    delimiter: str | None = None
    quote: str | None = None
    encoding: str | None = None


class DataSource(Message, frozen=True, kw_only=True):
    """Where the rows are and what each column means."""

    uri: str
    target: str
    sha256: str | None = None
    features: tuple[str, ...] = ()
    id_column: str | None = None
    holdout_fraction: float = 0.2
    format: DataFormat = DataFormat()
    credentials: str | None = None
    """Secret whose keys are mounted for an https:// source: token, username and password, ca.crt."""


class Epochs(Message, frozen=True, kw_only=True):
    """Passes over the rows, and when they end."""

    max: int
    patience: int
    validation_fraction: float
    min_improvement: float


class ImportedModel(Message, frozen=True, kw_only=True):
    """A model that was made elsewhere and is taken over as it is."""

    uri: str
    """hub:// or https:// of an ONNX file or a skops archive."""
    sha256: str


class WarmStartMode(StrEnum):
    """What is taken over from the model that a training starts from."""

    CONTINUE = "Continue"
    GROW = "Grow"
    FEATURES = "Features"


class WarmStart(Message, frozen=True, kw_only=True):
    """Which model a training starts from; without champion and uri none, since there is no champion yet."""

    mode: WarmStartMode
    champion: str | None = None
    """sha256 of the champion's manifest."""
    uri: str | None = None
    """hub:// or https:// of a skops archive, or of the manifest of a model in the same hub."""
    sha256: str | None = None
    """Digest that the file at the uri must have."""


class SearchAlgorithm(StrEnum):
    """How settings are chosen to be tried."""

    GRID = "Grid"
    RANDOM = "Random"
    SUCCESSIVE_HALVING = "SuccessiveHalving"
    TPE = "TPE"


class FoldStrategy(StrEnum):
    """How rows are divided into those that a trial is fitted on and those that score it."""

    STRATIFIED = "Stratified"
    TEMPORAL = "Temporal"


class Search(Message, frozen=True, kw_only=True):
    """Which parameters to try, and how each setting is scored."""

    parameters: dict[str, Any]
    """By name: a list of values, or a range {low, high, log, int}."""
    algorithm: SearchAlgorithm = SearchAlgorithm.GRID
    max_trials: int = 20
    folds: int = 5
    fold_strategy: FoldStrategy = FoldStrategy.STRATIFIED


class EnsembleType(StrEnum):
    """How members become one model."""

    VOTING = "Voting"
    STACKING = "Stacking"
    BAGGING = "Bagging"


class Vote(StrEnum):
    """What members of a Voting give, as scikit-learn names it."""

    HARD = "hard"
    SOFT = "soft"


class Member(Message, frozen=True, kw_only=True):
    """One estimator of an ensemble."""

    name: str
    estimator: str = ""
    """Class name; empty for a version that was trained before."""
    parameters: dict[str, Any] = {}
    preprocessing: tuple[PreprocessingStep, ...] = ()
    """Steps of its own, over all columns that the steps of the run made."""
    version: int | None = None
    """Number of the version that it is; None also for the champion, whichever that is."""
    manifest: str | None = None
    """sha256 of that version's manifest; None where there is no champion yet."""

    @property
    def is_earlier(self) -> bool:
        """Whether it was trained before, and stays as it is."""
        return not self.estimator

    @property
    def what(self) -> str:
        """What it is, in a word or two."""
        return self.estimator or ("the champion" if self.version is None else f"version {self.version}")


class Ensemble(Message, frozen=True, kw_only=True):
    """An estimator that is made of others."""

    type: EnsembleType
    members: tuple[Member, ...]
    voting: Vote | None = None
    weights: tuple[float, ...] = ()
    final_estimator: Member | None = None
    folds: int | None = None
    parameters: dict[str, Any] = {}


class Strategy(StrEnum):
    """What a retraining after an alarm does beyond the choice of data."""

    REFIT = "Refit"
    TUNE = "Tune"
    ENSEMBLE = "Ensemble"


class Learnt(Message, frozen=True, kw_only=True):
    """What a version was made from."""

    version: int
    data_sha256: str
    """Digest of its source."""
    feedback_through: int | None = None
    """Ledger number up to which labelled captured records were merged with it."""


class FeedbackRules(Message, frozen=True, kw_only=True):
    """Which labelled captured records are merged with the source, and how rows are weighed by their age."""

    as_of: float
    """When the version was begun, from which ``max_age`` counts: seconds since the epoch."""
    max_age: float | None = None
    """Seconds since the prediction beyond which a record is left out."""
    max_share: float | None = None
    """Largest share of records among the rows that are learnt from; the newest stay."""
    half_life: float | None = None
    """Seconds in which the weight of a row halves; None: all rows weigh alike."""

    @property
    def bounds_share(self) -> bool:
        """Tell whether there must be rows of the source beside the records."""
        return self.max_share is not None and self.max_share < 1


class TrainRun(Message, tag_field="kind", tag="train", frozen=True, kw_only=True):
    """Everything a training Job needs to know."""

    namespace: str
    model: str
    version: int
    hub_url: str
    data: DataSource
    task: Task = Task.CLASSIFICATION
    objective: Measure = Measure()
    """What choices within the run are made by."""
    estimator: str = ""
    """Class name; of an ensemble, that of its type; empty where a container of the user's own makes the model."""
    container: str = ""
    """Image of the container that makes the model, between one that prepares the rows and one that publishes."""
    parameters: dict[str, Any] = {}
    ensemble: Ensemble | None = None
    preprocessing: tuple[PreprocessingStep, ...] = ()
    search: Search | None = None
    """Parameters to find before the model is fitted with them."""
    strategy: Strategy | None = None
    """How an attempt after an alarm changes what is declared; None: it does not."""
    champion: str | None = None
    """sha256 of the champion's manifest, whose columns are to be found again; None where the declaration changed."""
    changed_after: int | None = None
    """Ledger number after which the records are of the shortfall that an alarm found; None: no alarm."""
    feedback_through: int | None = None
    """Ledger number up to which labelled captured records are merged with the source; None: the source alone."""
    feedback_rules: FeedbackRules | None = None
    """Which of these; None: all, and no row weighs more than another."""
    epochs: Epochs | None = None
    """How often the rows are gone through; None: as the estimator's own fit does."""
    imported: ImportedModel | None = None
    """A model that is taken over instead of trained; None: one is trained."""
    warm_start: WarmStart | None = None
    """Which model the training starts from; None: from nothing."""
    known: tuple[Learnt, ...] = ()
    """Where there is nothing that one of these has not learnt from, nothing is trained."""
    seed: int = 0


class FreshRange(Message, frozen=True, kw_only=True):
    """Labelled captured records that no model of this comparison has trained on."""

    after: int
    """Ledger number after which labels count (exclusive)."""
    through: int
    """Ledger number up to which labels count (inclusive)."""
    predicted_after: float = 0.0
    """Predictions made before this time do not count: after an alarm, the time of the alarm."""


class Slice(Message, frozen=True, kw_only=True):
    """Rows to be told apart by a column."""

    column: str
    values: tuple[str, ...] = ()
    """Of a column of text; empty: the most frequent."""
    bins: int = 4
    """Groups of a column of numbers."""


class EvaluateRun(Message, tag_field="kind", tag="evaluate", frozen=True, kw_only=True):
    """Everything an evaluation Job needs to know."""

    namespace: str
    model: str
    version: int
    hub_url: str
    data: DataSource
    data_sha256: str
    """Digest of the source bytes that the candidate was split on: other bytes split otherwise and are refused."""
    candidate: str
    """sha256 of the candidate's manifest."""
    champion: str | None = None
    """sha256 of the champion's manifest; None for the first version."""
    objective: Measure = Measure()
    fresh: FreshRange | None = None
    metrics: tuple[Measure, ...] = ()
    """Metrics to record besides those that always are."""
    slices: tuple[Slice, ...] = ()
    custom_metrics: tuple[str, ...] = ()
    """Names of metrics that containers of the user's own measure in the same pod."""


class OfflineRun(Message, tag_field="kind", tag="offline", frozen=True, kw_only=True):
    """Everything a Job needs to know that scores the champion on production records."""

    namespace: str
    model: str
    version: int
    hub_url: str
    scheduled: str
    """Time of the schedule, which the report repeats: the hub keeps one report of a version, the newest."""
    champion: str
    """sha256 of its manifest."""
    records: FreshRange
    samples: int
    """Records to score at most."""
    objective: Measure = Measure()
    metrics: tuple[Measure, ...] = ()
    """Metrics to record besides those that always are."""
    slices: tuple[Slice, ...] = ()


RunConfig = TrainRun | EvaluateRun | OfflineRun
ScoringRun = EvaluateRun | OfflineRun
"""What says what to measure: objective, metrics and slices."""


# --- reports: Job -> operator -----------------------------------------------------------------------------------------


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
    window: Annotated[str, Meta(description="all or recent: the data that the inner temporal validation chose")]
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


# --- serving ----------------------------------------------------------------------------------------------------------


class ServeConfig(Message, frozen=True, kw_only=True):
    """Everything a serving pod needs to know."""

    namespace: str
    model: str
    version: int
    hub_url: str
    manifest: str
    capture: bool = False


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


class LabelResult(Message, frozen=True, kw_only=True):
    """Answer to one FeedbackRow, in the order of the request."""

    id: str
    status: LabelStatus
    message: str = ""


class FeedbackResponse(Message, frozen=True, kw_only=True):
    """Answer to a FeedbackRequest. Sent only when every accepted label is on disk."""

    results: tuple[LabelResult, ...]
    accepted: int


class Capture(Message, frozen=True, kw_only=True):
    """The raw features of one prediction, in the order of the manifest's columns."""

    id: str
    row: tuple[Scalar | None, ...]


class Heartbeat(Message, frozen=True, kw_only=True):
    """What a serving pod tells the hub every second or two. Counts are totals since the pod's start."""

    pod: str
    version: int
    predictions: int
    errors: int = 0
    captures: tuple[Capture, ...] = ()


class HeartbeatReply(Message, frozen=True, kw_only=True):
    """The hub has it on disk."""

    stored: int


# --- artifacts --------------------------------------------------------------------------------------------------------


class ColumnKind(StrEnum):
    """How a column is read and served."""

    NUMBER = "number"
    TEXT = "text"
    DATE = "date"
    """Text in files and requests, in ISO 8601: rows hold one spelling of each moment."""


class Column(Message, frozen=True, kw_only=True):
    """One feature as the model expects it."""

    name: str
    kind: ColumnKind
    nullable: bool = False
    """Whether a row may lack it: what is missing is filled as in training."""


class Manifest(Message, frozen=True, kw_only=True):
    """The record of one trained model, itself stored by sha256: the digest of its JSON names the version's content."""

    model: str
    version: int
    columns: tuple[Column, ...]
    task: Task = Task.CLASSIFICATION
    classes: tuple[Scalar, ...] = ()
    """Labels in the order of the model's probabilities; none of a regressor."""
    onnx: str | None = None
    """sha256 of the ONNX file; None for a model that is stored by skops."""
    skops: str | None = None
    """sha256 of the skops archive, where there is no ONNX file."""
    onnx_inputs: Literal["matrix", "columns"]
    """matrix: one float32 input ``X`` of shape (rows, columns); columns: one of shape (rows, 1) for each column."""
    training_rows: str
    """sha256 of a file of little-endian uint64, sorted: hashes of the rows trained on."""
    majority: Scalar | None = None
    """Most frequent class of the training rows, for the dummy."""
    mean: float | None = None
    """Mean of the numbers trained on, for the dummy of a regressor …"""
    median: float | None = None
    """… and their median, which has the smallest absolute errors."""
    data_sha256: str
    feedback_through: int | None
    estimator: str
    parameters: dict[str, Any]
    ensemble: Ensemble | None = None
    """What the estimator is made of, where it is made of others."""
    preprocessing: tuple[PreprocessingStep, ...] = ()
    """The steps that were taken, declared or by default."""
    search: str | None = None
    """sha256 of the SearchTable that the parameters come from; None where none was searched for."""
    libraries: dict[str, str]
    learning_curve: str | None = None
    """sha256 of a LearningCurve as JSON; None for a model that was not trained in epochs."""
    tensorboard: str | None = None
    """sha256 of the same as an event file of TensorBoard."""
    pipeline: str | None = None
    """sha256 of the pipeline as a skops archive, for a later training to start from; None where none was asked for."""
    started_from: str | None = None
    """sha256 of the manifest, or of the archive, that the training started from; None: from nothing."""

    @property
    def format(self) -> ModelFormat:
        """How the model is stored: told by which digest there is."""
        return ModelFormat.SKOPS if self.onnx is None else ModelFormat.ONNX

    @property
    def artifact(self) -> str:
        """Digest of the model's file, whichever it is; empty when there is none."""
        return self.onnx or self.skops or ""


class Epoch(Message, frozen=True, kw_only=True):
    """One pass over the rows."""

    number: int
    """From 1."""
    validation: float
    """Accuracy on the rows that were kept apart; of a regressor, R²."""
    loss: float | None = None
    """Mean loss on the rows that were learnt from, where the estimator has one."""


class LearningCurve(Message, frozen=True, kw_only=True):
    """How a model came about, epoch by epoch."""

    metric: Metric
    """What ``validation`` is: accuracy, or r2 of a regressor."""
    epochs: tuple[Epoch, ...]
    best: int
    """Number of the epoch whose weights were kept."""
    learning_rows: int
    validation_rows: int
    ended: str
    """Why there was no further epoch."""

    @property
    def summary(self) -> EpochSummary:
        """What the version's record holds of it."""
        best = self.epochs[self.best - 1]
        return EpochSummary(run=len(self.epochs), best=best.number, validation=best.validation, loss=best.loss)


class DatasetInfo(Message, frozen=True, kw_only=True):
    """Answer to an upload."""

    name: str
    sha256: str
    size: int


# --- hub <-> Jobs -----------------------------------------------------------------------------------------------------


class LabelledRecord(Message, frozen=True, kw_only=True):
    """One captured prediction whose label has come."""

    seq: int
    predicted_at: float
    row: tuple[Scalar | None, ...]
    label: str
    """As ``label_text`` spells it."""


class LabelledRecords(Message, frozen=True, kw_only=True):
    """Answer to GET /v1/models/{model}/records, in ledger order; ``through`` is the last number looked at."""

    records: tuple[LabelledRecord, ...]
    through: int
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


# --- hub <-> operator -------------------------------------------------------------------------------------------------


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
