"""What follows from one look at the cluster, without a decision: which version is what, and which run came before."""

from __future__ import annotations

from datetime import datetime, timedelta

from evermodel.api.conditions import Reason
from evermodel.api.modeldeployment import ModelDeploymentSpec, RetrainingTrigger
from evermodel.api.modelversion import ACTIVE_PHASES, SERVABLE_PHASES, VersionPhase
from evermodel.contract import FailureReason, LineageEntry, Strategy
from evermodel.core import names
from evermodel.core.durations import parse_duration
from evermodel.core.hashing import training_hash
from evermodel.core.observed import JobState, JobView, Observed, VersionView
from evermodel.core.timestamps import parse_time
from evermodel.gate import is_clear

FINAL_REASONS = frozenset(
    {
        FailureReason.DATA_INVALID,
        FailureReason.DATA_NOT_FOUND,
        FailureReason.DIGEST_MISMATCH,
        FailureReason.SPEC_INVALID,
        FailureReason.PARITY_FAILED,
        FailureReason.TRAINER_FAILED,
        FailureReason.MODEL_INVALID,
        FailureReason.METRIC_FAILED,
        FailureReason.METRIC_INVALID,
        FailureReason.OUT_OF_MEMORY,
        FailureReason.DEADLINE_EXCEEDED,
        FailureReason.REPORT_LOST,
    }
)
"""Failures that another run with the same data and settings would repeat: a person must change something."""
BY_LABELS = frozenset({Reason.MORE_LABELS, Reason.ONLINE_UPDATE})
"""Reasons of runs that labels call for without an alarm; they have pauses of their own."""
RETRY_PAUSE = timedelta(seconds=30)
"""Pause before the first retry of a run that failed through no fault of its data; it doubles with each."""
_ENDED_WITHOUT_A_MODEL = frozenset({VersionPhase.REJECTED, VersionPhase.FAILED})
_PROMOTED = frozenset({VersionPhase.CHAMPION, VersionPhase.ARCHIVED})
_DOUBLINGS = 16


def champion(observed: Observed) -> VersionView | None:
    """Return the version that was promoted last.

    An operator that died in the middle of a promotion leaves two with this phase: the one that has the traffic is it.
    """
    promoted = [version for version in observed.versions if version.status.phase is VersionPhase.CHAMPION]
    serving = traffic_of(observed)
    return max(
        promoted,
        key=lambda version: (version.number == serving, version.status.promoted_at or "", version.number),
        default=None,
    )


def watched(observed: Observed) -> VersionView | None:
    """Return the champion where it can be watched: not one of another task than the spec has by now."""
    found = champion(observed)
    return found if found is not None and found.spec.task is observed.model.spec.task else None


def traffic_of(observed: Observed) -> int | None:
    """Return the number of the version that the Service sends requests to."""
    return observed.service.version if observed.service is not None else None


def active(observed: Observed) -> VersionView | None:
    """Return the version that is being made."""
    making = [version for version in observed.versions if version.status.phase in ACTIVE_PHASES]
    return making[-1] if making else None


def version_of(observed: Observed, number: int | None) -> VersionView | None:
    """Return the version with a number."""
    return next((version for version in observed.versions if version.number == number), None)


def job_of(observed: Observed, version: VersionView) -> JobView | None:
    """Return the Job that the version's phase is about."""
    model = observed.model.key.name
    if version.status.phase is VersionPhase.EVALUATING:
        return observed.jobs.get(names.evaluate_job_name(model, version.number, current_look(version)))
    return observed.jobs.get(names.train_job_name(model, version.number))


def search_job_of(observed: Observed, version: VersionView) -> JobView | None:
    """Return the Job whose pods make trials beside the version's training Job."""
    return observed.jobs.get(names.search_job_name(observed.model.key.name, version.number))


def jobs_of(observed: Observed, version: VersionView) -> list[JobView]:
    """Return all Jobs of a version."""
    model = observed.model.key.name
    evaluations = (names.evaluate_job_name(model, version.number, look + 1) for look in range(current_look(version)))
    trained = (names.train_job_name(model, version.number), names.search_job_name(model, version.number))
    made = (*trained, *evaluations)
    return [observed.jobs[name] for name in made if name in observed.jobs]


def current_look(version: VersionView) -> int:
    """Return the number of the evaluation that a version is in, or would be in next, from 1."""
    return len(version.status.looks) + 1


def is_ended(job: JobView) -> bool:
    """Tell whether a Job and all its pods have ended."""
    return job.state in {JobState.SUCCEEDED, JobState.FAILED} and job.live_pods == 0


def pinned(observed: Observed) -> VersionView | None:
    """Return the version that spec.version names, when it may be served."""
    version = version_of(observed, observed.model.spec.version)
    return version if version is not None and version.status.phase in SERVABLE_PHASES else None


def newest_run(observed: Observed) -> VersionView | None:
    """Return the newest version whose run was not broken off."""
    runs = [version for version in observed.versions if version.status.phase is not VersionPhase.SUPERSEDED]
    return runs[-1] if runs else None


def last_ended(observed: Observed) -> VersionView | None:
    """Return the newest version whose run ended in a model or in a failure.

    A failure after which a run could read all there is, and found nothing new, is over: the champion stands.
    """
    ended = [version for version in observed.versions if is_promoted(version) or has_no_model(version)]
    newest = newest_run(observed)
    if not ended or newest is None:
        return None
    cured = ended[-1].status.phase is VersionPhase.FAILED and found_nothing_new(newest)
    return (champion(observed) if cured else None) or ended[-1]


def is_promoted(version: VersionView) -> bool:
    """Tell whether the version takes traffic or once did."""
    return version.status.phase in _PROMOTED


def has_no_model(version: VersionView) -> bool:
    """Tell whether the run failed or was judged not good enough; one that found nothing new is neither."""
    return version.status.phase in _ENDED_WITHOUT_A_MODEL and not found_nothing_new(version)


def found_nothing_new(version: VersionView) -> bool:
    """Tell whether the run ended without a fit, since there was nothing new to learn from."""
    failure = version.status.failure
    rejected = version.status.phase is VersionPhase.REJECTED
    return rejected and failure is not None and failure.reason == Reason.NOTHING_NEW


def newest_fitted(observed: Observed) -> VersionView | None:
    """Return the newest version whose run was neither broken off nor ended with nothing new."""
    kept = [version for version in observed.versions if version.status.phase is not VersionPhase.SUPERSEDED]
    runs = [version for version in kept if not found_nothing_new(version)]
    return runs[-1] if runs else None


def is_refused_refit(version: VersionView) -> bool:
    """Tell whether what is declared was fitted and judged not good enough."""
    refused = version.status.phase is VersionPhase.REJECTED and has_no_model(version)
    return refused and version.spec.trigger.strategy in {None, Strategy.REFIT}


def was_fitted(observed: Observed, version: VersionView) -> bool:
    """Tell whether a version learnt from its data: an imported one did not, and an adopted one may be imported."""
    adopted = version.spec.adopted_manifest is not None
    return version.spec.model is None and not (adopted and observed.model.spec.model is not None)


def learnt_on(version: VersionView) -> bool:
    """Tell whether a run let a champion learn on from new records: what its source holds by now, it did not learn."""
    return version.spec.trigger.reason == Reason.ONLINE_UPDATE


def readers(observed: Observed) -> list[VersionView]:
    """Return the versions whose runs read the source to learn from it, oldest first."""
    runs = [version for version in observed.versions if version.status.phase is not VersionPhase.SUPERSEDED]
    return [version for version in runs if version.status.data_sha256 is not None and not learnt_on(version)]


def source_learnt(observed: Observed, version: VersionView) -> str | None:
    """Return the digest of the source that a version learnt from; of one that learnt on, that of the last whole run."""
    fitted = [one for one in readers(observed) if is_promoted(one) and one.number <= version.number]
    return fitted[-1].status.data_sha256 if learnt_on(version) and fitted else version.status.data_sha256


def next_number(observed: Observed) -> int:
    """Return the number of the next version: never one that was given before, as far as anything remembers."""
    remembered = max((entry.number for entry in observed.lineage or ()), default=0)
    return max(remembered, latest_number(observed)) + 1


def latest_number(observed: Observed) -> int:
    """Return the largest number that a version of this object ever had, also when its record was deleted since."""
    known = max((version.number for version in observed.versions), default=0)
    return max(known, observed.model.status.latest_version)


def may_be_cured(version: VersionView) -> bool:
    """Tell whether another run could do better than one that failed: not when data or settings are to blame."""
    failure = version.status.failure
    return failure is None or failure.reason not in FINAL_REASONS


def can_train(observed: Observed) -> bool:
    """Tell whether there is something to train: a model may be imported without it."""
    training = observed.model.spec.training
    makers = (training.estimator, training.ensemble, training.container)
    return any(maker is not None for maker in makers)


def is_for(observed: Observed, version: VersionView) -> bool:
    """Tell whether a version was made from what the spec declares today, pod settings and deadlines included."""
    spec = observed.model.spec
    same_settings = version.spec.data == spec.data and version.spec.training == spec.training
    return same_settings and wants(observed, version)


def wants(observed: Observed, version: VersionView) -> bool:
    """Tell whether a version was made from the data and training, and for the metric, that the spec declares today."""
    return version.spec.training_hash == training_hash(observed.model.spec)


def failed_attempts(observed: Observed, *, alarm_seq: int | None = None, request: str = "") -> list[VersionView]:
    """Return the newest runs in a row that gave no model, all for the same data, alarm and request; oldest first.

    A promotion, a changed spec, another request or another alarm begins a new row. Versions that were superseded count
    neither way. A run that was merely not better counts only after an alarm; one that labels called for never counts.
    """
    row: list[VersionView] = []
    for version in reversed(observed.versions):
        trigger = version.spec.trigger
        if version.status.phase is VersionPhase.SUPERSEDED or version.status.phase in ACTIVE_PHASES:
            continue
        failed = version.status.phase is VersionPhase.FAILED and trigger.reason not in BY_LABELS
        counts = failed or trigger.reason == Reason.ACCURACY_ALARM
        same = (trigger.alarm_seq, trigger.request) == (alarm_seq, request) and is_for(observed, version)
        if not (has_no_model(version) and counts and same):
            break
        row.append(version)
    return row[::-1]


def current_attempts(observed: Observed) -> list[VersionView]:
    """Return the failed attempts that belong to the newest run."""
    newest = newest_run(observed)
    if newest is None or is_promoted(newest):
        return []
    trigger = newest.spec.trigger
    return failed_attempts(observed, alarm_seq=trigger.alarm_seq, request=trigger.request)


def ended_at(version: VersionView) -> datetime | None:
    """Return when a run ended or, when that was later, when its version took the traffic."""
    times = (parse_time(version.status.finished_at), parse_time(version.status.promoted_at))
    return max((time for time in times if time is not None), default=None)


def doubled(pause: timedelta, attempts: int) -> timedelta:
    """Return a pause that doubles with each failed attempt after the first."""
    return pause * (1 << min(max(attempts, 1) - 1, _DOUBLINGS))


def retry_at(version: VersionView, attempts: int) -> datetime:
    """Return when a run that failed through no fault of its data may be repeated."""
    return (ended_at(version) or version.created_at) + doubled(RETRY_PAUSE, attempts)


def judged_through(version: VersionView) -> int:
    """Return the ledger number up to which a run that has ended has looked at labels."""
    return max(version.status.fresh_through or 0, version.spec.feedback_through or 0)


def learnt_through(observed: Observed, champion: VersionView) -> int:
    """Return the ledger number up to which the champion, or a run since, has learnt from labels."""
    runs = [version for version in observed.versions if version.number >= champion.number]
    kept = [version for version in runs if version.status.phase is not VersionPhase.SUPERSEDED]
    return max((version.spec.feedback_through or 0 for version in kept), default=0)


def is_started_by(spec: ModelDeploymentSpec, trigger: RetrainingTrigger) -> bool:
    """Tell whether this may start a run by itself; an empty list leaves nothing out."""
    return not spec.retraining.triggers or trigger in spec.retraining.triggers


def fruitless(observed: Observed, champion: VersionView, reason: Reason) -> list[VersionView]:
    """Return the runs for a reason of ``BY_LABELS`` that gave no better model, since the last clear gain of a champion.

    One that was promoted for a lead that chance makes neither counts nor ends the count: else a world at rest, in which
    equal models follow each other, would see a run each time that minSamples labels have come.
    """
    promoted = [version for version in observed.versions if version.number <= champion.number and is_promoted(version)]
    since = max((version.number for version in promoted if not _led_by_chance(version)), default=0)
    later = [version for version in observed.versions if version.number > since]
    ended = [version for version in later if has_no_model(version) or found_nothing_new(version)]
    return [version for version in ended if version.spec.trigger.reason == reason]


def _led_by_chance(version: VersionView) -> bool:
    fresh = version.status.fresh
    if version.spec.trigger.reason not in BY_LABELS or fresh is None or fresh.champion is None:
        return False
    return not is_clear(fresh)


def alarm_may_run_at(observed: Observed, attempts: int) -> datetime | None:
    """Return when an alarm may start a run: ``cooldown`` after the last run, doubled with each failed attempt.

    After maxAttempts it no longer grows: from then on the pause is counted in labels.
    """
    ends = [ended_at(version) for version in observed.versions if is_promoted(version) or has_no_model(version)]
    last = max((end for end in ends if end is not None), default=None)
    if last is None:
        return None
    retraining = observed.model.spec.retraining
    return last + doubled(parse_duration(retraining.cooldown), min(attempts, retraining.max_attempts))


def adoptable(observed: Observed) -> LineageEntry | None:
    """Return the champion that the hub remembers and that the spec still asks for; only before the first version."""
    if observed.versions or not observed.lineage:
        return None
    pin = observed.model.spec.version
    if pin is not None:
        return next((entry for entry in reversed(observed.lineage) if entry.number == pin), None)
    newest = observed.lineage[-1]
    return newest if newest.training_hash == training_hash(observed.model.spec) else None
