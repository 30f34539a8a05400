"""The operator of this checkout on a cluster with nodes, installed as the demo does it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from kubernetes.aio import client as kubernetes
from kubernetes.aio import config as kubernetes_config
from tests.demo.clusters import SYSTEM, Cluster, Images, LocalCluster, chosen_cluster
from tests.demo.commands import Kubectl
from tests.e2e.node import kill_containers

from evermodel.kube.aio import ApiServerClient

OPERATOR_PODS: Final = "app.kubernetes.io/component=operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A cluster on which the operator runs."""

    cluster: Cluster
    images: Images

    @property
    def kubectl(self) -> Kubectl:
        """The way to it for everything that a person would do."""
        return self.cluster.kubectl

    @property
    def is_local(self) -> bool:
        """Tell whether it is the cluster of tests/cluster, whose node and audit log are at hand."""
        return isinstance(self.cluster, LocalCluster)

    async def restore(self) -> None:
        """Install the operator again as it was."""
        await self.cluster.install_operator(self.images)

    async def kill_operator(self) -> None:
        """End all replicas without a last word; others come in their place, without the pause after a crash."""
        selection = ("-n", SYSTEM, "pods", "--selector", OPERATOR_PODS)
        if self.is_local:  # elsewhere a second passes between the signal to stop and the end
            for pod in json.loads(await self.kubectl("get", *selection, "-o", "json"))["items"]:
                kill_containers(pod)
        await self.kubectl("delete", *selection, "--force", "--grace-period=0")

    @contextlib.asynccontextmanager
    async def reader(self) -> AsyncIterator[ApiServerClient]:
        """Open a client for frequent looks, which cost less than a kubectl each."""
        configuration: Any = kubernetes.Configuration()
        await kubernetes_config.load_kube_config(
            config_file=self.kubectl.kubeconfig, client_configuration=configuration, persist_config=False
        )
        api = kubernetes.ApiClient(configuration)
        try:
            yield ApiServerClient(api, lambda _kind, _verb: None)
        finally:
            await api.close()


async def install() -> Installation:
    """Start the cluster, load the images and install the operator, as far as that is not done."""
    cluster = chosen_cluster()
    await cluster.start()
    images = await cluster.load_images()
    await cluster.install_operator(images)
    return Installation(cluster=cluster, images=images)
