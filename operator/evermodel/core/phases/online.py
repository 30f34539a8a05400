"""Online updates: the champion learns on from labelled records that came since it learnt, between whole runs."""

from __future__ import annotations

from datetime import datetime

from evermodel import pace
from evermodel.api.conditions import Reason
from evermodel.api.modeldeployment import Online, RetrainingMode
from evermodel.api.modelversion import ACTIVE_PHASES, VersionPhase
from evermodel.core import facts
from evermodel.core.durations import parse_duration
from evermodel.core.observed import Observed, VersionView
from evermodel.core.questions import current_quality, records_counted


def begins(observed: Observed, now: datetime) -> bool:
    """Tell whether an update begins now: enough new records have come, and the pause is over."""
    due = may_run_at(observed)
    return _enough(observed) and (due is None or due <= now)


def waits_until(observed: Observed, now: datetime) -> datetime | None:
    """Return when the pause ends that an update waits for; None where it waits for nothing, or for records."""
    due = may_run_at(observed)
    return due if due is not None and now < due and _enough(observed) else None


def may_run_at(observed: Observed) -> datetime | None:
    """Return when an update may begin: ``minInterval`` after the last run, doubled with each fruitless update."""
    champion, declared = _learning(observed)
    if champion is None or declared is None:
        return None
    left_out = ACTIVE_PHASES | {VersionPhase.SUPERSEDED}
    ends = [facts.ended_at(version) for version in observed.versions if version.status.phase not in left_out]
    last = max((end for end in ends if end is not None), default=None)
    if last is None:
        return None
    doublings = min(_fruitless(observed, champion), observed.model.spec.retraining.max_attempts)
    return last + facts.doubled(parse_duration(declared.min_interval), doublings + 1)


def records_needed(observed: Observed) -> int | None:
    """Return how many new records call for an update; None where none is made of this champion."""
    champion, declared = _learning(observed)
    if champion is None or declared is None:
        return None
    return pace.labels_for_more(_fruitless(observed, champion), min_samples=declared.min_records)


def describe(observed: Observed) -> str:
    """Say what an update learns from."""
    champion = facts.champion(observed)
    number = "the champion" if champion is None else f"version {champion.number}"
    counted, needed = records_counted(observed) or 0, records_needed(observed) or 0
    came = f"{counted:,} labelled records have come that no run has learnt from"
    return f"{came}; {needed:,} call for an update of {number}."


def _enough(observed: Observed) -> bool:
    needed, counted, quality = records_needed(observed), records_counted(observed), current_quality(observed)
    alarmed = quality is not None and quality.alarm is not None  # what fell is learnt anew, at the pace of the alarm
    return needed is not None and counted is not None and counted >= needed and not alarmed


def _learning(observed: Observed) -> tuple[VersionView | None, Online | None]:
    """Return the champion that learns on and what is declared of it: one that was fitted as the spec says today."""
    champion, retraining = facts.watched(observed), observed.model.spec.retraining
    if retraining.mode is not RetrainingMode.AUTOMATIC or not retraining.data.include_feedback or champion is None:
        return None, None
    learns = facts.wants(observed, champion) and facts.was_fitted(observed, champion)
    return (champion, retraining.online) if learns else (None, None)


def _fruitless(observed: Observed, champion: VersionView) -> int:
    return len(facts.fruitless(observed, champion, Reason.ONLINE_UPDATE))
