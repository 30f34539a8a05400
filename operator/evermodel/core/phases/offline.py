"""Offline evaluation: by the clock, a Job scores the champion on labelled production records. It only alerts.

The detector sees the objective alone, label by label; here is everything that a candidate would have to meet, measured
on the champion. What is due follows from what is recorded: times that were missed make one Job, named by the time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from evermodel.api.conditions import ConditionStatus, ConditionType, Reason
from evermodel.api.modeldeployment import ConstraintResult, OfflineStatus
from evermodel.constraints import Demands, missed, unknown
from evermodel.contract import FailureReport, OfflineReport, PairedScore
from evermodel.core import facts, names
from evermodel.core.actions import CreateJob, EnsureSecrets
from evermodel.core.conditions import Wanted, shortened
from evermodel.core.cron import parse_schedule
from evermodel.core.objectives import objective_of, rounded
from evermodel.core.observed import JobState, JobView, Observed, VersionView
from evermodel.core.phases.evaluation import demands_of
from evermodel.core.phases.jobs import REPORT_PATIENCE, SOON
from evermodel.core.questions import current_quality
from evermodel.core.runs import measure_of, offline_run
from evermodel.core.step import NOTHING, Step
from evermodel.core.timestamps import parse_time, rfc3339

_PRODUCTION = "production"
_VERDICTS = {
    Reason.ABOVE_THRESHOLD: ConditionStatus.TRUE,
    Reason.BELOW_THRESHOLD: ConditionStatus.FALSE,
    Reason.CONSTRAINT_BROKEN: ConditionStatus.FALSE,
}


def due_time(observed: Observed) -> datetime | None:
    """Return the first time of the schedule since the champion took traffic and since the last such evaluation."""
    declared, champion = observed.model.spec.monitoring.offline, facts.watched(observed)
    if declared is None or champion is None:
        return None
    known = observed.model.status.offline
    times = [champion.status.promoted_at]
    if known is not None:
        times += [known.scheduled_time, known.finished_at]
    since = max((time for text in times if (time := parse_time(text)) is not None), default=champion.created_at)
    return parse_schedule(declared.schedule).next_after(since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The evaluation that is next."""

    champion: VersionView
    due: datetime
    job_name: str


def next_evaluation(observed: Observed) -> Evaluation | None:
    """Return what is next; None where nothing is declared or ever due."""
    due, champion = due_time(observed), facts.watched(observed)
    if due is None or champion is None:
        return None
    name = names.offline_job_name(observed.model.key.name, champion.number, due)
    return Evaluation(champion=champion, due=due, job_name=name)


def step(observed: Observed, now: datetime) -> Step:
    """Start the Job that is due; not while a version is being made, which may replace what would be scored."""
    coming = next_evaluation(observed)
    if coming is None or observed.model.spec.paused:
        return NOTHING
    if now < coming.due:
        return Step(due=coming.due)
    job = observed.jobs.get(coming.job_name)
    if job is not None:
        return _waits(job, now)
    if facts.active(observed) is not None:
        return NOTHING
    quality = current_quality(observed)
    if quality is None or not observed.hub.ready:
        return Step(due=now + SOON)
    run = offline_run(observed, coming.champion, through=quality.last_seq, scheduled=rfc3339(coming.due))
    return Step(actions=(CreateJob(name=coming.job_name, version=coming.champion.name, run=run),))


def result(observed: Observed, now: datetime) -> OfflineStatus | None:
    """Return what the newest evaluation found: that of the Job that has ended, else what is recorded."""
    if observed.model.spec.monitoring.offline is None:
        return None
    known, coming = observed.model.status.offline, next_evaluation(observed)
    if coming is None:
        return known
    job, champion = observed.jobs.get(coming.job_name), coming.champion
    if job is None or job.owner_uid != champion.uid or not _has_said_all(job, now):
        return known
    scheduled = rfc3339(coming.due)
    if isinstance(job.report, OfflineReport) and job.report.scheduled == scheduled:
        return _judged(observed, champion, job, job.report)
    return OfflineStatus(
        scheduled_time=scheduled,
        finished_at=_end_of(job, coming.due),
        version=champion.number,
        reason=Reason.OFFLINE_FAILED.value,
        message=shortened(f"Job {job.name} has not scored version {champion.number}: {_why(job)}"),
    )


def condition(observed: Observed, now: datetime) -> Wanted | None:
    """Say whether the champion meets everything on production records; None where nobody asks."""
    champion = facts.champion(observed)
    if observed.model.spec.monitoring.offline is None or champion is None:
        return None
    found = result(observed, now)
    if found is None or found.version != champion.number:
        due = due_time(observed)
        when = f"the schedule calls for it at {rfc3339(due)}" if due is not None else "the schedule never calls for it"
        return _wanted(
            Reason.NOT_SCORED, f"Version {champion.number} has not been scored on production records: {when}."
        )
    return _wanted(Reason(found.reason), found.message)


def _wanted(reason: Reason, message: str) -> Wanted:
    status = _VERDICTS.get(reason, ConditionStatus.UNKNOWN)
    return Wanted(type=ConditionType.OFFLINE_HEALTHY, status=status, reason=reason.value, message=message)


def _waits(job: JobView, now: datetime) -> Step:
    if job.missing_secret:
        return Step(actions=(EnsureSecrets(hub=False, model=True),))
    return Step(due=now + SOON) if job.state is JobState.SUCCEEDED or job.deleting else NOTHING


def _has_said_all(job: JobView, now: datetime) -> bool:
    """Tell whether nothing more is to come of a Job: it failed, or its report is there or has been given up."""
    if job.state is JobState.SUCCEEDED:
        return job.report is not None or job.finished_at is None or now >= job.finished_at + REPORT_PATIENCE
    return job.state is JobState.FAILED


def _why(job: JobView) -> str:
    if isinstance(job.report, FailureReport):
        return job.report.message
    if job.message:
        return job.message
    if job.failure is not None:
        return f"it ended with {job.failure.value}."
    return "its report is nowhere." if job.state is JobState.SUCCEEDED else "it left no message: see its log."


def _end_of(job: JobView, due: datetime) -> str:
    return rfc3339(job.finished_at or due)


def _judged(observed: Observed, champion: VersionView, job: JobView, report: OfflineReport) -> OfflineStatus:
    reason, message = _verdict(observed, champion, report)
    score = report.score

    def shown(value: float | None) -> float | None:
        return None if value is None else rounded(observed.model.spec.objective, value, 4)

    return OfflineStatus(
        scheduled_time=report.scheduled,
        finished_at=_end_of(job, job.created_at),
        version=champion.number,
        reason=reason.value,
        message=shortened(message),
        samples=report.rows,
        value=shown(score.candidate if score is not None else None),
        lower=shown(report.lower),
        upper=shown(report.upper),
        metrics=score.metrics if score is not None else {},
        constraints=_constraints(observed, score) if score is not None else (),
        report=report.report.json if report.report is not None else None,
    )


def _verdict(observed: Observed, champion: VersionView, report: OfflineReport) -> tuple[Reason, str]:
    """Judge by today's threshold and constraints, as a gate does; the metric by its whole interval."""
    spec, score = observed.model.spec, report.score
    demands = demands_of(spec)
    measure, threshold = objective_of(spec.objective), spec.objective.threshold
    if score is None or report.rows < spec.monitoring.min_samples:
        return Reason.INCONCLUSIVE, (
            f"{report.rows:,} labelled production records that version {champion.number} has not learnt from could be "
            f"scored; monitoring.minSamples asks for {spec.monitoring.min_samples:,}."
        )
    told = f"{measure.told[:1].upper()}{measure.told[1:]} {measure.shown(score.candidate)}"
    if report.lower is not None and report.upper is not None:
        told += f" (95 % interval {measure.shown(report.lower)} to {measure.shown(report.upper)})"
        best = report.lower if measure.metric.lower_is_better else report.upper
        if measure.gain(best, over=threshold) < 0:
            where = f"{report.rows:,} labelled production records"
            message = f"{told} of version {champion.number} over {where} is {measure.worse_side} {threshold:g}."
            return Reason.BELOW_THRESHOLD, message
    told += f" of version {champion.number} over {report.rows:,} labelled production records"
    if (broken := missed(_measured(demands, score), measure, _PRODUCTION, score)) is not None:
        return Reason.CONSTRAINT_BROKEN, f"Version {champion.number}: {broken}"
    if (lacking := unknown(demands, _PRODUCTION, score)) is not None:
        return Reason.INCONCLUSIVE, f"{told}; {lacking}"
    if measure.gain(score.candidate, over=threshold) < 0:
        return Reason.INCONCLUSIVE, f"{told} misses {threshold:g} by no more than chance: more records will tell."
    return Reason.ABOVE_THRESHOLD, f"{told} meets {threshold:g}, and every constraint holds."


def _measured(demands: Demands, score: PairedScore) -> Demands:
    """Leave out what has no value: what is broken is broken whatever else is unknown."""
    return replace(demands, constraints=tuple(one for one in demands.constraints if str(one.metric) in score.metrics))


def _constraints(observed: Observed, score: PairedScore) -> tuple[ConstraintResult, ...]:
    found = []
    for declared in observed.model.spec.evaluation.constraints:
        measure = measure_of(declared)
        value = score.metrics.get(str(measure))
        met = None if value is None else measure.gain(value, over=declared.threshold) >= 0
        found.append(ConstraintResult(metric=str(measure), threshold=declared.threshold, value=value, met=met))
    return tuple(found)
