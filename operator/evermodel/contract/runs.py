"""What the operator tells a Job to do."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from evermodel.contract.measures import Measure, Task
from evermodel.contract.message import Message


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


class OnlineUpdate(Message, frozen=True, kw_only=True):
    """A model that learns on from the labelled records that came since it learnt, and from nothing else."""

    base: str
    """sha256 of its manifest."""
    after: int
    """Ledger number up to which it, and those that it was made from, have learnt from records."""


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
    parallelism: int = 1
    """Pods that make trials at the same time, that of the training Job among them."""


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
    online: OnlineUpdate | None = None
    """The model that learns on from new records instead of being fitted; None: one is fitted."""
    keeps_pipeline: bool = False
    """Whether the pipeline is stored beside the model, for online updates to start from."""
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
