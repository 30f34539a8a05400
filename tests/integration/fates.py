"""What may happen to a pod on the node, as the kubelet would report it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from evermodel.contract import (
    DATA_ERROR_EXIT_CODE,
    RUN_ENV,
    EvaluateRun,
    EvaluationReport,
    FailureReason,
    FailureReport,
    NothingNewReport,
    OfflineReport,
    OfflineRun,
    PairedScore,
    RunConfig,
    RunReport,
    TrainReport,
    TrainRun,
)
from evermodel.core.names import CONTAINER, TRAINER_CONTAINER

Pod = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """State of one of the pod's containers: those before it have succeeded, those after it wait."""

    phase: str
    state: Mapping[str, Any]
    ready: bool = False
    container: str = CONTAINER
    reason: str = ""
    """Why the pod as a whole ended, where that is no container's doing."""

    @property
    def is_end(self) -> bool:
        return self.phase in {"Succeeded", "Failed"}


Deciding = Callable[[Pod], Fate]
STARTED: Mapping[str, Any] = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
DONE: Mapping[str, Any] = {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-01-01T00:00:00Z"}}
AWAITED: Mapping[str, Any] = {"waiting": {"reason": "PodInitializing"}}
RUNS = Fate(phase="Running", state=STARTED)
READY = Fate(phase="Running", state=STARTED, ready=True)


def overdue(fate: Fate) -> Fate:
    """Return how a kubelet ends a pod in this state whose own deadline has passed."""
    killed = {"terminated": {"exitCode": 137, "reason": "Error", "finishedAt": "2026-01-01T00:00:00Z"}}
    return replace(fate, phase="Failed", state=killed, reason="DeadlineExceeded")


def runs(_: Pod) -> Fate:
    """Run, and do not become ready."""
    return RUNS


def ready(_: Pod) -> Fate:
    """Run and take traffic."""
    return READY


def waits(reason: str, message: str) -> Fate:
    """Do not start."""
    return Fate(phase="Pending", state={"waiting": {"reason": reason, "message": message}})


def ends(report: RunReport | None, exit_code: int = 0, reason: str = "") -> Fate:
    """End with a report, or without one, as its termination message."""
    ended = {
        "exitCode": exit_code,
        "reason": reason or ("Error" if exit_code else "Completed"),
        "message": msgspec.json.encode(report).decode() if report is not None else "",
        "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:01Z",
    }
    return Fate(phase="Failed" if exit_code else "Succeeded", state={"terminated": ended})


def of_trainer(fate: Fate) -> Fate:
    """Let it be the fate of the container of the user's own; a pod is Pending until its main container runs."""
    return replace(fate, container=TRAINER_CONTAINER, phase="Failed" if fate.is_end else "Pending")


def says(words: str, exit_code: int) -> Fate:
    """End the user's container as one that leaves a log."""
    fate = ends(None, exit_code)
    return of_trainer(replace(fate, state={"terminated": {**fate.state["terminated"], "message": words}}))


def always(fate: Fate) -> Deciding:
    return lambda _: fate


def fails(reason: FailureReason, message: str) -> Deciding:
    """End as a Job does that found bad data."""
    return always(ends(FailureReport(reason=reason, message=message), DATA_ERROR_EXIT_CODE))


def trains(pod: Pod) -> Fate:
    """End a training with the report of a model; where a version that it is told of learnt from the same, of none."""
    report, run = train_report(pod), run_of(pod)
    assert isinstance(run, TrainRun)
    for known in run.known:
        if known.data_sha256 == report.data_sha256 and (run.feedback_through or 0) <= (known.feedback_through or 0):
            message = f"It is as version {known.version} learnt from it."
            return ends(NothingNewReport(data_sha256=report.data_sha256, message=message))
    return ends(report)


def reads(content: str) -> Deciding:
    """End a training with the report of a model that was made from a source of this content."""

    def ended(pod: Pod) -> Fate:
        return ends(msgspec.structs.replace(train_report(pod), data_sha256=digest(content)))

    return ended


def train_report(pod: Pod) -> TrainReport:
    run = run_of(pod)
    assert isinstance(run, TrainRun)
    return TrainReport(
        manifest=digest(f"version {run.version}"),
        data_sha256=digest(run.data.uri),
        rows=120,
        feedback_rows=0 if run.feedback_through is None else 20,
        window="all",
        validation=None,
        classes=3,
        seconds=1.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluates:
    """End an evaluation with these scores, on so many rows of the source and on all fresh ones."""

    candidate: float = 0.96
    champion: float = 0.9
    wins: int = 15
    losses: int = 2
    rows: int = 200
    dummy: float = 0.4
    metrics: dict[str, float] = field(default_factory=dict)
    seen: list[EvaluateRun] = field(default_factory=list)

    def __call__(self, pod: Pod) -> Fate:
        run = run_of(pod)
        assert isinstance(run, EvaluateRun)
        self.seen.append(run)
        score = PairedScore(
            rows=self.rows,
            metric=str(run.objective),
            candidate=self.candidate,
            dummy=self.dummy,
            metrics=self.metrics,
        )
        if run.champion is not None:
            score = msgspec.structs.replace(
                score, champion=self.champion, candidate_only=self.wins, champion_only=self.losses
            )
        fresh = None
        if run.fresh is not None:
            fresh = msgspec.structs.replace(score, rows=run.fresh.through - run.fresh.after)
        return ends(EvaluationReport(reference=score, fresh=fresh, seconds=1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """End an offline evaluation with these figures of the champion."""

    value: float = 0.96
    rows: int = 50
    metrics: dict[str, float] = field(default_factory=dict)
    seen: list[OfflineRun] = field(default_factory=list)

    def __call__(self, pod: Pod) -> Fate:
        run = run_of(pod)
        assert isinstance(run, OfflineRun)
        self.seen.append(run)
        score = PairedScore(
            rows=self.rows, metric=str(run.objective), candidate=self.value, dummy=0.4, metrics=self.metrics
        )
        lower, upper = self.value - 0.03, min(self.value + 0.03, 1.0)
        report = OfflineReport(
            scheduled=run.scheduled, rows=self.rows, score=score, lower=lower, upper=upper, seconds=1.0
        )
        return ends(report)


def run_of(pod: Pod) -> RunConfig:
    """Return what the pod was told to do."""
    given = {entry["name"]: entry.get("value", "") for entry in pod["spec"]["containers"][0]["env"]}
    run: RunConfig = msgspec.json.decode(given[RUN_ENV], type=RunConfig)
    return run


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
