"""Retraining by the clock: when the schedule calls for a run, and what of it shows in the status."""

from __future__ import annotations

from datetime import datetime

from evermodel.api.modeldeployment import RetrainingMode, RetrainingTrigger
from evermodel.core import facts
from evermodel.core.cron import parse_schedule
from evermodel.core.observed import Observed
from evermodel.core.questions import current_quality


def is_due(observed: Observed, now: datetime) -> bool:
    """Tell whether a time of the schedule has passed since the newest run began.

    However many have passed, that is one run. After an alarm the loop goes its own way: until it is over, labels say
    when to train.
    """
    newest, quality = facts.newest_run(observed), current_quality(observed)
    retraining = observed.model.spec.retraining
    if newest is None or facts.champion(observed) is None or retraining.mode is not RetrainingMode.AUTOMATIC:
        return False
    by_labels = retraining.data.include_feedback and facts.is_started_by(
        observed.model.spec, RetrainingTrigger.ACCURACY
    )
    if by_labels and quality is not None and quality.alarm is not None:
        return False
    due = _after(observed, newest.created_at)
    return due is not None and due <= now


def next_time(observed: Observed, now: datetime) -> datetime | None:
    """Return when the schedule calls for the next run."""
    if facts.champion(observed) is None or observed.model.spec.retraining.mode is RetrainingMode.MANUAL:
        return None
    return _after(observed, now)


def _after(observed: Observed, moment: datetime) -> datetime | None:
    spec = observed.model.spec
    if spec.retraining.schedule is None or not facts.is_started_by(spec, RetrainingTrigger.SCHEDULE):
        return None
    return parse_schedule(spec.retraining.schedule).next_after(moment)
