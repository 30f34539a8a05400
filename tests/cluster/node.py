"""The node's side of a cluster: its folders, its containerd and the images in it."""

import contextlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.cluster.binaries import digest
from tests.cluster.children import bound
from tests.cluster.components import CONTAINERD_SOCKET
from tests.cluster.errors import ClusterError
from tests.cluster.images import Image
from tests.cluster.profiles import Profile, cache_root
from tests.cluster.progress import say

# Where a node's programs expect to write, each a folder of the state there; the host keeps its own.
FOLDERS = {"/var/lib/kubelet": "kubelet", "/var/lib/cni": "cni-data", "/var/log": "var-log"}
CONTAINERD_FOLDER = "/var/lib/containerd"
IMPORT_SECONDS = 300
OWN_PREFIX = "localhost/evermodel-"
PER_RUN = ("io.containerd.grpc.v1.cri", "io.containerd.runtime.v2.task", "io.containerd.runtime.v1.linux")


def mounts(profile: Profile) -> list[list[str]]:
    """Return the mounts that give the node folders of its own under the usual names."""
    if not profile.has_node:
        return []
    binds = {target: profile.state / name for target, name in FOLDERS.items()}
    binds[CONTAINERD_FOLDER] = image_store()
    for target, source in binds.items():
        source.mkdir(parents=True, exist_ok=True)
        Path(target).mkdir(parents=True, exist_ok=True)
    volumes(profile).mkdir(parents=True, exist_ok=True)
    listed = [["--bind", str(source), target] for target, source in binds.items()]
    return [*listed, ["--make-rshared", "/"], ["-t", "tmpfs", "tmpfs", "/run"]]


def sysctls(profile: Profile) -> dict[str, str]:
    """Return the settings of the node's network namespace."""
    return {"net.ipv4.ip_forward": "1"} if profile.has_node else {}


def volumes(profile: Profile) -> Path:
    """Return the folder of persistent volumes."""
    return profile.state / "volumes"


def remove_mount_points(profile: Profile) -> None:
    """Remove the empty folders that were made on the host only to be mounted over."""
    if profile.has_node:
        for folder in (*FOLDERS, CONTAINERD_FOLDER):
            with contextlib.suppress(OSError):  # in use by the host itself, or never made
                Path(folder).rmdir()


def image_store() -> Path:
    """Return the folder of unpacked images, which outlives the cluster; one per version of containerd."""
    version = subprocess.run(["containerd", "--version"], check=False, capture_output=True)
    return cache_root() / "containerd" / digest([version.stdout])


def prepare_store() -> None:
    """Drop the stores of other versions, and what the store remembers of containers that are gone."""
    store = image_store()
    if store.parent.exists():
        for other in store.parent.iterdir():
            if other != store:
                shutil.rmtree(other)
    for name in PER_RUN:
        shutil.rmtree(store / name, ignore_errors=True)


def containerd_answers(supervisor: int) -> bool:
    """Tell whether containerd serves requests."""
    return _ctr(supervisor, "version").returncode == 0


def forget_containers(supervisor: int) -> bool:
    """Delete the records of an earlier cluster's containers; tell if there were any."""
    names = _ctr(supervisor, "containers", "ls", "-q").stdout.split()
    if names:
        _ctr(supervisor, "containers", "rm", *names)
    return bool(names)


def restart_containerd(profile: Profile, components: list[dict[str, Any]]) -> None:
    """End containerd; the supervisor starts it anew."""
    for component in components:
        if component["name"] == "containerd" and component["pid"]:
            supervisor = supervisor_pid(profile)
            kill = ["kill", "-TERM", str(component["pid"])]
            subprocess.run(["nsenter", f"--target={supervisor}", "--pid", "--mount", *kill], check=False)


def supervisor_pid(profile: Profile) -> int:
    """Return the supervisor's process, or 0 when none was ever started."""
    try:
        return int((profile.state / "supervisor.pid").read_text())
    except (FileNotFoundError, ValueError):
        return 0


def load(supervisor: int, images: list[Image]) -> None:
    """Import the images that the node does not have, each known by its content afterwards.

    Older ones stay: pods of earlier versions run them.
    """
    present = set(_ctr(supervisor, "images", "ls", "-q").stdout.split())
    for image in images:
        if image.exact in present:
            continue
        say(f"importing {image.exact}")
        import_archive(supervisor, image.archive)
        _must(_ctr(supervisor, "images", "tag", "--force", image.reference, image.exact), f"tagging {image.exact}")


def drop_outdated(supervisor: int) -> None:
    """Remove images of ours whose archive is gone; only while no pod runs."""
    names = _ctr(supervisor, "images", "ls", "-q").stdout.split()
    ours = [name for name in names if name.startswith(OWN_PREFIX) and not name.endswith(":dev")]
    old = [name for name in ours if not Image(*name.rsplit(":", 1)).archive.exists()]
    if old:
        _ctr(supervisor, "images", "rm", *old)


def import_archive(supervisor: int, archive: Path) -> None:
    """Import an image archive, whoever made it."""
    with archive.open("rb") as content:
        _must(_ctr(supervisor, "images", "import", "-", stdin=content), f"importing {archive}")


def _ctr(supervisor: int, *arguments: str, stdin: Any = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    """Run containerd's client inside the node."""
    command = ["nsenter", f"--target={supervisor}", "--mount", "--pid", "--net"]
    command += ["ctr", f"--address={CONTAINERD_SOCKET}", "--namespace=k8s.io", *arguments]
    return subprocess.run(
        bound(command), stdin=stdin, check=False, capture_output=True, text=True, timeout=IMPORT_SECONDS
    )


def _must(result: subprocess.CompletedProcess[str], what: str) -> None:
    if result.returncode != 0:
        raise ClusterError(f"{what} failed: {result.stderr.strip()}")
