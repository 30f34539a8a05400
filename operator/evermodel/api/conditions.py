"""Conditions and their reasons: the part of the status that other programs read."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta


class ConditionType(StrEnum):
    """Conditions of a ModelDeployment. Reconciling and Stalled exist only while true, as kstatus expects."""

    READY = "Ready"
    HEALTHY = "Healthy"
    TRAINED = "Trained"
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
    status: ConditionStatus
    reason: Annotated[str, Meta(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    message: Annotated[str, Meta(max_length=32768)]
    last_transition_time: str
    observed_generation: int


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
    COOLING_DOWN = "CoolingDown"
    RETRAINING = "Retraining"
    RETRAINING_EXHAUSTED = "RetrainingExhausted"
    HUB_UNREACHABLE = "HubUnreachable"
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
    # Reconciling and Stalled
    PROGRESSING = "Progressing"
    RETRYING = "Retrying"
    PAUSED = "Paused"
