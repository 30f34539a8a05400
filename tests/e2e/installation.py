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
from evermodel.kube.client import Object

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

    async def kill(self, pod: Object) -> None:
        """End the containers of a pod without a last word; they are started again."""
        if self.is_local:
            kill_containers(pod)
            return
        target = ("-n", pod["metadata"]["namespace"], "pod", pod["metadata"]["name"])
        await self.kubectl("delete", *target, "--force", "--grace-period=0")  # after a second to stop

    async def kill_operator(self) -> None:
        """End all replicas without a last word; others come in their place, without the pause after a crash."""
        for pod in await self._operator_pods():
            await self.kill(pod)
        await self.kubectl("-n", SYSTEM, "delete", "pods", "-l", OPERATOR_PODS, "--force", "--grace-period=0")

    async def operator_metrics(self) -> list[str]:
        """Return what each replica shows at /metrics, to which the API server is a proxy."""
        names = [pod["metadata"]["name"] for pod in await self._operator_pods()]
        paths = [f"/api/v1/namespaces/{SYSTEM}/pods/{name}:8081/proxy/metrics" for name in names]
        return [await self.kubectl("get", "--raw", path) for path in paths]

    async def _operator_pods(self) -> list[Object]:
        listing = await self.kubectl("-n", SYSTEM, "get", "pods", "-l", OPERATOR_PODS, "-o", "json")
        return [pod for pod in json.loads(listing)["items"] if "deletionTimestamp" not in pod["metadata"]]

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
