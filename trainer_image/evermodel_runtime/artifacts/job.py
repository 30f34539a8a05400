"""A Job's process: what its environment says, and what becomes of a signal."""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Generic, Protocol, TypeVar

import msgspec

from evermodel.contract import (
    DISRUPTION_EXIT_CODE,
    RUN_ENV,
    SOURCE_MOUNT,
    TOKEN_ENV,
    EvaluateRun,
    FailureReason,
    FailureReport,
    FreshRange,
    HeldoutUse,
    LabelledRecords,
    OfflineRun,
    RunConfig,
    RunReport,
    TrainRun,
    Trial,
    TrialsLeft,
)
from evermodel_runtime.artifacts.hub_client import PATIENCE_SECONDS, HubClient, Waiting
from evermodel_runtime.artifacts.manifests import BlobStore
from evermodel_runtime.artifacts.outcome import (
    CRASH_EXIT_CODE,
    TERMINATION_LOG,
    ReportStore,
    attempt,
    conclude,
    write_termination_message,
)
from evermodel_runtime.artifacts.telling import telling
from evermodel_runtime.data.memory import keep_little_of_what_is_freed
from evermodel_runtime.data.source import DatasetStore

SOURCE_ENV = "EVERMODEL_SOURCE_DIR"
"""Folder of the source's ConfigMap, claim or Secret, where it is not the one of the contract."""
TERMINATION_LOG_ENV = "EVERMODEL_TERMINATION_LOG"
PATIENCE_ENV = "EVERMODEL_HUB_PATIENCE_SECONDS"
Run = TypeVar("Run", TrainRun, EvaluateRun, OfflineRun)


class Progress:
    """Plain lines for ``kubectl logs``, each with the seconds since the start."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._start = now()
        self.newest = ""
        """The line that was printed last."""

    @property
    def seconds(self) -> float:
        """Seconds since the start, to a hundredth."""
        return round(self._now() - self._start, 2)

    def __call__(self, line: str) -> None:
        """Print a line."""
        self.newest = line
        print(f"{self.seconds:8.2f} s  {line}", flush=True)


class Hub(BlobStore, DatasetStore, ReportStore, Protocol):
    """What a Job wants of the hub."""

    def records(self, wanted: FreshRange) -> LabelledRecords:
        """Return the labelled records of a range of the ledger."""
        ...

    def use_heldout(self, use: HeldoutUse) -> int:
        """Say that held-out rows are used to decide; returns k."""
        ...

    def trials(self, version: int, run: str) -> tuple[Trial, ...]:
        """Return the trials of a search that have ended."""
        ...

    def put_trial(self, version: int, run: str, trial: Trial) -> None:
        """Keep a trial that has ended, unless it is there."""
        ...

    def begin_trial(self, version: int, run: str, left: TrialsLeft) -> int | None:
        """Return the trial of a search that several pods make to make next."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a Job's work needs from outside."""

    hub: Hub
    mount: Path
    progress: Progress


@dataclass(frozen=True, slots=True)
class Started(Generic[Run]):
    """A Job's process that knows what it is to do."""

    run: Run
    surroundings: Surroundings
    termination_log: Path


def run_job(kind: type[Run], stage: str, work: Callable[[Run, Surroundings], RunReport | None]) -> int:
    """Run a Job as its environment says; returns the exit code. ``work`` reports nothing where others go on with it."""
    started = _start(kind)
    if started is None:
        return CRASH_EXIT_CODE
    run, surroundings = started.run, started.surroundings
    with telling(surroundings.progress, own_client(run, os.environ), run.version, stage):
        return conclude(
            lambda: work(run, surroundings),
            surroundings.hub,
            version=run.version,
            stage=stage,
            termination_log=started.termination_log,
        )


def run_beside(kind: type[Run], work: Callable[[Run, Surroundings], None]) -> int:
    """Run a Job beside another one, which speaks to the hub for both: only the node is told why this one failed."""
    started = _start(kind)
    if started is None:
        return CRASH_EXIT_CODE
    outcome = attempt(lambda: work(started.run, started.surroundings))
    if outcome.report is not None:
        write_termination_message(outcome.report, started.termination_log)
    return outcome.exit_code


def _start(kind: type[Run]) -> Started[Run] | None:
    """Read the environment; None, with the reason for the node, where it is not as the operator writes it."""
    # Process 1 of a container ignores SIGTERM unless it handles it, and the node would wait 30 seconds for the pod.
    signal.signal(signal.SIGTERM, _interrupted)
    warnings.simplefilter("ignore")  # scikit-learn's hints would bury the progress
    keep_little_of_what_is_freed()
    termination_log = Path(os.environ.get(TERMINATION_LOG_ENV, TERMINATION_LOG))
    try:
        run = _read_run(kind, os.environ)
        return Started(run, _read_surroundings(run, os.environ), termination_log)
    except (msgspec.DecodeError, LookupError, ValueError) as error:
        message = f"The Job's environment is not as the operator writes it: {error}"
        print(message, file=sys.stderr, flush=True)
        write_termination_message(FailureReport(reason=FailureReason.CRASHED, message=message), termination_log)
        return None


def _read_run(kind: type[Run], environ: Mapping[str, str]) -> Run:
    run: RunConfig = msgspec.json.decode(environ[RUN_ENV], type=TrainRun | EvaluateRun | OfflineRun)
    if not isinstance(run, kind):
        raise ValueError(f"{RUN_ENV} holds a {type(run).__name__}, the command takes a {kind.__name__}")  # noqa: TRY004
    return run


def _read_surroundings(run: RunConfig, environ: Mapping[str, str]) -> Surroundings:
    return Surroundings(
        hub=own_client(run, environ),
        mount=Path(environ.get(SOURCE_ENV, SOURCE_MOUNT)),
        progress=Progress(time.monotonic),
    )


def own_client(run: RunConfig, environ: Mapping[str, str]) -> HubClient:
    """Return a way to the hub of a run; each thread needs its own."""
    waiting = Waiting(patience=float(environ.get(PATIENCE_ENV, PATIENCE_SECONDS)))
    return HubClient(run.hub_url.rstrip("/"), run.model, environ[TOKEN_ENV], waiting)


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    print("interrupted: the Job will be started again", file=sys.stderr, flush=True)
    raise SystemExit(DISRUPTION_EXIT_CODE)
