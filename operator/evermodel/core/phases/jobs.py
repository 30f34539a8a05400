"""What a run's Job says, training and evaluation alike: go on waiting, a report, or a failure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

import msgspec

from evermodel.api.modelversion import ModelVersionStatus, VersionFailure, VersionPhase
from evermodel.contract import (
    DATA_ERROR_EXIT_CODE,
    EvaluationReport,
    FailureReason,
    FailureReport,
    NothingNewReport,
    OfflineReport,
    TrainReport,
)
from evermodel.core.actions import EnsureSecrets, WriteVersionStatus
from evermodel.core.conditions import shortened
from evermodel.core.durations import parse_duration
from evermodel.core.observed import JobState, JobView, VersionView
from evermodel.core.step import Step
from evermodel.core.timestamps import rfc3339

Result = TrainReport | NothingNewReport | EvaluationReport | OfflineReport
"""What a Job says that did not fail."""
REPORT_PATIENCE = timedelta(minutes=5)
"""How long a report is looked for after its Job succeeded: training again for it would waste the work."""
SOON = timedelta(seconds=2)
"""When to look again at what should change any moment."""


def result(version: VersionView, job: JobView, now: datetime) -> Result | Step:
    """Return what a Job reports, or what to do as long as it reports nothing."""
    if job.deleting or job.owner_uid != version.uid:  # of an earlier version of this name: it goes away by itself
        return Step(due=now + SOON)
    match job.state:
        case JobState.PENDING:
            return _pending(version, job, now)
        case JobState.RUNNING:
            return Step()
        case JobState.FAILED:
            return _failed_job(version, job, now)
        case JobState.SUCCEEDED:
            return _succeeded(version, job, now)
        case _:
            assert_never(job.state)


def write(version: VersionView, status: ModelVersionStatus) -> WriteVersionStatus:
    """Return the action that records what became of a version."""
    return WriteVersionStatus(name=version.name, resource_version=version.resource_version, status=status)


def failure(
    version: VersionView, reason: FailureReason, message: str, now: datetime, exit_code: int | None = None
) -> Step:
    """Return the step that ends a run in a failure."""
    text = shortened(message) or f"The run ended with {reason.value} and left no message: see the logs of its Job."
    status = msgspec.structs.replace(
        version.status,
        phase=VersionPhase.FAILED,
        message=text,
        progress=None,
        failure=VersionFailure(reason=reason.value, message=text, exit_code=exit_code),
        started_at=version.status.started_at or rfc3339(version.created_at),
        finished_at=rfc3339(now),
    )
    return Step(actions=(write(version, status),))


def _pending(version: VersionView, job: JobView, now: datetime) -> Step:
    deadline = version.spec.training.pending_deadline
    due = (job.pending_since or job.created_at) + parse_duration(deadline)
    if now >= due:
        why = job.message or _unexplained(version)
        return failure(
            version, FailureReason.CANNOT_START, f"Not started within pendingDeadline {deadline}: {why}", now
        )
    secrets = (EnsureSecrets(hub=False, model=True),) if job.missing_secret else ()
    return Step(actions=secrets, due=due)


def _unexplained(version: VersionView) -> str:
    """Say what a pod waits for that says nothing itself: that a volume cannot be mounted is told in Events alone."""
    uri = version.spec.data.train.uri
    if not uri.startswith("pvc://"):
        return "its pod was not scheduled"
    claim = uri.removeprefix("pvc://").partition("/")[0]
    return (
        f"its pod did not get the claim {claim}. A claim that pods of another node use must be ReadWriteMany or "
        "ReadOnlyMany; see the Events of the pod."
    )


def _failed_job(version: VersionView, job: JobView, now: datetime) -> Step:
    if isinstance(job.report, FailureReport):
        return failure(version, job.report.reason, job.report.message, now, job.exit_code)
    if job.failure is not None:
        return failure(version, job.failure, job.message, now, job.exit_code)
    if job.exit_code == DATA_ERROR_EXIT_CODE:
        return failure(version, FailureReason.DATA_INVALID, job.message, now, job.exit_code)
    return failure(version, FailureReason.CRASHED, job.message, now, job.exit_code)


def _succeeded(version: VersionView, job: JobView, now: datetime) -> Result | Step:
    if isinstance(job.report, FailureReport):
        return failure(version, job.report.reason, job.report.message, now, job.exit_code)
    if job.report is not None:
        return job.report
    ended = job.finished_at or job.created_at + parse_duration(version.spec.training.deadline)
    if now < ended + REPORT_PATIENCE:
        return Step(due=now + SOON)
    message = f"Job {job.name} succeeded, but neither its pod nor the hub has its report."
    return failure(version, FailureReason.REPORT_LOST, message, now)
