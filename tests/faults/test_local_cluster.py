"""The local cluster after the worst: a component comes back by itself, `down` leaves nothing, whatever was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster import cgroups
from tests.cluster.lifecycle import is_up
from tests.cluster.node import supervisor_pid
from tests.cluster.profiles import CONTROL_PLANE, REPO
from tests.integration.waiting import until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif("KUBECONFIG" in os.environ, reason="another cluster is used: this one is not ours to kill"),
]
TOOL = (sys.executable, "tests/cluster")


def cluster(*arguments: str) -> None:
    subprocess.run([*TOOL, *arguments], cwd=REPO, check=True)


def members() -> dict[int, str]:
    """Return the processes of the cluster with their command lines."""
    found = {}
    for pid in cgroups.members(CONTROL_PLANE):
        try:
            found[pid] = Path("/proc", str(pid), "cmdline").read_text().replace("\0", " ")
        except FileNotFoundError:
            continue
    return found


def component(name: str) -> int | None:
    return next((pid for pid, command in members().items() if f"/kube {name} " in command), None)


def leftovers() -> list[str]:
    """Name what is left of the cluster: processes, mounts, control groups, its network."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    groups = [root / CONTROL_PLANE.cgroup for root in cgroups.hierarchies()]
    return [
        *(f"process {command}" for command in members().values()),
        *(f"mount {line}" for line in mounts if str(CONTROL_PLANE.state) in line),
        *(f"control group {group}" for group in groups if group.exists()),
        *(f"link {path}" for path in [Path("/sys/class/net", CONTROL_PLANE.veth)] if path.exists()),
        *(f"folder {path}" for path in [CONTROL_PLANE.state] if path.exists()),
    ]


@pytest.fixture
def running() -> Iterator[None]:
    """Give a running control plane, and leave one behind."""
    cluster("up", "--profile", CONTROL_PLANE.name)
    yield
    cluster("up", "--profile", CONTROL_PLANE.name)


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("name", ["apiserver", "etcd", "controller-manager"])
def test_a_component_that_is_killed_comes_back(name: str) -> None:
    before = component(name)
    assert before is not None
    os.kill(before, signal.SIGKILL)
    until(f"another {name}", lambda: component(name) not in {None, before}, otherwise=members)
    until("the API server", lambda: is_up(CONTROL_PLANE), otherwise=members)


@pytest.mark.usefixtures("running")
def test_down_leaves_nothing_after_the_supervisor_was_killed() -> None:
    os.kill(supervisor_pid(CONTROL_PLANE), signal.SIGKILL)
    cluster("down", "--profile", CONTROL_PLANE.name)
    assert leftovers() == []


@pytest.mark.usefixtures("running")
def test_down_leaves_nothing_after_the_command_was_killed_that_starts_it() -> None:
    cluster("down", "--profile", CONTROL_PLANE.name)
    starting = subprocess.Popen([*TOOL, "up", "--profile", CONTROL_PLANE.name], cwd=REPO)
    until("a component of the new cluster", lambda: component("etcd"), otherwise=members)
    starting.kill()
    starting.wait()
    cluster("down", "--profile", CONTROL_PLANE.name)
    assert leftovers() == []
