"""Certificates, users and the state of the API server."""

import json
import re
import ssl
import subprocess
import urllib.request
from pathlib import Path

from tests.cluster.children import run_quiet
from tests.cluster.components import CONTAINERD_SOCKET
from tests.cluster.errors import ClusterError
from tests.cluster.profiles import HERE, Profile

USER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]*")


def kubernetes_version() -> str:
    """Return the version that the Go module names, such as v1.37.2."""
    found = re.search(r"k8s\.io/kubernetes (v\S+)", (HERE / "go" / "kube" / "go.mod").read_text())
    if found is None:
        raise ClusterError("tests/cluster/go/kube/go.mod names no version of k8s.io/kubernetes")
    return found[1]


def issue(profile: Profile, kube: Path) -> None:
    """Make the authorities, the certificates and the kubeconfigs of the components."""
    config = profile.state / "kubeadm.json"
    config.write_text("\n---\n".join(json.dumps(document) for document in _kubeadm_config(profile)))
    folder = profile.state / "kubeconfig"
    _kubeadm(profile, kube, "init", "phase", "certs", "all", f"--config={config}")
    _kubeadm(profile, kube, "init", "phase", "kubeconfig", "all", f"--config={config}", f"--kubeconfig-dir={folder}")
    if profile.has_node:
        (folder / "kube-proxy.conf").write_text(_user(profile, kube, "system:kube-proxy", []))


def add_user(profile: Profile, kube: Path, name: str, groups: list[str]) -> Path:
    """Make a kubeconfig for a user (and its groups) signed by the cluster's authority; return its path."""
    if not USER_NAME.fullmatch(name):
        raise ClusterError(f"a user's name is letters, digits and . _ - : and begins with none of these, not {name!r}")
    target = profile.state / "kubeconfig" / f"user-{name.replace(':', '-')}.conf"
    target.write_text(_user(profile, kube, name, groups))
    return target


def api_ready(profile: Profile) -> bool:
    """Tell whether the API server says of itself that it is ready."""
    authority = profile.state / "pki" / "ca.crt"
    try:
        context = ssl.create_default_context(cafile=str(authority))
        with urllib.request.urlopen(f"{profile.server}/readyz", timeout=2, context=context) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def kubectl(
    kube: Path, kubeconfig: Path, *arguments: str, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run kubectl and return what it said, whatever its exit code."""
    return run_quiet([str(kube), "kubectl", f"--kubeconfig={kubeconfig}", *arguments], stdin=stdin)


def apply(kube: Path, kubeconfig: Path, manifest: str) -> None:
    """Apply a manifest with the server's own field management."""
    result = kubectl(kube, kubeconfig, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest)
    if result.returncode != 0:
        raise ClusterError(f"kubectl apply failed: {result.stderr.strip()}")


def _kubeadm_config(profile: Profile) -> list[dict[str, object]]:
    version = "kubeadm.k8s.io/v1beta4"
    return [
        {
            "apiVersion": version,
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": profile.node_ip, "bindPort": 6443},
            "nodeRegistration": {"name": profile.node_name, "criSocket": f"unix://{CONTAINERD_SOCKET}"},
        },
        {
            "apiVersion": version,
            "kind": "ClusterConfiguration",
            "clusterName": f"evermodel-{profile.name}",
            "kubernetesVersion": kubernetes_version(),
            "certificatesDir": f"{profile.state}/pki",
            "encryptionAlgorithm": "ECDSA-P256",  # RSA keys take seconds
            "networking": {"serviceSubnet": profile.service_cidr, "podSubnet": profile.pod_cidr},
            "apiServer": {"certSANs": ["127.0.0.1", "localhost"]},
        },
    ]


def _user(profile: Profile, kube: Path, name: str, groups: list[str]) -> str:
    arguments = [f"--config={profile.state}/kubeadm.json", f"--client-name={name}"]
    return _kubeadm(profile, kube, "kubeconfig", "user", *arguments, *(f"--org={group}" for group in groups))


def _kubeadm(profile: Profile, kube: Path, *arguments: str) -> str:
    result = run_quiet([str(kube), "kubeadm", *arguments])
    with (profile.logs / "kubeadm.log").open("a") as log:
        log.write(result.stderr)
    if result.returncode != 0:
        raise ClusterError(f"kubeadm {' '.join(arguments[:3])} failed: {result.stderr.strip()}")
    return result.stdout
