"""Retraining by the clock: when the schedule calls for a run, and what of it shows in the status."""

from __future__ import annotations

from datetime import datetime

from evermodel.api.modeldeployment import RetrainingMode, RetrainingTrigger
from evermodel.core import facts
from evermodel.core.cron import parse_schedule
from evermodel.core.observed import Observed
from evermodel.core.questions import current_quality

BUNDLED = "sklearn://"
"""Sources that are part of the runtime image."""


def is_due(observed: Observed, now: datetime) -> bool:
    """Tell whether a time of the schedule has passed since the newest run began.

    However many have passed, that is one run. After an alarm the loop goes its own way: until it is over, labels say
    when to train.
    """
    newest, quality = facts.newest_run(observed), current_quality(observed)
    retraining = observed.model.spec.retraining
    if newest is None or facts.champion(observed) is None or retraining.mode is not RetrainingMode.AUTOMATIC:
        return False
    if nothing_can_be_new(observed):
        return False
    by_labels = retraining.data.include_feedback and facts.is_started_by(
        observed.model.spec, RetrainingTrigger.ACCURACY
    )
    if by_labels and quality is not None and quality.alarm is not None:
        return False
    due = _after(observed, newest.created_at)
    return due is not None and due <= now


def nothing_can_be_new(observed: Observed) -> bool:
    """Tell whether the champion learnt from all that a run by the clock could: no Job need look.

    So it is where the source cannot change, its digest being declared or its rows part of the image, and no labelled
    records are learnt from. A container of the user's own may learn from more.
    """
    spec, champion = observed.model.spec, facts.champion(observed)
    if champion is None or not facts.wants(observed, champion) or not facts.was_fitted(observed, champion):
        return False
    image = spec.training.template.image or observed.settings.runtime_image
    bundled = spec.data.train.uri.startswith(BUNDLED) and champion.spec.image == image
    fixed = spec.data.train.sha256 is not None or bundled
    return fixed and not spec.retraining.data.include_feedback and spec.training.container is None


def why_nothing_runs(observed: Observed) -> str:
    """Say that the schedule starts nothing, or that what it started last found nothing new; else nothing."""
    newest, champion, spec = facts.newest_run(observed), facts.champion(observed), observed.model.spec
    if champion is None or spec.retraining.schedule is None:
        return ""
    if facts.is_started_by(spec, RetrainingTrigger.SCHEDULE) and nothing_can_be_new(observed):
        return (
            f"The schedule starts no run: version {champion.number} has learnt from {spec.data.train.uri}, which "
            "cannot change. Name a source that grows, or set retraining.data.includeFeedback."
        )
    return newest.status.message if newest is not None and facts.found_nothing_new(newest) else ""


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
