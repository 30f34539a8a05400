"""Waiting for a condition: bounded, and with something to read when it does not come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

SECONDS = 90.0
PAUSE_SECONDS = 0.1


def until(
    what: str, question: Callable[[], T | None], *, otherwise: Callable[[], object], pause: float = PAUSE_SECONDS
) -> T:
    """Ask until the answer is neither None nor false, and return it.

    ``otherwise`` says what there is instead, should it take too long.
    """
    end = time.monotonic() + SECONDS
    while True:
        answer = question()
        if answer is not None and answer is not False:
            return answer
        assert time.monotonic() < end, f"not within {SECONDS:.0f} s: {what}; instead: {otherwise()}"
        time.sleep(pause)


def stays(
    what: str, question: Callable[[], bool], seconds: float, *, otherwise: Callable[[], object] = lambda: ""
) -> None:
    """Ask for a while; the answer must be true every time. ``otherwise`` says what there is instead."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert question(), f"did not stay so: {what}; instead: {otherwise()}"
        time.sleep(PAUSE_SECONDS)
