"""A version in training: its Job is made once, watched, and its report read."""

from __future__ import annotations

from datetime import datetime

import msgspec

from evermodel.api.conditions import Reason
from evermodel.api.modelversion import EpochsRun, SearchRun, VersionFailure, VersionPhase
from evermodel.contract import EvaluationReport, FailureReason, NothingNewReport, OfflineReport, TrainReport
from evermodel.core import facts, members, names
from evermodel.core.actions import Action, CreateJob, EnsureSecrets
from evermodel.core.observed import Observed, VersionView
from evermodel.core.phases import jobs, progress, workers
from evermodel.core.phases.evaluation import begin, wait_for_labels
from evermodel.core.questions import looks_at, running_job
from evermodel.core.runs import train_run
from evermodel.core.step import Step
from evermodel.core.timestamps import rfc3339

_MOST_NOTES = 16


def step(observed: Observed, version: VersionView, now: datetime) -> Step:
    """Take a version in training one step further."""
    if version.spec.adopted_manifest is not None:
        return _adopt(observed, version, now)
    job = facts.job_of(observed, version)
    if job is None:
        return _start(observed, version, now)
    report = jobs.result(version, job, now)
    if isinstance(report, Step):
        return report if running_job(observed) is None else _watch(observed, version, now)
    if not isinstance(report, TrainReport):
        return _without_a_model(version, job.name, report, now)
    trained = msgspec.structs.replace(
        version.status,
        manifest=report.manifest,
        data_sha256=report.data_sha256,
        rows=report.rows,
        feedback_rows=report.feedback_rows,
        window=report.window,
        format=report.format.value,
        format_reason=report.format_reason,
        notes=(*workers.told(version), *report.notes)[:_MOST_NOTES],
        progress=None,
        epochs=None if report.epochs is None else EpochsRun(**msgspec.structs.asdict(report.epochs)),
        started_from=report.started_from,
        search=None if report.search is None else SearchRun(**msgspec.structs.asdict(report.search)),
        started_at=version.status.started_at or rfc3339(version.created_at),
    )
    if looks_at(version):
        return wait_for_labels(observed, version, trained)
    return begin(observed, version, trained)


def _watch(observed: Observed, version: VersionView, now: datetime) -> Step:
    """Say how far it is, and which pods it has to do without: one write at a time."""
    missing, shown = workers.watch(observed, version, now), progress.show(observed, version, now)
    if missing.actions:
        return missing
    dues = [due for due in (missing.due, shown.due) if due is not None]
    return Step(actions=shown.actions, due=min(dues, default=None))


def _start(observed: Observed, version: VersionView, now: datetime) -> Step:
    """Create the Job; with the object's first one come the tokens that its pods need."""
    obstacle = members.obstacle(observed, version.spec.training)
    if obstacle is not None:
        return jobs.failure(version, FailureReason.SPEC_INVALID, obstacle, now)
    actions: list[Action] = []
    if all(known.status.manifest is None for known in observed.versions):
        actions.append(EnsureSecrets(hub=False, model=True))
    name = names.train_job_name(observed.model.key.name, version.number)
    actions.append(CreateJob(name=name, version=version.name, run=train_run(observed, version)))
    if version.status.started_at is None:
        started = msgspec.structs.replace(version.status, started_at=rfc3339(version.created_at))
        actions.append(jobs.write(version, started))
    return Step(actions=tuple(actions))


def _without_a_model(
    version: VersionView, job: str, report: NothingNewReport | EvaluationReport | OfflineReport, now: datetime
) -> Step:
    """End a run that fitted nothing: where there was nothing new, it failed in nothing, and nothing is judged."""
    if not isinstance(report, NothingNewReport):
        return jobs.failure(version, FailureReason.CRASHED, f"Job {job} left the report of another kind of run.", now)
    status = msgspec.structs.replace(
        version.status,
        phase=VersionPhase.REJECTED,
        message=report.message,
        failure=VersionFailure(reason=Reason.NOTHING_NEW.value, message=report.message),
        data_sha256=report.data_sha256,
        progress=None,
        started_at=version.status.started_at or rfc3339(version.created_at),
        finished_at=rfc3339(now),
    )
    return Step(actions=(jobs.write(version, status),))


def _adopt(observed: Observed, version: VersionView, now: datetime) -> Step:
    """Take over a champion that the hub remembers: its artifact is there, so no Job is needed."""
    if observed.lineage is None:
        return Step(due=now + jobs.SOON)
    entry = next((entry for entry in observed.lineage if entry.number == version.number), None)
    status = msgspec.structs.replace(
        version.status,
        phase=VersionPhase.CANDIDATE,
        message=version.spec.trigger.message,
        manifest=version.spec.adopted_manifest,
        data_sha256=entry.data_sha256 if entry is not None else None,
        holdout=entry.holdout if entry is not None else None,
        holdout_set=entry.holdout_set if entry is not None else None,
        started_at=rfc3339(version.created_at),
        finished_at=rfc3339(now),
    )
    return Step(actions=(EnsureSecrets(hub=False, model=True), jobs.write(version, status)))
