"""Runs that nobody wants any more: broken off, their Jobs deleted, and waited for."""

from __future__ import annotations

from datetime import datetime

import msgspec

from evermodel.api.modeldeployment import RetrainingMode, RetrainingTrigger
from evermodel.api.modelversion import ACTIVE_PHASES, VersionPhase
from evermodel.core import facts
from evermodel.core.actions import Action, DeleteJob
from evermodel.core.observed import JobState, JobView, Observed, VersionView
from evermodel.core.phases import jobs
from evermodel.core.questions import current_quality
from evermodel.core.step import Step
from evermodel.core.timestamps import rfc3339

SPEC_CHANGED = "The spec was changed while this version was being made."
OVERTAKEN = "The accuracy fell while this version was being made: one that learns from the fall takes its place."
PUT_OFF = "A whole run became due while this update waited for labels: it takes its place."
_UNENDED = frozenset({JobState.PENDING, JobState.RUNNING})


def is_outdated(observed: Observed, version: VersionView) -> bool:
    """Tell whether a run makes what the spec no longer asks for.

    A version that traffic already goes to, one that is pinned and one that is adopted are finished first. Changed pod
    settings alone replace only a run that has not started: they are what keeps it from starting.
    """
    spec = observed.model.spec
    if spec.paused or version.spec.adopted_manifest is not None:
        return False
    if version.number in {facts.traffic_of(observed), spec.version}:
        return False
    if not facts.wants(observed, version) or is_of_the_old_world(observed, version):
        return True
    job = facts.job_of(observed, version)
    waits = version.status.phase is VersionPhase.TRAINING and job is not None and job.state is JobState.PENDING
    return waits and not facts.is_for(observed, version)


def is_of_the_old_world(observed: Observed, version: VersionView) -> bool:
    """Tell whether an alarm overtook a run that labels called for: another that learns from the fall takes its place.

    One that passed its gate meanwhile goes on: it is better than the champion that fell.
    """
    spec, quality = observed.model.spec, current_quality(observed)
    if version.spec.trigger.reason not in facts.BY_LABELS or version.status.phase is VersionPhase.CANDIDATE:
        return False
    if quality is None or quality.alarm is None or (quality.coverage or 0.0) < spec.monitoring.min_coverage:
        return False
    retraining = spec.retraining
    starts_another = retraining.mode is RetrainingMode.AUTOMATIC and retraining.data.include_feedback
    return starts_another and spec.version is None and facts.is_started_by(spec, RetrainingTrigger.ACCURACY)


def why_outdated(observed: Observed, version: VersionView) -> str:
    """Say why a run is broken off."""
    return OVERTAKEN if is_of_the_old_world(observed, version) and facts.wants(observed, version) else SPEC_CHANGED


def supersede(version: VersionView, now: datetime, why: str = SPEC_CHANGED) -> Step:
    """Break a run off; its Job is deleted once the version says so."""
    status = msgspec.structs.replace(
        version.status,
        phase=VersionPhase.SUPERSEDED,
        message=why,
        progress=None,
        started_at=version.status.started_at or rfc3339(version.created_at),
        finished_at=rfc3339(now),
    )
    return Step(actions=(jobs.write(version, status),))


def clean_up(observed: Observed, now: datetime) -> Step:
    """Delete Jobs that run for what is not being made, and break off all runs but the newest."""
    run = facts.active(observed)
    actions: list[Action] = []
    for version in observed.versions:
        if version.status.phase in ACTIVE_PHASES and run is not None and version.number != run.number:
            actions += supersede(version, now).actions
        actions += [
            DeleteJob(name=job.name, uid=job.uid)
            for job in _unwanted_jobs(observed, version)
            if not job.deleting and job.owner_uid == version.uid
        ]
    return Step(actions=tuple(actions))


def _unwanted_jobs(observed: Observed, version: VersionView) -> list[JobView]:
    """Return Jobs that nobody waits for. Those that have ended keep their logs, but for the search beside a training.

    Its pods are as many as are declared, and the journal of the training Job has their trials.
    """
    if version.status.phase is VersionPhase.TRAINING:
        return []
    search = facts.search_job_of(observed, version)
    unwanted = [] if search is None else [search]
    if version.status.phase in ACTIVE_PHASES:
        return unwanted
    others = [job for job in facts.jobs_of(observed, version) if job != search]
    return unwanted + [job for job in others if job.state in _UNENDED]


def leftover(observed: Observed) -> int | None:
    """Return a version that is not being made, yet whose Job or pods are still there: the next run waits for them."""
    run = facts.active(observed)
    left = observed.orphaned | {
        version.number
        for version in observed.versions
        if any(not facts.is_ended(job) for job in facts.jobs_of(observed, version))
    }
    return min(left - {run.number if run is not None else None}, default=None)
