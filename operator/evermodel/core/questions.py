"""What to ask the hub about the champion, and whether its answer is to the question that matters now."""

from __future__ import annotations

import msgspec

from evermodel import pace
from evermodel.api.modelversion import VersionPhase
from evermodel.contract import Alarm, DriftQuery, Quality, QualityQuery
from evermodel.core import facts
from evermodel.core.durations import parse_duration
from evermodel.core.objectives import objective_of
from evermodel.core.observed import JobState, Observed, VersionView
from evermodel.gate import IN_PRODUCTION, Looks

_BEFORE_JUDGEMENT = frozenset({VersionPhase.TRAINING, VersionPhase.AWAITING_LABELS})


def quality_query(observed: Observed) -> QualityQuery | None:
    """Return the question to ask now; None while no version takes traffic that the objective is about.

    Records are counted for the next thing that needs them: rows to judge a waiting candidate on, after an alarm rows of
    the new world to train on, else rows that no run has learnt from. The alarm is the one of the last answer, so that
    the question after an alarm counts for it.
    """
    champion = facts.watched(observed)
    if champion is None:
        return None
    after, since = _records_wanted(observed, champion)
    return msgspec.structs.replace(_watched(observed, champion), records_after=after, predicted_after=since)


def running_job(observed: Observed) -> VersionView | None:
    """Return the version whose Job runs, to be asked what it is doing."""
    version = facts.active(observed)
    job = facts.job_of(observed, version) if version is not None else None
    if version is None or job is None or job.deleting or job.owner_uid != version.uid:
        return None
    return version if job.state is JobState.RUNNING else None


def needs_lineage(observed: Observed) -> bool:
    """Tell whether to ask the hub for its lineage: before the first version, and while one is being adopted."""
    adopted = (version.spec.adopted_manifest is not None for version in observed.versions if _in_training(version))
    return not observed.versions or any(adopted)


def current_quality(observed: Observed) -> Quality | None:
    """Return the hub's answer when it is about the champion and today's threshold; its record count may be stale."""
    champion = facts.watched(observed)
    quality, query = observed.quality, observed.quality_query
    if champion is None or quality is None or quality.version != champion.number:
        return None
    if query is None:
        return quality
    watched = msgspec.structs.replace(query, records_after=0, predicted_after=0.0)
    return quality if watched == _watched(observed, champion) else None


def records_counted(observed: Observed) -> int | None:
    """Return how many records the next step can use; None until the hub has answered the question about them."""
    quality = current_quality(observed)
    if quality is None or observed.quality_query != quality_query(observed):
        return None
    return quality.records_counted


def looks_at(version: VersionView) -> Looks:
    """Return the looks at which production records alone judge a version; none where other rows may, too.

    Those of a run that labels called for, and of one after an alarm, which is recorded only where records are captured.
    """
    trigger = version.spec.trigger
    return IN_PRODUCTION if trigger.reason in facts.BY_LABELS or trigger.alarm_at is not None else ()


def records_to_train(observed: Observed, alarm: Alarm) -> tuple[int, int]:
    """Return the ledger number after which records count for the next run after an alarm, and how many it needs.

    Those since the change; once maxAttempts gave no better model, those since the last attempt, more each time.
    """
    spec = observed.model.spec
    attempts = facts.failed_attempts(observed, alarm_seq=alarm.seq)
    if len(attempts) < spec.retraining.max_attempts:
        return alarm.changed_after, pace.labels_to_train(spec.monitoring.min_samples)
    pause = pace.pause_after(
        len(attempts), max_attempts=spec.retraining.max_attempts, min_samples=spec.monitoring.min_samples
    )
    return facts.judged_through(attempts[-1]), pause


def trained_through(version: VersionView, champion: VersionView | None) -> int:
    """Return the ledger number up to which either model may have been trained on records."""
    return max(version.spec.feedback_through or 0, (champion and champion.spec.feedback_through) or 0)


def _in_training(version: VersionView) -> bool:
    return version.status.phase is VersionPhase.TRAINING


def _watched(observed: Observed, champion: VersionView) -> QualityQuery:
    """Return the question without what it counts: of which version, against which threshold."""
    spec = observed.model.spec
    return QualityQuery(
        version=champion.number,
        measure=objective_of(spec.objective),
        threshold=spec.objective.threshold,
        tolerance=spec.monitoring.tolerance,
        false_alarm_every=float(spec.monitoring.false_alarm_every),
        window=spec.monitoring.window,
        label_delay=parse_duration(spec.monitoring.label_delay).total_seconds(),
        drift=_drift(observed),
    )


def _drift(observed: Observed) -> DriftQuery:
    declared = observed.model.spec.monitoring.drift
    return DriftQuery(
        threshold=declared.threshold,
        window=parse_duration(declared.window).total_seconds(),
        min_samples=declared.min_samples,
    )


def _records_wanted(observed: Observed, champion: VersionView) -> tuple[int, float]:
    run = facts.active(observed)
    if run is not None and run.status.phase in _BEFORE_JUDGEMENT and looks_at(run):
        return trained_through(run, champion), run.spec.trigger.alarm_at or 0.0
    quality = current_quality(observed)
    if quality is None or quality.alarm is None:
        return facts.learnt_through(observed, champion), 0.0
    after, _ = records_to_train(observed, quality.alarm)
    return after, 0.0
