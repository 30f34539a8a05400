"""Programs that this tool runs; each dies with it, so that a killed command leaves nothing at work."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.progress import HEARTBEAT_SECONDS, say

TAIL_LINES = 15
LIMIT_SECONDS = 120


def bound(argv: Sequence[str]) -> list[str]:
    """Return the command that runs a program only as long as its parent lives."""
    return ["setpriv", "--pdeathsig", "KILL", *argv]


def run_quiet(argv: Sequence[str], *, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a short program; return what it said, whatever its exit code."""
    try:
        return subprocess.run(
            bound(argv), input=stdin, check=False, capture_output=True, text=True, timeout=LIMIT_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{' '.join(argv[:4])} … did not end within {LIMIT_SECONDS}s") from error


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
    """Run a program to its end, output in a log, with a heartbeat; its last lines are the error if it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    say(what)
    begin = time.monotonic()
    with log.open("ab") as out:
        process = subprocess.Popen(
            bound(argv),
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
