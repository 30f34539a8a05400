"""Bringing a cluster up, taking it down, and telling how it is."""

import contextlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.cluster import addons, binaries, cgroups, components, control_plane, images, network, node, prerequisites
from tests.cluster.children import tail
from tests.cluster.errors import ClusterError
from tests.cluster.profiles import HERE, Profile
from tests.cluster.progress import say, wait_for

START_SECONDS = 90


def up(profile: Profile) -> None:
    """Start the cluster unless it runs as this checkout would start it."""
    prerequisites.ensure(profile)
    kube = binaries.build(binaries.kube())
    loaded = images.addons() if profile.has_node else {}
    key = _key(profile, loaded)
    if is_up(profile):
        if (profile.state / "complete").read_text() == key:
            say(f"{profile.name} is up")
            return
        say(f"{profile.name} runs, but from other versions: it is started anew")
    down(profile)
    begin = time.monotonic()
    say(f"starting {profile.name}")
    try:
        _start(profile, kube, loaded)
    except BaseException:
        if not _supervisor_lives(profile):
            say(f"the supervisor's log ends with\n{tail(profile.logs / 'supervisor.log')}")
        raise
    (profile.state / "complete").write_text(key)
    say(f"{profile.name} is up after {time.monotonic() - begin:.1f}s")


def down(profile: Profile) -> None:
    """Take away all that belongs to the cluster, in whatever state it is; built things stay."""
    traces = (profile.state.exists(), bool(cgroups.members(profile)), Path("/sys/class/net", profile.veth).exists())
    killed = cgroups.kill(profile)
    network.disconnect(profile)
    cgroups.remove(profile)
    _unmount_below(profile.state)
    if profile.state.exists():
        shutil.rmtree(profile.state)
    node.remove_mount_points(profile)
    if any(traces):
        say(f"{profile.name} is down ({killed} processes ended)")


def is_up(profile: Profile) -> bool:
    """Tell whether the cluster was brought up to the end and still answers."""
    return (profile.state / "complete").exists() and _supervisor_lives(profile) and control_plane.api_ready(profile)


def status(profile: Profile) -> str:
    """Describe the cluster in a few lines."""
    if not profile.state.exists():
        return f"{profile.name}: down"
    word = "up" if is_up(profile) else "broken (run up to start it anew, or down)"
    lines = [f"{profile.name}: {word}", f"  kubeconfig {profile.kubeconfig}", f"  logs       {profile.logs}"]
    for component in _components(profile):
        since = time.strftime("%H:%M:%S", time.localtime(component["since"]))
        running = f"running since {since}" if component["pid"] else "waiting"
        lines.append(f"  {component['name']:<19}{running}, restarts {component['restarts']}")
    return "\n".join(lines)


def require_up(profile: Profile) -> Path:
    """Return the kubeconfig of a running cluster, or say how to start it."""
    if not is_up(profile):
        raise ClusterError(f"{profile.name} is not up: run `python3 tests/cluster up --profile {profile.name}`")
    return profile.kubeconfig


def _start(profile: Profile, kube: Path, loaded: dict[str, images.Image]) -> None:
    profile.logs.mkdir(parents=True)
    (profile.state / "kubeconfig").mkdir()
    supervisor = _launch(profile, kube)

    def lives() -> bool:
        return _supervisor_lives(profile)

    network.connect(profile, supervisor)
    components.network_gate(profile).touch()
    control_plane.issue(profile, kube)
    components.pki_gate(profile).touch()
    if profile.has_node:
        _fill_store(profile, supervisor, loaded)
    ready = "waiting for the API server"
    wait_for(ready, lambda: control_plane.api_ready(profile), seconds=START_SECONDS, alive=lives, logs=profile.logs)
    addons.grant(profile, kube)
    if profile.has_node:
        addons.install(profile, kube, loaded)
    addons.wait(profile, kube)


def _launch(profile: Profile, kube: Path) -> int:
    """Start the supervisor as process 1 of new namespaces; return the number by which the host knows it."""
    programs = components.Programs(
        kube=kube,
        containerd=Path(shutil.which("containerd") or "containerd"),
        cni_bin=prerequisites.cni_folder() if profile.has_node else Path(),
    )
    if profile.has_node:
        node.prepare_store()
    groups = cgroups.create(profile)
    specification = {
        "state": str(profile.state),
        "hostname": profile.node_name,
        "cgroups": [str(group) for group in groups],
        "mounts": node.mounts(profile),
        "sysctls": node.sysctls(profile),
        "components": components.build(profile, programs),
    }
    profile.kube.symlink_to(kube)
    path = profile.state / "supervisor.json"
    path.write_text(json.dumps(specification, indent=1))
    namespaces = ["unshare", "--mount", "--propagation=private", "--net", "--pid", "--uts", "--fork", "--kill-child"]
    with (profile.logs / "supervisor.log").open("ab") as log:
        wrapper = subprocess.Popen(
            [*namespaces, sys.executable, "-I", str(HERE / "supervisor.py"), str(path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    cgroups.add(groups, wrapper.pid)
    wait_for(
        "starting the supervisor",
        lambda: _supervisor_lives(profile),
        seconds=START_SECONDS,
        every=0.02,
        alive=lambda: wrapper.poll() is None,
        logs=profile.logs,
    )
    return node.supervisor_pid(profile)


def _fill_store(profile: Profile, supervisor: int, loaded: dict[str, images.Image]) -> None:
    """Have containerd know the images of the add-ons, and nothing of earlier containers."""

    def answers() -> bool:
        return node.containerd_answers(supervisor)

    wait_for("waiting for containerd", answers, seconds=START_SECONDS, logs=profile.logs)
    if node.forget_containers(supervisor):
        node.restart_containerd(profile, _components(profile))
        wait_for("waiting for containerd", answers, seconds=START_SECONDS, logs=profile.logs)
    node.drop_outdated(supervisor)
    node.load(supervisor, list(loaded.values()))


def _supervisor_lives(profile: Profile) -> bool:
    return node.supervisor_pid(profile) in cgroups.members(profile)


def _components(profile: Profile) -> list[dict[str, Any]]:
    with contextlib.suppress(FileNotFoundError):
        loaded: list[dict[str, Any]] = json.loads((profile.state / "components.json").read_text())
        return loaded
    return []


def _key(profile: Profile, loaded: dict[str, images.Image]) -> str:
    """Hash what a running cluster was started from."""
    own = [path.read_bytes() for path in sorted((HERE / "addons").iterdir())]
    names = ("supervisor.py", "components.py", "profiles.py", "control_plane.py")
    own += [(HERE / name).read_bytes() for name in names]
    parts = [binaries.kube().key, *(image.exact for image in loaded.values()), profile.name]
    return binaries.digest([*own, *(part.encode() for part in parts)])


def _unmount_below(folder: Path) -> None:
    """Detach whatever is mounted in a folder that is about to be deleted."""
    targets = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for target in reversed(targets):
        if Path(target).is_relative_to(folder):
            subprocess.run(["umount", "--lazy", target], check=False, capture_output=True)
