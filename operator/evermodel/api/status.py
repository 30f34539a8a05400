"""Status of a ModelDeployment: what the operator knows and did."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from evermodel.api.conditions import Condition
from evermodel.api.fields import Message, Resource, Text, Time, Token


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
    """Number of the version."""
    holdout: float
    """The metric on held-out rows at its gate."""
    training_hash: Text
    """Digest of the data and training that it was made with."""
    promoted_at: Time
    """When it took the traffic."""


class CandidateStatus(Resource, frozen=True, kw_only=True):
    """The version that is being made."""

    version: int
    """Number of the version."""
    phase: Text
    """Where its run stands."""
    message: Message = ""
    """What it is doing or waiting for."""
    warnings: Annotated[tuple[Message, ...], Meta(max_length=16)] = ()
    """What its training warns of; the version's notes keep it."""


class LiveStatus(Resource, frozen=True, kw_only=True):
    """The live metric of the champion, rounded as shown; exact figures are in the hub and in metrics."""

    value: float | None = None
    """The metric over the last labelled predictions."""
    lower: float | None = None
    """Lower end of its 95 % interval."""
    upper: float | None = None
    """Upper end of its 95 % interval."""
    samples: int = 0
    """Labelled predictions that the value is over."""
    coverage: float | None = None
    """Share of the champion's predictions whose label has come."""
    as_of: Time = ""
    """When these figures were read."""


class ConstraintResult(Resource, frozen=True, kw_only=True):
    """One of spec.evaluation.constraints on production records."""

    metric: Text
    """What was measured, such as recall of fraud."""
    threshold: float
    """What it must meet."""
    value: float | None = None
    """What it was; absent where it has no value on these records."""
    met: bool | None = None
    """Whether that will do."""


class OfflineStatus(Resource, frozen=True, kw_only=True):
    """The newest evaluation of the champion on labelled production records, by the clock."""

    scheduled_time: Time
    """Time of the schedule that it was for."""
    finished_at: Time
    """When its Job ended."""
    version: int
    """Number of the version that was scored."""
    reason: Text
    """What came of it, as in the condition OfflineHealthy."""
    message: Message = ""
    """The same in a sentence, with its figures."""
    samples: int = 0
    """Records that were scored."""
    value: float | None = None
    """The objective's metric on them."""
    lower: float | None = None
    """Lower end of its 95 % interval."""
    upper: float | None = None
    """Upper end of its 95 % interval."""
    metrics: Annotated[dict[str, float], Meta(max_length=64)] = {}
    """All metrics that have a value."""
    constraints: Annotated[tuple[ConstraintResult, ...], Meta(max_length=16)] = ()
    """What each of spec.evaluation.constraints came to."""
    report: Text | None = None
    """sha256 of the report as JSON, slices included; the hub has it at /v1/models/MODEL/versions/NUMBER/offline and
    …/offline.html."""


class ColumnDrift(Resource, frozen=True, kw_only=True):
    """How far one feature has moved."""

    name: Text
    """Its name."""
    psi: float
    """Population stability index of the newest window."""


class DataProblem(Resource, frozen=True, kw_only=True):
    """In what the data that come are not those that the model was made for."""

    kind: Text
    """Missing, Outside (values that it never learnt from) or Refused (requests)."""
    column: Text = ""
    """Which column; none of requests."""
    share: float
    """Share of the rows, values or requests."""
    usual: float
    """What it was where the model learnt."""


class DriftStatus(Resource, frozen=True, kw_only=True):
    """How what came in differs from what the champion learnt from; the hub has all columns with their histograms."""

    version: int
    """Number of the version that is compared."""
    largest: float | None = None
    """Largest PSI of all columns."""
    features: Annotated[tuple[ColumnDrift, ...], Meta(max_length=5)] = ()
    """Those that have moved furthest."""
    prediction: float | None = None
    """PSI of the predictions."""
    drifted: Annotated[tuple[Text, ...], Meta(max_length=6)] = ()
    """Columns with drift, by name, the prediction among them: of many, those shown here."""
    problems: Annotated[tuple[DataProblem, ...], Meta(max_length=5)] = ()
    """What the condition DataQuality is about."""
    rows: int = 0
    """Rows of the newest window that were counted."""
    judged: bool = False
    """Whether there are two whole windows; before, the figures are of what came so far."""
    as_of: Time = ""
    """When these figures were read."""


class RetrainingStatus(Resource, frozen=True, kw_only=True):
    """What retraining did and when it may go on."""

    count: int = 0
    """Retraining runs started in the object's life; the first training is none."""
    attempt: int = 0
    """Attempts since the last alarm, request or change that failed to give a better model."""
    last_trigger: Text = ""
    """Reason of the last retraining."""
    last_message: Message = ""
    """The same in a sentence, with its figures."""
    last_time: Time | None = None
    """When the last retraining was started."""
    next_eligible_time: Time | None = None
    """When an alarm may start the next one."""
    next_scheduled_time: Time | None = None
    """When the schedule calls for the next run."""
    nothing_new: Message = ""
    """Why the schedule starts no run, or why its last one trained nothing; empty where there is something to learn."""
    data_changed: Message = ""
    """Why new content of the source starts no run, or not yet; empty where there is none, or its run is under way."""
    handled_request: Token = ""
    """Token of the last evermodel.dev/retrain annotation that was acted on."""


class ModelDeploymentStatus(Resource, frozen=True, kw_only=True):
    """What the operator knows and did."""

    observed_generation: int = -1
    """Generation of the spec that this status is about; −1 until the operator has seen the object."""
    phase: Phase = Phase.PENDING
    conditions: Annotated[tuple[Condition, ...], Meta(max_length=16)] = ()
    """Ready, Healthy and Trained; OfflineHealthy and Autoscaled where they are asked for; Stable and DataQuality once
    requests were compared; Reconciling and Stalled only while true."""
    latest_version: int = 0
    """Largest number that a version of this object ever had: none is given twice."""
    champion: ChampionStatus | None = None
    candidate: CandidateStatus | None = None
    live: LiveStatus | None = None
    offline: OfflineStatus | None = None
    drift: DriftStatus | None = None
    retraining: RetrainingStatus = RetrainingStatus()
    url: Text = ""
    """Where the model answers inside the cluster."""
    replicas: int = 0
    """Serving pods of the champion."""
    selector: Text = ""
    """Label selector of the champion's serving pods, for the scale subresource."""
