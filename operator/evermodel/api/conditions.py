"""Conditions and their reasons: the part of the status that other programs read."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta


class ConditionType(StrEnum):
    """Conditions of a ModelDeployment. Reconciling and Stalled exist only while true, as kstatus expects.

    OfflineHealthy is there where spec.monitoring.offline is declared, Autoscaled where spec.serving.autoscaling is,
    Stable and DataQuality once the hub has compared requests with what the champion learnt from.
    """

    READY = "Ready"
    HEALTHY = "Healthy"
    TRAINED = "Trained"
    OFFLINE_HEALTHY = "OfflineHealthy"
    STABLE = "Stable"
    DATA_QUALITY = "DataQuality"
    AUTOSCALED = "Autoscaled"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class ConditionStatus(StrEnum):
    """Kubernetes knows three."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One condition, as in metav1.Condition."""

    type: ConditionType
    """Which condition; Reconciling and Stalled are there only while true."""
    status: ConditionStatus
    """Whether it holds; Unknown when nobody can tell."""
    reason: Annotated[str, Meta(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """Why, in one word."""
    message: Annotated[str, Meta(max_length=32768)]
    """Why, in a sentence with its figures and what to do."""
    last_transition_time: Annotated[str, Meta(title="RFC 3339 time", max_length=64)]
    """When the status last changed."""
    observed_generation: int
    """Generation of the spec that the condition is about."""


class Reason(StrEnum):
    """Reasons of conditions, Events and triggers. Reasons of failed runs are contract.FailureReason."""

    # Ready
    SERVING = "Serving"
    NO_VERSION = "NoVersionYet"
    ROLLING_OUT = "RollingOut"
    REPLICAS_UNAVAILABLE = "ReplicasUnavailable"
    PIN_NOT_FOUND = "PinnedVersionNotFound"
    # Healthy
    ABOVE_THRESHOLD = "AboveThreshold"
    BELOW_THRESHOLD = "BelowThreshold"
    INCONCLUSIVE = "Inconclusive"
    COLLECTING_LABELS = "CollectingLabels"
    WOULD_RETRAIN = "WouldRetrain"
    NOTHING_NEW = "NothingNew"
    NO_ESTIMATOR = "NoEstimator"
    COOLING_DOWN = "CoolingDown"
    RETRAINING = "Retraining"
    RETRAINING_EXHAUSTED = "RetrainingExhausted"
    HUB_UNREACHABLE = "HubUnreachable"
    # OfflineHealthy, besides AboveThreshold, BelowThreshold and Inconclusive
    CONSTRAINT_BROKEN = "ConstraintBroken"
    OFFLINE_FAILED = "OfflineEvaluationFailed"
    NOT_SCORED = "NotScoredYet"
    # Stable and DataQuality; Drift is a trigger, too
    AS_LEARNT = "AsLearnt"
    COLLECTING_ROWS = "CollectingRows"
    DRIFT = "Drift"
    DATA_PROBLEM = "DataProblem"
    # Autoscaled
    SCALING = "Scaling"
    AWAITING_METRICS = "AwaitingMetrics"
    CANNOT_SCALE = "CannotScale"
    # Trained
    PROMOTED = "Promoted"
    ADOPTED = "Adopted"
    REJECTED = "Rejected"
    SUPERSEDED = "Superseded"
    RUN_FAILED = "RunFailed"
    # triggers of a run
    FIRST_VERSION = "FirstVersion"
    SPEC_CHANGED = "SpecChanged"
    REQUESTED = "Requested"
    ACCURACY_ALARM = "AccuracyAlarm"
    MORE_LABELS = "MoreLabels"
    ONLINE_UPDATE = "OnlineUpdate"
    SCHEDULED = "Scheduled"
    DATA_CHANGED = "DataChanged"
    # Reconciling and Stalled
    PROGRESSING = "Progressing"
    RETRYING = "Retrying"
    PAUSED = "Paused"
    # Events alone
    TRAINING_WARNING = "TrainingWarning"
