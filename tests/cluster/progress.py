"""Progress on the terminal: every line carries the time since the command began."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.cluster.errors import ClusterError

HEARTBEAT_SECONDS = 20.0
TAIL_LINES = 15
_BEGIN = time.monotonic()


def say(text: str) -> None:
    """Print one line; to stderr, for stdout belongs to the answers of a command."""
    print(f"[{time.monotonic() - _BEGIN:6.1f}s] {text}", file=sys.stderr, flush=True)


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a log, for an error message."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def run_logged(
    argv: Sequence[str],
    *,
    log: Path,
    what: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a program to its end, output in a log, with a heartbeat; its last lines are the error if it fails.

    The program dies with this process, so that a killed command leaves nothing running.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    say(what)
    begin = time.monotonic()
    with log.open("ab") as out:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *argv],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
        )
        while True:
            try:
                code = process.wait(HEARTBEAT_SECONDS)
            except subprocess.TimeoutExpired:
                say(f"{what} … {time.monotonic() - begin:.0f}s")
                continue
            break
    if code != 0:
        raise ClusterError(f"{what}: failed with exit code {code}; the log {log} ends with\n{tail(log)}")


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
