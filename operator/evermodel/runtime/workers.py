"""A search Job and its pods, of which each may fail by itself. Pure, as the other views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from evermodel.contract import FailureReport
from evermodel.core.observed import JobState, JobView, Workers
from evermodel.runtime import pods as pods_of
from evermodel.runtime.store import is_owned_by
from evermodel.runtime.views import job_view

Object = Mapping[str, Any]


def search_job_view(manifest: Object, pods: Iterable[Object], now: datetime) -> JobView:
    """Read the Job of the pods that make trials; the newest that failed speaks for them, if one has."""
    own = [pod for pod in pods if is_owned_by(pod, manifest["metadata"]["uid"])]
    view = job_view(manifest, own, now)
    failed = _failed(view, manifest.get("status") or {})
    why = _why_failed(own) if failed else ""
    return replace(
        view,
        message=why or view.message,
        workers=Workers(
            running=sum(pods_of.is_live(pod) and pods_of.has_started(pod) for pod in own),
            succeeded=int((manifest.get("status") or {}).get("succeeded") or 0),
            failed=failed,
        ),
    )


def _failed(view: JobView, status: Object) -> int:
    """Count the pods that are not started again: by index or, where the whole Job failed, all that did."""
    given_up = _count(status.get("failedIndexes") or "")
    return given_up or (int(status.get("failed") or 0) if view.state is JobState.FAILED else 0)


def _count(indexes: str) -> int:
    """Count indexes as Jobs write them: 1,3-5."""
    ranges = [part.split("-") for part in indexes.split(",") if part]
    return sum(int(part[-1]) - int(part[0]) + 1 for part in ranges)


def _why_failed(pods: Sequence[Object]) -> str:
    pod = pods_of.newest(pod for pod in pods if (pod.get("status") or {}).get("phase") == "Failed")
    ended = pods_of.ending(pod) if pod is not None else None
    if pod is None or ended is None:
        return ""
    if isinstance(ended.report, FailureReport):
        return ended.report.message
    if ended.reason == pods_of.OUT_OF_MEMORY:
        return "memory ran out: raise spec.training.template.resources.limits.memory"
    return pods_of.why_evicted(pod) or f"exit code {ended.exit_code}, see the log of pod {pod['metadata']['name']}"
