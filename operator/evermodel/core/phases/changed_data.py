"""Retraining on a source that has changed: once for each content, by what versions record to have read."""

from __future__ import annotations

from datetime import datetime

from evermodel.api.conditions import Reason
from evermodel.api.modeldeployment import RetrainingMode, RetrainingTrigger
from evermodel.api.modelversion import ACTIVE_PHASES, VersionPhase
from evermodel.core import facts
from evermodel.core.durations import parse_duration
from evermodel.core.observed import Observed, VersionView
from evermodel.core.questions import current_quality
from evermodel.core.timestamps import rfc3339

_SHOWN = 12
"""Characters of a digest that people tell contents apart by."""
_LEFT_ALONE = ACTIVE_PHASES | {VersionPhase.SUPERSEDED}


def new_content(observed: Observed) -> str | None:
    """Return the digest of the source where no version of today's declaration has read it.

    Where nothing is known to have been read there is nothing to compare with, unless the newest run found no data that
    it could use: then what is there now is something else.
    """
    digest, newest = observed.source.sha256, facts.newest_run(observed)
    if digest is None or newest is None or not facts.can_train(observed):
        return None
    read = [_read(version) for version in observed.versions if _counts(observed, version)]
    failed = newest.status.phase is VersionPhase.FAILED
    if digest in read or not (failed or any(read)):
        return None
    return digest


def begins(observed: Observed, now: datetime) -> bool:
    """Tell whether new content starts a run now."""
    due = may_run_at(observed)
    held = observed.model.spec.retraining.mode is not RetrainingMode.AUTOMATIC or labels_say_when(observed)
    return new_content(observed) is not None and not held and (due is None or due <= now)


def may_run_at(observed: Observed) -> datetime | None:
    """Return when new content may start a run: after a pause that doubles with each such run that gave no model.

    However a source flaps, so many runs and no more come of it. While no version takes traffic the pause is short: the
    content is what somebody corrected.
    """
    newest = facts.newest_run(observed)
    if newest is None:
        return None
    runs = _without_a_model(observed)
    if facts.champion(observed) is None:
        return facts.retry_at(newest, len(runs))
    retraining = observed.model.spec.retraining
    pause = facts.doubled(parse_duration(retraining.cooldown), min(len(runs), retraining.max_attempts))
    return (facts.ended_at(newest) or newest.created_at) + pause


def describe(observed: Observed) -> str:
    """Say that the source has new content, with its digest."""
    uri = observed.model.spec.data.train.uri
    return f"{uri} has new content (sha256 {(observed.source.sha256 or '')[:_SHOWN]}), which no version has learnt from"


def why_it_waits(observed: Observed, now: datetime) -> str:
    """Say what keeps new content from starting a run; empty where there is none, or a run is about to start."""
    spec = observed.model.spec
    if observed.source.error:
        return f"Whether {spec.data.train.uri} has changed is not known: {observed.source.error}."
    if new_content(observed) is None or facts.active(observed) is not None:
        return ""
    told = describe(observed)
    if spec.retraining.mode is not RetrainingMode.AUTOMATIC:
        return f"{told}: retraining.mode {spec.retraining.mode} keeps a run from starting."
    if spec.paused or spec.version is not None:
        return f"{told}: spec.{'paused' if spec.paused else 'version'} keeps a run from starting."
    if labels_say_when(observed):
        return f"{told}: after the alarm, labels say when the next run starts."
    due = may_run_at(observed)
    return f"{told}: the next run may start at {rfc3339(due)}." if due is not None and now < due else ""


def labels_say_when(observed: Observed) -> bool:
    """Tell whether an alarm stands that labels can cure: until it is over, the loop goes its own way."""
    spec, quality = observed.model.spec, current_quality(observed)
    by_labels = spec.retraining.data.include_feedback and facts.is_started_by(spec, RetrainingTrigger.ACCURACY)
    return by_labels and quality is not None and quality.alarm is not None


def _counts(observed: Observed, version: VersionView) -> bool:
    return version.status.phase not in _LEFT_ALONE and facts.wants(observed, version) and not facts.learnt_on(version)


def _read(version: VersionView) -> str | None:
    """Return the digest of what a run has read or, where it read nothing, of what it was begun for."""
    return version.status.data_sha256 or version.spec.source_sha256


def _without_a_model(observed: Observed) -> list[VersionView]:
    """Return the newest runs in a row that new content began, or that failed before there was a model."""
    row: list[VersionView] = []
    for version in reversed(observed.versions):
        if version.status.phase in _LEFT_ALONE:
            continue
        began = version.spec.trigger.reason == Reason.DATA_CHANGED or facts.champion(observed) is None
        if facts.is_promoted(version) or not began:
            break
        row.append(version)
    return row
