"""ModelVersion: the immutable record of one run, owned by its ModelDeployment as a ReplicaSet is by a Deployment."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from evermodel.api.modeldeployment import Data, Resource, Training


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

    reason: str
    message: str
    request: str = ""
    """Token of the evermodel.dev/retrain annotation, when that was the reason."""
    alarm_seq: int | None = None
    """Ledger number of the alarm, when that was the reason."""
    alarm_at: float | None = None
    """Time of the alarm, seconds since the epoch."""


class ModelVersionSpec(Resource, frozen=True, kw_only=True):
    """What the run was started with."""

    number: Annotated[int, Meta(ge=1)]
    trigger: VersionTrigger
    training_hash: str
    image: str
    data: Data
    training: Training
    parent: int | None = None
    feedback_through: int | None = None
    """Ledger number up to which captured labelled records are trained on; absent: none."""
    adopted_manifest: str | None = None
    """Manifest of a version that was adopted from the hub's lineage instead of trained."""


class SetScore(Resource, frozen=True, kw_only=True):
    """Candidate and champion on one held-out set."""

    rows: int
    candidate: float
    dummy: float
    champion: float | None = None
    candidate_only: int = 0
    champion_only: int = 0
    use: int = 1
    metrics: dict[str, float] = {}


class VersionFailure(Resource, frozen=True, kw_only=True):
    """Why the run failed or was rejected."""

    reason: str
    message: str
    exit_code: int | None = None


class ModelVersionStatus(Resource, frozen=True, kw_only=True):
    """What came of the run."""

    phase: VersionPhase = VersionPhase.TRAINING
    message: str = ""
    manifest: str | None = None
    data_sha256: str | None = None
    rows: int | None = None
    feedback_rows: int | None = None
    window: str | None = None
    fresh_through: int | None = None
    """Ledger number up to which fresh rows are judged on, once the evaluation began."""
    reference: SetScore | None = None
    fresh: SetScore | None = None
    holdout: float | None = None
    """Accuracy on the set that decided."""
    holdout_set: str | None = None
    failure: VersionFailure | None = None
    started_at: str | None = None
    finished_at: str | None = None
    promoted_at: str | None = None
