"""What every cluster has on top of its components: first roles, and on a node DNS and volumes."""

from pathlib import Path
from string import Template

from tests.cluster import control_plane, node
from tests.cluster.components import DNS_IP
from tests.cluster.images import Image
from tests.cluster.profiles import HERE, Profile
from tests.cluster.progress import wait_for

READY_SECONDS = 120


def grant(profile: Profile, kube: Path) -> None:
    """Give the administrators their role, by the one user that needs none."""
    control_plane.apply(kube, profile.super_kubeconfig, (HERE / "addons" / "rbac.yaml").read_text())


def install(profile: Profile, kube: Path, images: dict[str, Image]) -> None:
    """Start DNS and the provisioner of volumes."""
    values = {name.replace("-", "_"): image.key for name, image in images.items()}
    values |= {"dns_ip": DNS_IP, "volumes": str(node.volumes(profile))}
    manifests = [(HERE / "addons" / name).read_text() for name in ("coredns.yaml", "local-path.yaml")]
    control_plane.apply(kube, profile.kubeconfig, Template("\n---\n".join(manifests)).substitute(values))


def wait(profile: Profile, kube: Path) -> None:
    """Wait until a pod can be created, and on a node run, find names and claim volumes."""

    def holds(*arguments: str) -> bool:
        return control_plane.kubectl(kube, profile.kubeconfig, *arguments).returncode == 0

    def settled(what: str, *arguments: str) -> None:
        wait_for(f"waiting for {what}", lambda: holds(*arguments), seconds=READY_SECONDS, logs=profile.logs)

    settled("the default service account", "get", "serviceaccount", "default", "--namespace=default")
    if profile.has_node:
        quick = "--timeout=10s"
        settled("the node", "wait", "--for=condition=Ready", f"node/{profile.node_name}", quick)
        for name in ("coredns", "local-path"):
            available = ("wait", "--for=condition=Available", f"deployment/{name}", "--namespace=kube-system", quick)
            settled(name, *available)
