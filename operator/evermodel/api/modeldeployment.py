"""ModelDeployment: what a user declares, and what the operator answers in its status."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from evermodel.api.conditions import Condition


class Resource(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of all parts of a custom resource: immutable, camelCase in YAML."""


Duration = Annotated[
    str,
    Meta(
        pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$", max_length=32, description="A duration such as 30s, 15m or 1h30m."
    ),
]
ColumnName = Annotated[str, Meta(min_length=1, max_length=253)]
Quantity = Annotated[str, Meta(max_length=32)]


class Metric(StrEnum):
    """What the threshold is about."""

    ACCURACY = "accuracy"


class Objective(Resource, frozen=True, kw_only=True):
    """The quality that the model must keep in production."""

    threshold: Annotated[
        float, Meta(gt=0, lt=1, description="The accuracy that the model must keep, as a fraction: 0.93, not 93.")
    ]
    metric: Annotated[Metric, Meta(description="What is measured.")] = Metric.ACCURACY


class TrainData(Resource, frozen=True, kw_only=True):
    """The file that the model is trained on."""

    uri: Annotated[
        str,
        Meta(
            pattern=(
                r"^(configmap://[a-z0-9.-]+/[A-Za-z0-9._-]+|hub://[A-Za-z0-9._-]+"
                r"|sklearn://[a-z0-9_]+(\?rows=[0-9]*:[0-9]*)?)$"
            ),
            max_length=1024,
            description=(
                "CSV with a header row: configmap://NAME/KEY in the same namespace, hub://NAME for an uploaded file, "
                "or sklearn://NAME (digits, iris, wine, breast_cancer), of which ?rows=START:STOP takes a slice."
            ),
        ),
    ]
    sha256: (
        Annotated[
            str, Meta(pattern=r"^[0-9a-f]{64}$", description="Digest that the file must have; another file is refused.")
        ]
        | None
    ) = None


class Holdout(Resource, frozen=True, kw_only=True):
    """The part of the source that is never trained on, chosen by a hash of the row's id (or of the row)."""

    fraction: Annotated[
        float, Meta(ge=0.05, le=0.5, description="Share of the rows held out as the reference set.")
    ] = 0.2


class Data(Resource, frozen=True, kw_only=True):
    """The data and what its columns mean."""

    train: TrainData
    target: Annotated[ColumnName, Meta(description="The column to predict.")]
    features: Annotated[
        tuple[ColumnName, ...],
        Meta(max_length=4096, description="Columns to learn from. Empty: all but target and idColumn."),
    ] = ()
    id_column: Annotated[ColumnName, Meta(description="Column that names a row; it is not learnt from.")] | None = None
    holdout: Holdout = Holdout()


class Transformer(StrEnum):
    """Preprocessing steps that may be declared, by their scikit-learn class."""

    STANDARD_SCALER = "StandardScaler"
    ONE_HOT_ENCODER = "OneHotEncoder"


class Preprocessing(Resource, frozen=True, kw_only=True):
    """One transformer over some columns; columns that no step names pass as they are."""

    transformer: Transformer
    columns: Annotated[tuple[ColumnName, ...], Meta(min_length=1, max_length=4096)]
    parameters: Annotated[
        dict[str, Any], Meta(description="Constructor parameters of the transformer, JSON values only.")
    ] = {}


class Estimator(StrEnum):
    """scikit-learn classifiers that may be declared: all export to ONNX."""

    ADA_BOOST = "AdaBoostClassifier"
    DECISION_TREE = "DecisionTreeClassifier"
    EXTRA_TREES = "ExtraTreesClassifier"
    GAUSSIAN_NB = "GaussianNB"
    GRADIENT_BOOSTING = "GradientBoostingClassifier"
    K_NEIGHBORS = "KNeighborsClassifier"
    LINEAR_DISCRIMINANT = "LinearDiscriminantAnalysis"
    LOGISTIC_REGRESSION = "LogisticRegression"
    MLP = "MLPClassifier"
    RANDOM_FOREST = "RandomForestClassifier"
    SVC = "SVC"


class EnvVar(Resource, frozen=True, kw_only=True):
    """One environment variable with a plain value."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=128)]
    value: Annotated[str, Meta(max_length=4096)] = ""


class Resources(Resource, frozen=True, kw_only=True):
    """Compute resources of the container."""

    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}


class Toleration(Resource, frozen=True, kw_only=True):
    """A taint that the pod tolerates."""

    key: Annotated[str, Meta(max_length=253)] = ""
    operator: Annotated[str, Meta(pattern=r"^(Exists|Equal)$")] = "Equal"
    value: Annotated[str, Meta(max_length=63)] = ""
    effect: Annotated[str, Meta(pattern=r"^(NoSchedule|PreferNoSchedule|NoExecute)?$")] = ""


class PodTemplate(Resource, frozen=True, kw_only=True):
    """The allow-listed pod settings."""

    image: Annotated[str, Meta(max_length=512, description="Runtime image; default: the operator's.")] | None = None
    image_pull_secrets: Annotated[tuple[str, ...], Meta(max_length=8)] = ()
    resources: Resources = Resources()
    env: Annotated[tuple[EnvVar, ...], Meta(max_length=64)] = ()
    priority_class_name: Annotated[str, Meta(max_length=253)] | None = None
    node_selector: dict[str, str] = {}
    tolerations: Annotated[tuple[Toleration, ...], Meta(max_length=16)] = ()
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Training(Resource, frozen=True, kw_only=True):
    """How the model is made."""

    estimator: Annotated[Estimator, Meta(description="A scikit-learn classifier, by class name.")]
    parameters: Annotated[
        dict[str, Any], Meta(description="Constructor parameters of the estimator, JSON values only.")
    ] = {}
    preprocessing: Annotated[tuple[Preprocessing, ...], Meta(max_length=32)] = ()
    deadline: Annotated[Duration, Meta(description="A Job that runs longer fails.")] = "1h"
    pending_deadline: Annotated[Duration, Meta(description="A Job whose pod has not started by then fails.")] = "15m"
    template: PodTemplate = PodTemplate()


class Improvement(Resource, frozen=True, kw_only=True):
    """When a candidate counts as better."""

    confidence: Annotated[
        float,
        Meta(ge=0.5, lt=1, description="1 − α of the exact one-sided McNemar test over the life of the held-out rows."),
    ] = 0.95
    min_absolute: Annotated[float, Meta(ge=0, lt=1, description="Smallest gain in accuracy worth a promotion.")] = 0.0


class Evaluation(Resource, frozen=True, kw_only=True):
    """How a candidate is judged."""

    improvement: Improvement = Improvement()
    reference_tolerance: Annotated[
        float, Meta(ge=0, lt=1, description="How much worse than the champion a candidate may be on reference rows.")
    ] = 0.02


class Serving(Resource, frozen=True, kw_only=True):
    """How the champion is served."""

    replicas: Annotated[int, Meta(ge=0, le=1000)] = 1
    template: PodTemplate = PodTemplate()


class Monitoring(Resource, frozen=True, kw_only=True):
    """How the live accuracy is watched."""

    interval: Annotated[Duration, Meta(description="How often the hub is asked.")] = "30s"
    window: Annotated[int, Meta(ge=10, le=1_000_000, description="Labelled predictions in the accuracy shown.")] = 1000
    min_samples: Annotated[
        int,
        Meta(
            ge=10,
            le=1_000_000,
            description="Labels below which nothing is concluded, and needed to train and to judge.",
        ),
    ] = 400
    tolerance: Annotated[
        float, Meta(ge=0, lt=0.5, description="The detector alarms on accuracy below threshold − tolerance.")
    ] = 0.01
    false_alarm_every: Annotated[
        int, Meta(ge=100, le=1_000_000_000, description="Labels between two false alarms, on average at least.")
    ] = 100_000
    label_delay: Annotated[Duration, Meta(description="How long labels take; younger predictions are not counted.")] = (
        "0s"
    )
    min_coverage: Annotated[
        float, Meta(ge=0, le=1, description="Share of predictions that must be labelled before anything is concluded.")
    ] = 0.0


class RetrainingMode(StrEnum):
    """Who may start a retraining."""

    AUTOMATIC = "Automatic"
    OBSERVE = "Observe"
    MANUAL = "Manual"


class RetrainingData(Resource, frozen=True, kw_only=True):
    """What a retraining learns from besides the source."""

    include_feedback: Annotated[
        bool, Meta(description="Capture requests at the hub and merge those whose label came with the source.")
    ] = False


class Retraining(Resource, frozen=True, kw_only=True):
    """When and how the model is retrained."""

    mode: Annotated[
        RetrainingMode,
        Meta(
            description="Automatic; Observe: only say what would be done; Manual: by annotation evermodel.dev/retrain."
        ),
    ] = RetrainingMode.AUTOMATIC
    cooldown: Annotated[
        Duration,
        Meta(description="Pause after a run before an alarm may start the next; doubles with each failed attempt."),
    ] = "10m"
    max_attempts: Annotated[
        int, Meta(ge=1, le=20, description="Attempts after one alarm before it is left to a person.")
    ] = 3
    data: RetrainingData = RetrainingData()


class ModelDeploymentSpec(Resource, frozen=True, kw_only=True):
    """Declare a model, its data and the accuracy that it must keep."""

    objective: Objective
    data: Data
    training: Training
    evaluation: Evaluation = Evaluation()
    serving: Serving = Serving()
    monitoring: Monitoring = Monitoring()
    retraining: Retraining = Retraining()
    revision_history_limit: Annotated[int, Meta(ge=1, le=100, description="Archived and failed versions kept.")] = 10
    version: Annotated[int, Meta(ge=1, description="Serve this version and hold it.")] | None = None
    paused: Annotated[bool, Meta(description="Start no run and change no traffic.")] = False


class Phase(StrEnum):
    """Where the ModelDeployment stands, in a word for people."""

    PENDING = "Pending"
    TRAINING = "Training"
    EVALUATING = "Evaluating"
    DEPLOYING = "Deploying"
    READY = "Ready"
    COLLECTING_LABELS = "CollectingLabels"
    DEGRADED = "Degraded"
    FAILED = "Failed"
    PAUSED = "Paused"


class ChampionStatus(Resource, frozen=True, kw_only=True):
    """The version that takes traffic."""

    version: int
    holdout: float
    """Accuracy on held-out rows at its gate."""
    training_hash: str
    promoted_at: str
    """RFC 3339."""


class CandidateStatus(Resource, frozen=True, kw_only=True):
    """The version that is being made."""

    version: int
    phase: str
    message: str = ""


class LiveStatus(Resource, frozen=True, kw_only=True):
    """The live accuracy of the champion, rounded as shown; exact figures are in the hub and in metrics."""

    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    samples: int = 0
    coverage: float | None = None
    as_of: str = ""


class RetrainingStatus(Resource, frozen=True, kw_only=True):
    """What retraining did and when it may go on."""

    count: int = 0
    """Retraining runs started in the object's life; the first training is none."""
    attempt: int = 0
    """Attempts since the last alarm, request or change that failed to give a better model."""
    last_trigger: str = ""
    last_message: str = ""
    last_time: str | None = None
    next_eligible_time: str | None = None
    handled_request: str = ""
    """Token of the last evermodel.dev/retrain annotation that was acted on."""


class ModelDeploymentStatus(Resource, frozen=True, kw_only=True):
    """What the operator knows and did."""

    observed_generation: int = -1
    phase: Phase = Phase.PENDING
    conditions: tuple[Condition, ...] = ()
    champion: ChampionStatus | None = None
    candidate: CandidateStatus | None = None
    live: LiveStatus | None = None
    retraining: RetrainingStatus = RetrainingStatus()
    url: str = ""
    replicas: int = 0
    selector: str = ""
