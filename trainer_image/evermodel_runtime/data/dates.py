"""Dates and times in ISO 8601: one spelling of each, in files and in requests alike."""

from __future__ import annotations

import re
from datetime import UTC, datetime

ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?")
EXAMPLES = "2026-01-31 or 2026-01-31T08:30:00Z"


def canonical(text: str) -> str | None:
    """Return a date or time to the second, such as 2026-01-31T08:30:00; None when it is none.

    With an offset it is turned into UTC; without one it stands as it is. What is finer than a second is left out.
    """
    stripped = text.strip()
    if ISO.fullmatch(stripped) is None:
        return None
    try:
        moment = datetime.fromisoformat(_readable(stripped))
        local = moment if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # no such day, or none in UTC
        return None
    return local.replace(tzinfo=None, microsecond=0).isoformat()


def _readable(text: str) -> str:
    """Cut nanoseconds, which Parquet has and Python has not."""
    return re.sub(r"([.,]\d{6})\d+", r"\1", text)
