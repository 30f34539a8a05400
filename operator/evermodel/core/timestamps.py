"""Times as Kubernetes writes them: RFC 3339 in UTC, to the second."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """Write an aware time, rounded down to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_epoch(seconds: float) -> datetime:
    """Read seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


def parse_time(text: str | None) -> datetime | None:
    """Read what ``rfc3339`` wrote; None for a time that is not there.

    Raises
    ------
    ValueError
        When the text is no time.
    """
    return datetime.fromisoformat(text) if text else None
