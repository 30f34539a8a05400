"""Tell the hub what a Job is doing, beside the work: never waited for, never a reason to fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

PAUSE_SECONDS = 10.0
"""A run that takes less long is not spoken of."""
LONGEST_LINE = 200


class Work(Protocol):
    """What is being done."""

    @property
    def newest(self) -> str:
        """What was said of it last."""
        ...


class Listener(Protocol):
    """Who is told."""

    def put_progress(self, version: int, stage: str, message: str) -> None:
        """Take a word of a Job."""
        ...


@contextmanager
def telling(work: Work, listener: Listener, version: int, stage: str, pause: float = PAUSE_SECONDS) -> Iterator[None]:
    """Pass on what is said of the work, whenever that is something else after another pause."""
    ended = threading.Event()

    def pass_on() -> None:
        told = ""
        while not ended.wait(pause):
            message = work.newest[:LONGEST_LINE]
            if message != told:
                listener.put_progress(version, stage, message)
                told = message

    threading.Thread(target=pass_on, name="telling", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
