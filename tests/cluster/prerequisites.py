"""What the machine must offer: checked before anything is changed, installed where a package is all that is missing."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.cluster import binaries, cgroups, network
from tests.cluster.children import run_logged
from tests.cluster.errors import ClusterError
from tests.cluster.profiles import FULL, HERE, Profile, cache_root

BASIC = {"ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux", "setpriv": "util-linux"}
NODE = {"containerd": "containerd", "ctr": "containerd", "runc": "runc", "nft": "nftables", "busybox": "busybox-static"}
IMAGES = {"buildah": "buildah", "mmdebstrap": "mmdebstrap", "git": "git"}
CNI_FOLDERS = ("/usr/lib/cni", "/opt/cni/bin")
CNI_PACKAGE = "containernetworking-plugins"
V1_CONTROLLERS = {"cpu", "cpuset", "memory", "pids"}
V2_CONTROLLERS = {"cpu", "memory", "pids"}
GO_MODULES = ("kube", "coredns")


def ensure(profile: Profile) -> None:
    """Make this machine able to run a cluster, or say in one line each what keeps it from it."""
    problems = _privilege() + _cgroup() + (_overlay() if profile.has_node else [])
    _refuse(problems + go_problems(binaries.needed(node=profile.has_node)))
    _install(_packages(BASIC | (NODE if profile.has_node else {}), cni=profile.has_node))
    _refuse(_namespaces(profile) + network.conflicts(profile))


def ensure_images() -> None:
    """Make this machine able to build images."""
    _refuse(_privilege() + _overlay() + go_problems(binaries.needed(node=FULL.has_node)))
    _install(_packages(BASIC | NODE | IMAGES, cni=False))


def cni_folder() -> Path:
    """Return where the network plugins are."""
    for folder in map(Path, CNI_FOLDERS):
        if (folder / "bridge").exists() and (folder / "host-local").exists():
            return folder
    raise ClusterError(f"no network plugins: install the package {CNI_PACKAGE}")


def go_problems(programs: Iterable[binaries.Program]) -> list[str]:
    """Name what keeps Go from building what is not built yet."""
    todo = binaries.missing(programs)
    if not todo:
        return []
    names = ", ".join(program.name for program in todo)
    go = shutil.which("go")
    if go is None:
        return [f"Go is not installed, and {names} must be built: get it from https://go.dev/dl/"]
    answer = subprocess.run([go, "env", "GOVERSION"], check=False, capture_output=True, text=True).stdout
    found = _numbers(answer)
    wanted = max(_numbers(_go_line(folder)) for folder in GO_MODULES)
    if found < wanted:
        need = ".".join(map(str, wanted))
        return [f"Go {need} or newer must build {names}, but {go} is {answer.strip() or 'of no known version'}"]
    return []


def _go_line(folder: str) -> str:
    found = re.search(r"^go (\S+)", (HERE / "go" / folder / "go.mod").read_text(), re.MULTILINE)
    return found[1] if found else "0"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _privilege() -> list[str]:
    if os.uname().sysname != "Linux":
        return ["this is no Linux: namespaces and control groups are needed; set KUBECONFIG to use another cluster"]
    return [] if os.geteuid() == 0 else ["not root: namespaces, mounts and routes need it (try sudo)"]


def _packages(programs: dict[str, str], *, cni: bool) -> list[str]:
    missing = {package for program, package in programs.items() if shutil.which(program) is None}
    if cni and not any(Path(folder, "bridge").exists() for folder in CNI_FOLDERS):
        missing.add(CNI_PACKAGE)
    return sorted(missing)


def _install(packages: list[str]) -> None:
    """Install Debian packages, but never at the price of one that is there."""
    if not packages:
        return
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise ClusterError(f"these Debian packages, or their like, must be installed: {names}")
    log = cache_root() / "logs" / "packages.log"
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run_logged(["apt-get", "update", "-q"], log=log, what="reading the package lists", env=environment)
    command = ["apt-get", "install", "-q", "-y", "--no-install-recommends", "--no-remove", *packages]
    run_logged(command, log=log, what=f"installing {names}", env=environment)


def _namespaces(profile: Profile) -> list[str]:
    """Try what the kernel must be able to do, in a namespace that is gone at once."""
    lacking = []
    if not _works("unshare", "--net", "--mount", "--pid", "--uts", "--fork", "true"):
        return ["this kernel or container allows no new namespaces (unshare failed)"]
    if not _works("unshare", "--net", "ip", "link", "add", "try0", "type", "veth", "peer", "name", "try1"):
        lacking.append("this kernel has no veth interfaces")
    if profile.has_node:
        if not _works("unshare", "--net", "ip", "link", "add", "try0", "type", "bridge"):
            lacking.append("this kernel has no network bridges")
        if not _works("unshare", "--net", "nft", "add", "table", "ip", "try"):
            lacking.append("this kernel has no nftables")
    return lacking


def _cgroup() -> list[str]:
    offered = cgroups.controllers()
    wanted = V1_CONTROLLERS if len(cgroups.hierarchies()) > 1 else V2_CONTROLLERS
    missing = sorted(wanted - offered)
    return [f"no control group controller {', '.join(missing)} under /sys/fs/cgroup"] if missing else []


def _overlay() -> list[str]:
    if "overlay" in _filesystems() or (_works("modprobe", "overlay") and "overlay" in _filesystems()):
        return []
    return ["this kernel has no overlay file system"]


def _filesystems() -> list[str]:
    return Path("/proc/filesystems").read_text().split()


def _works(*argv: str) -> bool:
    if shutil.which(argv[0]) is None:
        return False
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def _refuse(problems: list[str]) -> None:
    if problems:
        raise ClusterError("this machine cannot run it:\n" + "\n".join(f"  - {problem}" for problem in problems))
