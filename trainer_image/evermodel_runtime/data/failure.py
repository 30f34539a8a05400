"""Why a Job gives up, or trains nothing, in words for the person who wrote the ModelDeployment."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

from evermodel.contract import FailureReason, NothingNewReport

SHOWN = 5
"""How many rows or names a message lists before it only counts."""


class JobError(Exception):
    """A known reason to give up; becomes the FailureReport."""

    def __init__(self, reason: FailureReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class NoRowsError(JobError):
    """A file without any row; of a folder, the others may do."""

    def __init__(self, message: str) -> None:
        super().__init__(FailureReason.DATA_INVALID, message)


class NothingNew(Exception):  # noqa: N818 - a Job that ends so did what it should
    """Nothing to train; becomes the Job's report."""

    def __init__(self, report: NothingNewReport) -> None:
        super().__init__(report.message)
        self.report = report


def data_error(message: str) -> JobError:
    """Say that the file is at fault."""
    return JobError(FailureReason.DATA_INVALID, message)


def spec_error(message: str) -> JobError:
    """Say that the ModelDeployment is at fault."""
    return JobError(FailureReason.SPEC_INVALID, message)


def listed(items: Sequence[object]) -> str:
    """Join a few items and count the others: ``3, 17, 20 and 14 more``."""
    shown = ", ".join(str(item) for item in items[:SHOWN])
    return f"{shown} and {len(items) - SHOWN:,} more" if len(items) > SHOWN else shown


def shortened(text: str, longest: int) -> str:
    """Return a text of at most so many characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def did_you_mean(name: str, names: Collection[str]) -> str:
    """Return a question with the nearest of the names, or nothing when none is near."""
    by_folded = {other.strip().casefold(): other for other in names}
    near = difflib.get_close_matches(name.strip().casefold(), list(by_folded), n=1)
    return f" Did you mean {by_folded[near[0]]!r}?" if near else ""
