"""The two clusters this tool knows, and where each keeps its things."""

import os
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


def cache_root() -> Path:
    """Return the folder of all that is built or kept, always outside the checkout."""
    own = os.environ.get("EVERMODEL_CACHE")
    if own:
        return Path(own).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".cache").resolve() / "evermodel"


def scratch_root() -> Path:
    """Return the folder of work in progress: on the cache's file system, and emptied by the next command."""
    return cache_root() / "scratch"


@dataclass(frozen=True)
class Profile:
    """A cluster's fixed addresses and names; both profiles can run at the same time."""

    name: str
    host_ip: str
    node_ip: str
    service_cidr: str
    pod_cidr: str
    has_node: bool
    veth: str

    @property
    def cgroup(self) -> str:
        """The control group that all the processes of the cluster, and none else, belong to."""
        return f"evermodel-{self.name}"

    @property
    def node_name(self) -> str:
        """Name of the node and of its UTS namespace."""
        return f"evermodel-{self.name}"

    @property
    def server(self) -> str:
        """The API server's URL, reachable from the host as well as from pods."""
        return f"https://{self.node_ip}:6443"

    @property
    def state(self) -> Path:
        """The folder of certificates, data and logs; gone after `down`."""
        return cache_root() / "clusters" / self.name

    @property
    def logs(self) -> Path:
        """One file per component."""
        return self.state / "log"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig" / "admin.conf"

    @property
    def kube(self) -> Path:
        """The Kubernetes programs that this cluster runs, whatever the checkout says by now."""
        return self.state / "kube"

    @property
    def super_kubeconfig(self) -> Path:
        """The kubeconfig that needs no role binding, for the first binding."""
        return self.state / "kubeconfig" / "super-admin.conf"

    @property
    def subnet(self) -> str:
        """The network between host and cluster."""
        return self.node_ip.rsplit(".", 1)[0] + ".0/24"

    @property
    def routed(self) -> tuple[str, ...]:
        """The networks that the host reaches through the node."""
        return (self.service_cidr, self.pod_cidr) if self.has_node else ()


FULL = Profile(
    name="full",
    host_ip="10.99.0.1",
    node_ip="10.99.0.2",
    service_cidr="10.96.0.0/16",
    pod_cidr="10.244.0.0/16",
    has_node=True,
    veth="evm-full",
)
CONTROL_PLANE = Profile(
    name="control-plane",
    host_ip="10.98.0.1",
    node_ip="10.98.0.2",
    service_cidr="10.97.0.0/16",
    pod_cidr="10.245.0.0/16",
    has_node=False,
    veth="evm-cp",
)
PROFILES = {profile.name: profile for profile in (FULL, CONTROL_PLANE)}
