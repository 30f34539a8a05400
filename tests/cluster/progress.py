"""Progress on the terminal: every line carries the time since the command began."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.cluster.errors import ClusterError

HEARTBEAT_SECONDS = 20.0
_BEGIN = time.monotonic()


def say(text: str) -> None:
    """Print one line; to stderr, for stdout belongs to the answers of a command."""
    print(f"[{time.monotonic() - _BEGIN:6.1f}s] {text}", file=sys.stderr, flush=True)


def wait_for(
    what: str,
    ready: Callable[[], bool],
    *,
    seconds: float,
    every: float = 0.1,
    alive: Callable[[], bool] = lambda: True,
    logs: Path | None = None,
) -> None:
    """Poll until ready; give up at the deadline, or at once when what should become ready is gone."""
    begin = beat = time.monotonic()
    while not ready():
        now = time.monotonic()
        hint = f"; logs are in {logs}" if logs else ""
        if not alive():
            raise ClusterError(f"{what}: the cluster died meanwhile{hint}")
        if now - begin > seconds:
            raise ClusterError(f"{what}: not within {seconds:.0f}s{hint}")
        if now - beat > HEARTBEAT_SECONDS:
            beat = now
            say(f"{what} … {now - begin:.0f}s")
        time.sleep(every)
