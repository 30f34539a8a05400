"""What a Job passes on about itself, and when it keeps quiet."""

from __future__ import annotations

import threading

from tests.unit.runtime.memory_hub import still_clock

from evermodel_runtime.artifacts.job import Progress
from evermodel_runtime.artifacts.telling import LONGEST_LINE, telling


class Listener:
    def __init__(self) -> None:
        self.heard: list[tuple[int, str, str]] = []
        self.another = threading.Event()

    def put_progress(self, version: int, stage: str, message: str) -> None:
        self.heard.append((version, stage, message))
        self.another.set()

    def wait(self) -> None:
        assert self.another.wait(30)
        self.another.clear()


def test_the_newest_line_is_passed_on_once() -> None:
    say, listener = Progress(still_clock()), Listener()
    with telling(say, listener, 3, "train", pause=0.01):
        say("read 12 rows")
        listener.wait()
        say("x" * 1000)
        listener.wait()

    assert listener.heard == [(3, "train", "read 12 rows"), (3, "train", "x" * LONGEST_LINE)]


def test_a_run_that_is_over_within_the_pause_is_not_spoken_of() -> None:
    say, listener = Progress(still_clock()), Listener()
    with telling(say, listener, 3, "train", pause=1000):
        say("read 12 rows")

    assert listener.heard == []
    assert all(thread.name != "telling" or thread.daemon for thread in threading.enumerate())
