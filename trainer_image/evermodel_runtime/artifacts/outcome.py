"""How a Job ends: a report for operator and hub, and an exit code that says whether to try again."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from evermodel.contract import (
    DATA_ERROR_EXIT_CODE,
    DISRUPTION_EXIT_CODE,
    TERMINATION_MESSAGE_LIMIT,
    FailureReason,
    FailureReport,
    RunReport,
)
from evermodel_runtime.data.failure import JobError, NothingNew

CRASH_EXIT_CODE = 1
"""A Job that ends so failed through something outside: another run, after a pause, may do better."""
AWAY = {
    FailureReason.HUB_UNAVAILABLE: DISRUPTION_EXIT_CODE,
    FailureReason.SOURCE_UNAVAILABLE: CRASH_EXIT_CODE,  # people are told, and attempts are bounded: it may be for good
}
"""How a Job ends that could not reach another."""
TERMINATION_LOG = Path("/dev/termination-log")
CUT = " …"


class ReportStore(Protocol):
    """Where full reports are handed in."""

    def put_report(self, version: int, stage: str, report: RunReport) -> None:
        """Hand in the report of a run."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """A report, if there is something to report, with the exit code that goes with it."""

    report: RunReport | None
    exit_code: int


def conclude(
    work: Callable[[], RunReport | None], reports: ReportStore, *, version: int, stage: str, termination_log: Path
) -> int:
    """Do a Job's work, tell the hub and the operator how it ended, and return the exit code."""
    outcome = attempt(work)
    if (report := outcome.report) is None:
        return outcome.exit_code
    if outcome.exit_code == 0:
        outcome = attempt(lambda: _handed_in(reports, version, stage, report))  # unknown to the hub, it is none
    elif outcome.exit_code != DISRUPTION_EXIT_CODE:  # then the hub is away, and the message below is all there is
        attempt(lambda: _handed_in(reports, version, stage, report))
    write_termination_message(outcome.report or report, termination_log)
    return outcome.exit_code


def attempt(work: Callable[[], RunReport | None]) -> Outcome:
    """Do something that ends in a report, whatever happens."""
    try:
        return Outcome(work(), 0)
    except NothingNew as ended:
        print(ended.report.message, flush=True)
        return Outcome(ended.report, 0)
    except JobError as error:
        print(f"{error.reason}: {error.message}", file=sys.stderr, flush=True)
        return _failed(error.reason, error.message, AWAY.get(error.reason, DATA_ERROR_EXIT_CODE))
    except MemoryError:
        traceback.print_exc()
        message = "Memory ran out. Raise spec.training.template.resources.limits.memory, or train on fewer rows."
        return _failed(FailureReason.OUT_OF_MEMORY, message, DATA_ERROR_EXIT_CODE)
    except Exception as error:  # noqa: BLE001 - the outermost frame of a Job: the operator must learn of every ending
        traceback.print_exc()
        return _failed(FailureReason.CRASHED, f"{type(error).__name__}: {error}", CRASH_EXIT_CODE)


def write_termination_message(report: RunReport, path: Path) -> None:
    """Write what the kubelet passes on to the operator: JSON of at most ``TERMINATION_MESSAGE_LIMIT`` bytes."""
    try:
        path.write_bytes(termination_message(report))
    except OSError as error:
        print(f"cannot write {path}: {error}", file=sys.stderr, flush=True)  # the hub has the report


def termination_message(report: RunReport) -> bytes:
    """Encode a report; a failure's message is cut at a character so that the whole fits.

    Any other report that is too long is left to the hub, where the operator looks when there is no message.
    """
    content = msgspec.json.encode(report)
    if len(content) <= TERMINATION_MESSAGE_LIMIT:
        return content
    if not isinstance(report, FailureReport):
        return b""
    fits, too_long = 0, len(report.message)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if len(_cut(report, middle)) <= TERMINATION_MESSAGE_LIMIT:
            fits = middle
        else:
            too_long = middle
    return _cut(report, fits)


def _cut(report: FailureReport, length: int) -> bytes:
    return msgspec.json.encode(FailureReport(reason=report.reason, message=report.message[:length].rstrip() + CUT))


def _failed(reason: FailureReason, message: str, exit_code: int) -> Outcome:
    return Outcome(FailureReport(reason=reason, message=message), exit_code)


def _handed_in(reports: ReportStore, version: int, stage: str, report: RunReport) -> RunReport:
    reports.put_report(version, stage, report)
    return report
