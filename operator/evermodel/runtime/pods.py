"""What pods say: why one does not run, how one ended, what it reported.

Messages end up in conditions, so they must not change while the state does not: the kubelet alternates between
ErrImagePull and ImagePullBackOff, and counts the seconds of a back-off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from evermodel.contract import RunReport
from evermodel.core.conditions import shortened
from evermodel.core.names import CONTAINER, OURS

Pod = Mapping[str, Any]

OUT_OF_MEMORY: Final = "OOMKilled"
_REPORT: msgspec.json.Decoder[RunReport] = msgspec.json.Decoder(RunReport)
_MISSING_SECRET: Final = re.compile(r"""secret\s+\\?"[^"\\]+\\?"\s+not\s+found""", re.IGNORECASE)
_ENDED: Final = frozenset({"Succeeded", "Failed"})
_NOT_PULLED: Final = "the image {image} cannot be pulled"
_NOT_CREATED: Final = "the container cannot be created: {said}"
_WAITING: Final = {
    "ErrImagePull": _NOT_PULLED,
    "ImagePullBackOff": _NOT_PULLED,
    "RegistryUnavailable": _NOT_PULLED,
    "ErrImageNeverPull": "the image {image} is not on the node, and its pull policy is Never",
    "InvalidImageName": "{image!r} is no name of an image",
    "CreateContainerConfigError": _NOT_CREATED,
    "CreateContainerError": _NOT_CREATED,
    "RunContainerError": _NOT_CREATED,
    "CrashLoopBackOff": "the container ends again and again: exit code {exit_code} ({reason})",
}
"""Reasons for which a container waits in vain, and what to say of them."""
_LONGEST: Final = 500
"""Characters of a message that come from elsewhere."""
_LINES: Final = 6
"""Last lines of a container's log that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the container that decides ended: the first that failed, or else the main one."""

    container: str
    exit_code: int
    reason: str
    report: RunReport | None
    said: str
    """The end of what a container of the user's own said."""


def is_live(pod: Pod) -> bool:
    """Tell whether a pod may still do something."""
    return _status(pod).get("phase") not in _ENDED


def is_ready(pod: Pod) -> bool:
    """Tell whether a pod takes traffic."""
    conditions = _status(pod).get("conditions") or ()
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def newest(pods: Iterable[Pod]) -> Pod | None:
    """Return the pod that was created last."""
    return max(pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]), default=None)


def why_not_running(pod: Pod) -> str:
    """Say in a sentence why a pod does not run; empty when it does, or simply starts."""
    for container in _containers(pod):
        state = container.get("state") or {}
        if message := _why_waiting(container, state.get("waiting")):
            return message
    for condition in _status(pod).get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            said = condition.get("message") or condition.get("reason") or ""
            return f"no node takes the pod: {shortened(said, _LONGEST)}"
    return ""


def misses_secret(pod: Pod) -> bool:
    """Tell whether a pod waits for a Secret that is not there."""
    waiting = ((container.get("state") or {}).get("waiting") or {} for container in _containers(pod))
    return any(
        state.get("reason") == "CreateContainerConfigError" and _MISSING_SECRET.search(state.get("message") or "")
        for state in waiting
    )


def ending(pod: Pod) -> Ending | None:
    """Return how a pod ended, and the report in the termination message; None while it has not."""
    for container in _containers(pod):
        ended = (container.get("state") or {}).get("terminated")
        if ended is None or (ended.get("exitCode") == 0 and container["name"] != CONTAINER):
            continue
        ours = container["name"] in OURS  # what anybody else writes there is no report
        return Ending(
            container=container["name"],
            exit_code=int(ended.get("exitCode", 0)),
            reason=ended.get("reason") or "",
            report=_report(ended.get("message")) if ours else None,
            said="" if ours else _last_lines(ended.get("message") or ""),
        )
    return None


def why_evicted(pod: Pod) -> str:
    """Return what the node says of a pod that took more than it may; empty for any other."""
    status = _status(pod)
    return shortened(status.get("message") or "", _LONGEST) if status.get("reason") == "Evicted" else ""


def overdue(pod: Pod) -> str | None:
    """Return the container that a pod was in when its deadline had passed; None for any other pod."""
    if _status(pod).get("reason") != "DeadlineExceeded":
        return None
    states = ((one["name"], (one.get("state") or {}).get("terminated") or {}) for one in _containers(pod))
    return next((name for name, ended in states if ended.get("exitCode") != 0), CONTAINER)


def has_started(pod: Pod) -> bool:
    """Tell whether a pod does its work: one with init containers is Pending as long as they run."""
    if _status(pod).get("phase") == "Running":
        return True
    return bool(_begun(pod)) and not why_not_running(pod)


def waits_since(pod: Pod) -> str:
    """Return since when a pod may wait for its next container: since the last one ended, or since it was made."""
    ends = [(state.get("terminated") or {}).get("finishedAt") or "" for state in _begun(pod)]
    return max(pod["metadata"]["creationTimestamp"], *ends) if ends else str(pod["metadata"]["creationTimestamp"])


def _begun(pod: Pod) -> list[Mapping[str, Any]]:
    """Return the states of init containers that run or have ended."""
    states = (container.get("state") or {} for container in _status(pod).get("initContainerStatuses") or ())
    return [state for state in states if state.get("running") or state.get("terminated")]


def _last_lines(message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    kept = " | ".join(lines[-_LINES:])
    return kept if len(kept) <= _LONGEST else "…" + kept[-_LONGEST:]


def _why_waiting(container: Mapping[str, Any], waiting: Mapping[str, Any] | None) -> str:
    if not waiting:
        return ""
    last = (container.get("lastState") or {}).get("terminated") or {}
    said = waiting.get("message") or waiting.get("reason") or ""
    return _WAITING.get(waiting.get("reason") or "", "").format(
        image=container.get("image", ""),
        said=shortened(said, _LONGEST),
        exit_code=last.get("exitCode"),
        reason=last.get("reason", "Error"),
    )


def _report(message: str | None) -> RunReport | None:
    if not message:
        return None
    try:
        return _REPORT.decode(message)
    except (msgspec.DecodeError, UnicodeError):
        return None


def _status(pod: Pod) -> Mapping[str, Any]:
    status: Mapping[str, Any] = pod.get("status") or {}
    return status


def _containers(pod: Pod) -> list[Mapping[str, Any]]:
    status = _status(pod)
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
