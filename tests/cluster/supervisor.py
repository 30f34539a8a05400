"""Process 1 of a cluster's namespaces: starts the components, restarts what dies, reaps what nobody waits for.

Runs on its own (`python3 -I supervisor.py SPEC.json`) and imports nothing of the tool, which only writes the
specification. When it ends, the kernel ends every process, mount and interface of the cluster with it.
"""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TICK_SECONDS = 0.1
FIRST_DELAY = 0.2
LONGEST_DELAY = 10.0
STEADY_SECONDS = 30.0


@dataclass
class Component:
    """One program: its command, what has to be there before it starts, and how it has fared."""

    name: str
    argv: list[str]
    gates: list[str] = field(default_factory=list)
    pid: int | None = None
    restarts: int = 0
    since: float = 0.0
    not_before: float = 0.0
    delay: float = FIRST_DELAY


class Supervisor:
    """Keeps the components of one specification running."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.state = Path(spec["state"])
        self.components = [Component(**entry) for entry in spec["components"]]

    def run(self) -> None:
        """Start, reap and restart until told to end."""
        watched = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, watched)
        while True:
            changed = self._reap()
            now = time.monotonic()
            for component in self.components:
                if component.pid is None and now >= component.not_before and self._open(component.gates):
                    self._start(component)
                    changed = True
            if changed:
                self._report()
            info = signal.sigtimedwait(watched, TICK_SECONDS)
            if info is not None and info.si_signo != signal.SIGCHLD:
                log(f"ends on signal {info.si_signo}")
                return

    def _start(self, component: Component) -> None:
        output = str(self.state / "log" / f"{component.name}.log")
        component.pid = os.posix_spawn(
            component.argv[0],
            component.argv,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setpgroup=0,
            setsigmask=(),
        )
        component.since = time.time()
        log(f"started {component.name} as process {component.pid}")

    def _reap(self) -> bool:
        """Collect every ended process, components and orphans of containers alike; tell if a component was among."""
        changed = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return changed
            if pid == 0:
                return changed
            for component in self.components:
                if component.pid == pid:
                    self._ended(component, os.waitstatus_to_exitcode(status))
                    changed = True

    @staticmethod
    def _ended(component: Component, code: int) -> None:
        if time.time() - component.since > STEADY_SECONDS:
            component.delay = FIRST_DELAY
        log(f"{component.name} ended with code {code}, restarts in {component.delay:.1f}s")
        component.pid = None
        component.restarts += 1
        component.not_before = time.monotonic() + component.delay
        component.delay = min(component.delay * 2, LONGEST_DELAY)

    def _open(self, gates: list[str]) -> bool:
        """Tell whether all that a component needs is there: a file, a listening socket, an API server that is ready."""
        return all(self._passes(gate) for gate in gates)

    def _passes(self, gate: str) -> bool:
        kind, _, rest = gate.partition(":")
        if kind == "file":
            return Path(rest).exists()
        try:
            if kind == "unix":
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(1)
                    client.connect(rest)
                return True
            context = ssl.create_default_context(cafile=str(self.state / "pki" / "ca.crt"))
            with urllib.request.urlopen(gate, timeout=1, context=context) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _report(self) -> None:
        """Write how the components fare, for `status`; whole or not at all."""
        fresh = self.state / ".components.json"
        fresh.write_text(json.dumps([asdict(component) for component in self.components], indent=1))
        fresh.rename(self.state / "components.json")


def log(text: str) -> None:
    """Print one line to the supervisor's own log."""
    print(time.strftime("%H:%M:%S"), text, flush=True)


def enter(spec: dict[str, Any]) -> None:
    """Join the control groups, then make the namespaces a node's: own mounts, own /proc, own name."""
    for group in spec["cgroups"]:
        Path(group, "cgroup.procs").write_text("0")
    state = Path(spec["state"])
    fresh = state / ".supervisor.pid"
    fresh.write_text(str(Path("/proc/self").readlink()))  # the host's /proc still: the number the host knows it by
    fresh.rename(state / "supervisor.pid")
    mounts = [
        ["--make-rprivate", "/"],  # nothing mounted here shows on the host …
        ["--make-rshared", "/"],  # … but all of it in the pods that ask for it
        ["-t", "proc", "proc", "/proc"],
        *spec["mounts"],
    ]
    for arguments in mounts:
        subprocess.run(["mount", *arguments], check=True)
    for name, value in spec["sysctls"].items():
        Path("/proc/sys", *name.split(".")).write_text(value)
    socket.sethostname(spec["hostname"])


def main() -> None:
    """Run the specification named on the command line."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    enter(spec)
    Supervisor(spec).run()


if __name__ == "__main__":
    main()
