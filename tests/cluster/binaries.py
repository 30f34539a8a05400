"""The programs built from source with Go, each cached under a hash of all that it is made from."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.children import run_logged
from tests.cluster.control_plane import kubernetes_version
from tests.cluster.profiles import HERE, cache_root, scratch_root

LOCAL_PATH = "github.com/rancher/local-path-provisioner"
LOCAL_PATH_VERSION = "v0.0.30"


@dataclass(frozen=True)
class Program:
    """One Go program: a folder of this tool, or a published module with its version."""

    name: str
    first_time: str
    folder: Path | None = None
    module: str = ""
    linker: str = "-s -w"

    @property
    def key(self) -> str:
        """Hash of sources, versions and flags."""
        parts = [self.module.encode(), self.linker.encode()]
        if self.folder is not None:
            parts += [path.read_bytes() for path in sorted(self.folder.iterdir()) if path.is_file()]
        return digest(parts)

    @property
    def path(self) -> Path:
        """Where the executable is, once built."""
        return cache_root() / "bin" / f"{self.name}-{self.key}" / self.name

    @property
    def version(self) -> str:
        """What to call this build in a progress line."""
        if self.module:
            return self.module.rpartition("@")[2]
        found = re.search(r"github\.com/coredns/coredns (v\S+)", self._go_mod())
        return kubernetes_version() if self.name == "kube" else found[1] if found else ""

    def _go_mod(self) -> str:
        source = self.folder / "go.mod" if self.folder else None
        return source.read_text() if source and source.exists() else ""


def digest(parts: Iterable[bytes]) -> str:
    """Return a short key of several pieces of content, their borders included."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:16]


def kube() -> Program:
    """Describe Kubernetes and etcd in one binary."""
    version = kubernetes_version()
    stamps = [f"-X k8s.io/{where}/version.gitVersion={version}" for where in ("component-base", "client-go/pkg")]
    return Program("kube", "~7 min", HERE / "go" / "kube", linker=" ".join(["-s -w", *stamps]))


def coredns() -> Program:
    """Describe CoreDNS with the few plugins in use."""
    return Program("coredns", "~1 min", HERE / "go" / "coredns")


def pause() -> Program:
    """Describe the process that holds a pod's namespaces."""
    return Program("pause", "seconds", HERE / "go" / "pause")


def local_path() -> Program:
    """Describe the provisioner of volumes."""
    return Program("local-path-provisioner", "~2 min", module=f"{LOCAL_PATH}@{LOCAL_PATH_VERSION}")


def needed(*, node: bool) -> list[Program]:
    """Return the programs that a cluster with or without a node is made of."""
    return [kube(), *([pause(), coredns(), local_path()] if node else [])]


def missing(programs: Iterable[Program]) -> list[Program]:
    """Return those that are not built yet."""
    return [program for program in programs if not program.path.exists()]


def build(program: Program) -> Path:
    """Build a program unless it is there; a killed build leaves nothing that looks finished."""
    target = program.path
    if target.exists():
        return target
    target.parent.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{program.name}-", dir=scratch_root()))
    environment = os.environ | {"CGO_ENABLED": "0", "GOBIN": str(scratch), "GOFLAGS": "-trimpath"}
    arguments = ["-trimpath", "-ldflags", program.linker]
    if program.module:
        argv = ["go", "install", *arguments, program.module]
    elif (program.folder or HERE).joinpath("go.mod").exists():
        argv = ["go", "build", *arguments, "-o", str(scratch / program.name), "."]
    else:
        argv = ["go", "build", *arguments, "-o", str(scratch / program.name), "main.go"]
    try:
        run_logged(
            argv,
            log=cache_root() / "logs" / f"build-{program.name}.log",
            what=f"building {program.name} {program.version}".rstrip() + f" (first time {program.first_time})",
            cwd=program.folder or scratch,
            env=environment,
        )
        scratch.chmod(0o755)
        scratch.rename(target.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target
