"""The cluster that the demo runs on: the local one, which is made for it, or the one of KUBECONFIG."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from tests.cluster.profiles import FULL, REPO
from tests.demo.commands import Kubectl, output
from tests.demo.errors import DemoError

SYSTEM: Final = "evermodel-system"
OPERATOR: Final = "deployment/evermodel-operator"
OVERLAY: Final = REPO / "manifests" / "overlays" / "local"
CLUSTER_TOOL: Final = REPO / "tests" / "cluster"
COLD_BUILD: Final = 30 * 60.0
ROLLOUT: Final = 180.0
Images = Mapping[str, str]
"""Names in the overlay, and the names under which the same images are known by their content."""


class Cluster(Protocol):
    """What the demo needs of a cluster before its first ModelDeployment."""

    @property
    def kubectl(self) -> Kubectl:
        """The way to it."""

    async def start(self) -> None:
        """Return when it answers."""

    async def load_images(self) -> Images:
        """Bring the project's images to its nodes."""

    async def install_operator(self, images: Images) -> None:
        """Return when the operator is ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCluster:
    """The cluster of tests/cluster: built, started and loaded as far as it is not yet."""

    kubectl: Kubectl

    async def start(self) -> None:
        """Build what is missing and start it."""
        await _cluster_tool("up", "--profile", FULL.name)

    async def load_images(self) -> Images:
        """Build what changed and load it."""
        return exact_images(await _cluster_tool("images"))

    async def install_operator(self, images: Images) -> None:
        """Apply the operator by the content of its image, so that it restarts when, and only when, that changed."""
        manifests = await self.kubectl("kustomize", OVERLAY)
        for name, exact in images.items():
            manifests = manifests.replace(name, exact)
        await self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=manifests)
        await wait_for_operator(self.kubectl)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenCluster:
    """Somebody's own cluster: an operator that is installed there is used as it is."""

    kubectl: Kubectl

    async def start(self) -> None:
        """Ask whether it answers; nothing is started."""
        await self.kubectl("get", "--raw", "/readyz")
        print(f"uses the cluster of KUBECONFIG={self.kubectl.kubeconfig}")

    async def load_images(self) -> Images:
        """Load none: how images come to these nodes is not known here."""
        return {}

    async def install_operator(self, images: Images) -> None:
        """Install the operator where there is none."""
        del images
        found = await self.kubectl("get", "-n", SYSTEM, OPERATOR, "-o", "name", "--ignore-not-found")
        if not found:
            await self.kubectl("apply", "--server-side", "-k", OVERLAY)
        await wait_for_operator(self.kubectl)


def chosen_cluster() -> Cluster:
    """Return the cluster of KUBECONFIG, or the local one where that is unset, or is the local one's."""
    given = os.environ.get("KUBECONFIG", "")
    own = str(FULL.kubeconfig)
    if given in {"", own} or os.environ.get("EVERMODEL_CLUSTER") == "local":
        return LocalCluster(kubectl=Kubectl(program=(FULL.kube, "kubectl"), kubeconfig=own))
    return GivenCluster(kubectl=Kubectl(program=("kubectl",), kubeconfig=given))


def exact_images(listing: str) -> Images:
    """Read what `tests/cluster images` prints: a name by content and an archive on each line."""
    names = [line.split()[0] for line in listing.splitlines() if line.strip()]
    return {f"{name.rpartition(':')[0]}:dev": name for name in names}


async def wait_for_operator(kubectl: Kubectl) -> None:
    """Return when all replicas of the operator are ready."""
    try:
        await kubectl("rollout", "status", "-n", SYSTEM, OPERATOR, f"--timeout={ROLLOUT:.0f}s", within=ROLLOUT + 10)
    except DemoError as error:
        pods = await kubectl("get", "pods", "-n", SYSTEM)
        raise DemoError(f"the operator did not become ready: {error}\n{pods}{missing_images(pods)}") from error


def missing_images(pods: str) -> str:
    """Say what is missing when the nodes cannot find the images."""
    if "ErrImage" not in pods and "ImagePullBackOff" not in pods:
        return ""
    return (
        "Its nodes lack localhost/evermodel-operator:dev and localhost/evermodel-runtime:dev: load the archives that "
        "`make images` names into them, or install the operator with images of a registry that they reach."
    )


async def _cluster_tool(*arguments: str | Path) -> str:
    env = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    return await output(sys.executable, CLUSTER_TOOL, *arguments, within=COLD_BUILD, env=env)
