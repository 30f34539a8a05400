"""When a request is sent again, and when it is given up. Knows no clock and no network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import msgspec

from evermodel.contract import HubError
from evermodel_client.errors import RefusedError, UnavailableError

PASSING = frozenset({408, 429, 502, 503, 504, 507})
"""Statuses that may be others a moment later: overload, a restart, a full disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Bounds of what one request may take. Pauses double from one attempt to the next, each shortened at random.

    Parameters
    ----------
    attempts : int, default=8
        How often a request is sent at most.
    first_pause : float, default=0.2
        Seconds after the first failure.
    longest_pause : float, default=10.0
        Seconds that a pause grows to; a server's Retry-After may ask for more.
    seconds : float, default=60.0
        No attempt begins later than this after the first.
    """

    attempts: int = 8
    first_pause: float = 0.2
    longest_pause: float = 10.0
    seconds: float = 60.0

    def pause(self, failures: int, chance: float, wanted: float | None = None) -> float:
        """Return the seconds to wait.

        Half of a pause is left to chance, so that clients which failed together do not come back together.

        Parameters
        ----------
        failures : int
            How often the request has failed.
        chance : float
            A random number from 0 to 1.
        wanted : float, optional
            What the server asks for: it is never asked again earlier.
        """
        full = min(self.longest_pause, self.first_pause * 2.0 ** min(failures - 1, 60))
        if wanted is None:
            return full * (1 + chance) / 2
        return wanted + full * chance / 2


@dataclass(slots=True, kw_only=True)
class Attempts:
    """One request on its way: each failure is answered with a pause, or with the error that ends it."""

    retry: Retry
    first_row: int = 0
    """Where the request's rows begin among all."""
    clock: Callable[[], float]
    chance: Callable[[], float]
    failures: int = 0
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def lost(self, error: httpx.TransportError) -> float:
        """Return the pause after an attempt that got no answer."""
        return self._pause(str(error) or type(error).__name__, None, error)

    def refused(self, response: httpx.Response, now: datetime | None = None) -> float:
        """Return the pause after an answer that is no success; raise RefusedError when another would be no better."""
        words = _words(response)
        if self.first_row:
            words += f", where row 0 is row {self.first_row} of all"
        if response.status_code not in PASSING:
            raise RefusedError(response.status_code, words)
        wanted = retry_after(response.headers.get("retry-after", ""), now or datetime.now(UTC))
        return self._pause(f"{words} (status {response.status_code})", wanted, None)

    def _pause(self, words: str, wanted: float | None, cause: Exception | None) -> float:
        self.failures += 1
        pause = self.retry.pause(self.failures, self.chance(), wanted)
        if self.failures >= self.retry.attempts or self.clock() + pause > self.started + self.retry.seconds:
            raise UnavailableError(f"given up after {self.failures} attempts: {words}") from cause
        return pause


def retry_after(text: str, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for, by number or by date; None for no header or no sense."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def _words(response: httpx.Response) -> str:
    try:
        return msgspec.json.decode(response.content, type=HubError).error
    except msgspec.MsgspecError:  # not ours: a proxy on the way
        return response.reason_phrase or "no reason given"
