"""What a Job is doing, shown with its version: seldom, since each word is a write to the API server."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from evermodel.api.modelversion import ShownProgress
from evermodel.core.durations import parse_duration
from evermodel.core.observed import Observed, VersionView
from evermodel.core.phases import jobs, workers
from evermodel.core.step import Step
from evermodel.core.timestamps import parse_time, rfc3339

PAUSE = timedelta(minutes=1)
"""Between two words about one run: a day of training is 1,440 writes at most."""


def show(observed: Observed, version: VersionView, now: datetime) -> Step:
    """Write down what a running Job says, should it be something else than what is shown, and look again later."""
    due = now + parse_duration(observed.model.spec.monitoring.interval)
    shown = version.status.progress
    message = f"{observed.progress}{workers.shown(observed, version)}" if observed.progress else ""
    if not message or (shown is not None and shown.message == message):
        return Step(due=due)
    written = parse_time(shown.at) if shown is not None else None
    if written is not None and now < written + PAUSE:
        return Step(due=max(due, written + PAUSE))
    progress = ShownProgress(message=message, at=rfc3339(now))
    return Step(actions=(jobs.write(version, msgspec.structs.replace(version.status, progress=progress)),), due=due)
