"""Pods that make trials of a search beside its training Job, which needs none of them: it goes on alone if it must."""

from __future__ import annotations

from datetime import datetime

import msgspec

from evermodel.api.modelversion import VersionPhase
from evermodel.contract import WARNING, Strategy, TrainRun
from evermodel.core import facts, names
from evermodel.core.actions import CreateSearchJob
from evermodel.core.conditions import shortened
from evermodel.core.durations import parse_duration
from evermodel.core.observed import Observed, VersionView
from evermodel.core.phases import jobs, superseding
from evermodel.core.questions import running_job
from evermodel.core.runs import train_run
from evermodel.core.step import NOTHING, Step

_LOST = f"{WARNING}The search goes on without "
_LONGEST_REASON = 400
_WITHOUT_SEARCH = frozenset({Strategy.REFIT, Strategy.ENSEMBLE})


def begin(observed: Observed) -> Step:
    """Create the Job of the other pods once the training Job runs, which must not wait for a place that they took.

    It comes last in a plan: where it is refused, all else was done.
    """
    version = running_job(observed)
    if version is None or version.deleting or superseding.is_outdated(observed, version):
        return NOTHING
    if version.status.phase is not VersionPhase.TRAINING or facts.search_job_of(observed, version) is not None:
        return NOTHING
    run = train_run(observed, version)
    workers = _wanted(run)
    if not workers:
        return NOTHING
    name = names.search_job_name(observed.model.key.name, version.number)
    return Step(actions=(CreateSearchJob(name=name, version=version.name, run=run, workers=workers),))


def watch(observed: Observed, version: VersionView, now: datetime) -> Step:
    """Write down, once, that pods of a search are missing; look again when they should have started."""
    job = facts.search_job_of(observed, version)
    search = version.spec.training.search
    if job is None or job.deleting or job.owner_uid != version.uid or search is None or told(version):
        return NOTHING
    workers = search.parallelism - 1
    if job.workers.failed:
        return _lost(version, job.workers.failed, workers, job.message)
    waiting = workers - job.workers.running - job.workers.succeeded
    if waiting <= 0:
        return NOTHING
    deadline = version.spec.training.pending_deadline
    due = job.created_at + parse_duration(deadline)
    if now < due:
        return Step(due=due)
    return _lost(version, waiting, workers, job.message or f"not started within pendingDeadline {deadline}")


def told(version: VersionView) -> tuple[str, ...]:
    """Return the note of a version on pods that its search had to do without."""
    return tuple(note for note in version.status.notes if note.startswith(_LOST))


def shown(observed: Observed, version: VersionView) -> str:
    """Say how many pods make trials, where others than that of the training Job do; else nothing."""
    job, search = facts.search_job_of(observed, version), version.spec.training.search
    trains = version.status.phase is VersionPhase.TRAINING
    if not trains or job is None or search is None or not job.workers.running:
        return ""
    return f" ({job.workers.running + 1} of {search.parallelism} pods)"


def _wanted(run: TrainRun) -> int:
    """Return how many pods are to help: none where nothing is searched for."""
    if run.search is None or run.imported is not None or run.strategy in _WITHOUT_SEARCH:
        return 0
    return run.search.parallelism - 1


def _lost(version: VersionView, lost: int, workers: int, why: str) -> Step:
    note = f"{_LOST}{lost} of {workers} pods beside the training Job: {shortened(why, _LONGEST_REASON)}"
    status = msgspec.structs.replace(version.status, notes=(*version.status.notes, note))
    return Step(actions=(jobs.write(version, status),))
