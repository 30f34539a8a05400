"""ModelDeployment: what a user declares, and what the operator answers in its status."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from evermodel.api.container import Container
from evermodel.api.data import Data, DataFormat, Holdout, SecretRef, TrainData
from evermodel.api.estimators import REGRESSORS, Estimator, Preprocessing, Transformer
from evermodel.api.evaluation import ClassName, Constraint, CustomMetric, EvaluationMetric, Slice
from evermodel.api.fields import ColumnName, Digest, Duration, Quantity, Resource
from evermodel.api.serving import Autoscaling, Grpc, Serving
from evermodel.api.status import (
    CandidateStatus,
    ChampionStatus,
    ColumnDrift,
    ConstraintResult,
    DataProblem,
    DriftStatus,
    LiveStatus,
    ModelDeploymentStatus,
    OfflineStatus,
    Phase,
    RetrainingStatus,
)
from evermodel.api.template import EnvVar, PodTemplate, Resources, Toleration
from evermodel.api.training import (
    CHAMPION,
    Ensemble,
    Epochs,
    FinalEstimator,
    Member,
    MemberStep,
    Search,
    Training,
    WarmStart,
)
from evermodel.api.upkeep import (
    CaptureRules,
    DriftRules,
    Monitoring,
    Offline,
    Online,
    Retraining,
    RetrainingData,
    RetrainingMode,
    RetrainingTrigger,
)
from evermodel.contract import Task

__all__ = [
    "CHAMPION",
    "REGRESSORS",
    "Autoscaling",
    "CandidateStatus",
    "CaptureRules",
    "ChampionStatus",
    "ColumnDrift",
    "ColumnName",
    "Constraint",
    "ConstraintResult",
    "Container",
    "Data",
    "DataFormat",
    "DataProblem",
    "DriftRules",
    "DriftStatus",
    "Duration",
    "Ensemble",
    "EnvVar",
    "Epochs",
    "Estimator",
    "Evaluation",
    "EvaluationMetric",
    "FinalEstimator",
    "Grpc",
    "Holdout",
    "ImportedModel",
    "Improvement",
    "LiveStatus",
    "Member",
    "MemberStep",
    "Metric",
    "ModelDeploymentSpec",
    "ModelDeploymentStatus",
    "Monitoring",
    "Objective",
    "Offline",
    "OfflineStatus",
    "Online",
    "Phase",
    "PodTemplate",
    "Preprocessing",
    "Quantity",
    "Resource",
    "Resources",
    "Retraining",
    "RetrainingData",
    "RetrainingMode",
    "RetrainingStatus",
    "RetrainingTrigger",
    "Search",
    "SecretRef",
    "Serving",
    "Slice",
    "Task",
    "Toleration",
    "TrainData",
    "Training",
    "Transformer",
    "WarmStart",
]


class Metric(StrEnum):
    """What the threshold is about."""

    ACCURACY = "accuracy"
    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    RMSE = "rmse"
    MAE = "mae"
    MAPE = "mape"


class Objective(Resource, frozen=True, kw_only=True):
    """The quality that the model must keep in production."""

    threshold: Annotated[
        float,
        Meta(
            gt=0,
            description=(
                "The least that the model must keep of accuracy, precision, recall or f1, as a fraction: 0.93, not 93. "
                "Of an error the most that it may reach: rmse and mae in the target's units, mape as a fraction."
            ),
        ),
    ]
    metric: Annotated[
        Metric,
        Meta(
            description=(
                "What is measured: accuracy of a classifier, or precision, recall or f1 of one of its classes; rmse, "
                "mae or mape of a regressor."
            )
        ),
    ] = Metric.ACCURACY
    positive_class: (
        Annotated[
            ClassName, Meta(description="The class that precision, recall or f1 is about, as the target spells it.")
        ]
        | None
    ) = None


class Improvement(Resource, frozen=True, kw_only=True):
    """When a candidate counts as better."""

    confidence: Annotated[
        float,
        Meta(ge=0.5, lt=1, description="1 − α of the exact one-sided McNemar test over the life of the held-out rows."),
    ] = 0.95
    min_absolute: Annotated[
        float,
        Meta(
            ge=0,
            description="Smallest gain in the objective's metric worth a promotion; of an error, how much smaller.",
        ),
    ] = 0.0


class Evaluation(Resource, frozen=True, kw_only=True):
    """How a candidate is judged."""

    improvement: Improvement = Improvement()
    reference_tolerance: Annotated[
        float,
        Meta(
            ge=0,
            lt=1,
            description=(
                "How much worse than the champion a candidate may be on reference rows; of an error, as a share of the "
                "threshold."
            ),
        ),
    ] = 0.02
    metrics: Annotated[
        tuple[EvaluationMetric, ...],
        Meta(
            max_length=16,
            description="Metrics to record besides those that always are: all of the task, as means over the classes.",
        ),
    ] = ()
    constraints: Annotated[
        tuple[Constraint, ...], Meta(max_length=16, description="What a candidate must meet besides the objective.")
    ] = ()
    custom_metrics: Annotated[
        tuple[CustomMetric, ...],
        Meta(
            max_length=8,
            description="Metrics that containers of the user's own measure: they get truth and predictions alone.",
        ),
    ] = ()
    slices: Annotated[tuple[Slice, ...], Meta(max_length=8, description="Groups of rows to look at apart.")] = ()


class ImportedModel(Resource, frozen=True, kw_only=True):
    """A model that there is, taken over as the first version. It is judged on held-out rows as any other."""

    uri: Annotated[
        str,
        Meta(
            pattern=(
                r"^(hub://[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
                r'|https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/[!-"$-~]*)$'
            ),
            max_length=1024,
            description="An ONNX file or a skops archive: hub://NAME for an uploaded one, or https://HOST/PATH.",
        ),
    ]
    sha256: Digest
    """Digest that the file must have; another file is refused."""


class ModelDeploymentSpec(Resource, frozen=True, kw_only=True):
    """Declare a model, its data and the quality that it must keep."""

    objective: Objective
    data: Data
    training: Training = Training()
    model: ImportedModel | None = None
    task: Annotated[Task, Meta(description="What is predicted: a class, or a number.")] = Task.CLASSIFICATION
    evaluation: Evaluation = Evaluation()
    serving: Serving = Serving()
    monitoring: Monitoring = Monitoring()
    retraining: Retraining = Retraining()
    revision_history_limit: Annotated[int, Meta(ge=1, le=100, description="Archived and failed versions kept.")] = 10
    version: Annotated[int, Meta(ge=1, description="Serve this version and hold it.")] | None = None
    paused: Annotated[bool, Meta(description="Start no run and change no traffic.")] = False
