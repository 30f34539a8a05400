"""The control groups of a cluster: what `down` kills is what is in them, and nothing else."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.profiles import Profile

SYSTEM = "system"
KILL_SECONDS = 20.0
V2_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids", "hugetlb")


def hierarchies() -> list[Path]:
    """Return the mount points of all control group hierarchies: one for version 2, one per controller for version 1."""
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, target, kind, *_ = line.split()
        if kind in {"cgroup", "cgroup2"} and Path(target) not in found:
            found.append(Path(target))
    return found


def controllers() -> set[str]:
    """Return the controllers that some hierarchy offers."""
    names: set[str] = set()
    for root in hierarchies():
        v2 = root / "cgroup.controllers"
        names |= set(v2.read_text().split()) if v2.exists() else set(root.name.split(","))
    return names


def create(profile: Profile) -> list[Path]:
    """Make the cluster's group in every hierarchy; return the groups that the supervisor has to join."""
    leaves = []
    for root in hierarchies():
        group = root / profile.cgroup
        leaf = group / SYSTEM
        leaf.mkdir(parents=True, exist_ok=True)
        if (root / "cgroup.controllers").exists():
            _delegate(root)
            _delegate(group)
        elif (root / "cpuset.cpus").exists():
            for child, parent in ((group, root), (leaf, group)):
                for name in ("cpuset.cpus", "cpuset.mems"):  # a version 1 cpuset starts empty and takes no process
                    (child / name).write_text((parent / name).read_text())
        leaves.append(leaf)
    return leaves


def add(groups: list[Path], pid: int) -> None:
    """Make a process that this command started a member, unless it has ended already."""
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(str(pid))


def _delegate(group: Path) -> None:
    """Let the children of a version 2 group be limited by what the group itself can be limited by."""
    offered = (group / "cgroup.controllers").read_text().split()
    wanted = [f"+{name}" for name in V2_CONTROLLERS if name in offered]
    try:
        (group / "cgroup.subtree_control").write_text(" ".join(wanted))
    except OSError as error:
        raise ClusterError(f"cannot delegate the control group {group}: {error.strerror}") from error


def members(profile: Profile) -> set[int]:
    """Return the processes in the cluster's groups, containers included."""
    pids: set[int] = set()
    for group in _groups(profile):
        with contextlib.suppress(FileNotFoundError, OSError):
            pids |= {int(pid) for pid in (group / "cgroup.procs").read_text().split()}
    return pids - {0, os.getpid()}  # 0 is a process that this process namespace cannot see


def kill(profile: Profile) -> int:
    """Kill all members and wait until none is left; return how many there were."""
    deadline = time.monotonic() + KILL_SECONDS
    seen: set[int] = set()
    while pids := members(profile):
        seen |= pids
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise ClusterError(f"processes of {profile.name} do not die: {sorted(pids)}")
        time.sleep(0.05)
    return len(seen)


def remove(profile: Profile) -> None:
    """Remove the cluster's groups, the deepest first; the kernel frees a group a moment after its last process."""
    deadline = time.monotonic() + KILL_SECONDS
    while groups := list(_groups(profile)):
        for group in reversed(groups):
            with contextlib.suppress(FileNotFoundError, OSError):
                group.rmdir()
        if time.monotonic() > deadline:
            raise ClusterError(f"control groups of {profile.name} stay busy: {groups[0]}")
        if any(group.exists() for group in groups):
            time.sleep(0.05)


def _groups(profile: Profile) -> Iterator[Path]:
    """Yield the cluster's groups of all hierarchies, a parent always before its children."""
    for root in hierarchies():
        for path, _, _ in os.walk(root / profile.cgroup):
            yield Path(path)
