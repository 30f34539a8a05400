"""What runs in a cluster: the command line and the configuration file of every component."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.profiles import Profile

CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
PAUSE_IMAGE = "localhost/evermodel-pause:dev"
DNS_IP = "10.96.0.10"
AUDITED_VERBS = ["create", "update", "patch", "delete", "deletecollection"]

CONTAINERD_CONFIG = """\
version = 2
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.devmapper"]
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
disable_apparmor = true
restrict_oom_score_adj = true
enable_selinux = false
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{cni_bin}"
conf_dir = "{cni_conf}"
"""


@dataclass(frozen=True)
class Programs:
    """The executables that components are started from."""

    kube: Path
    containerd: Path
    cni_bin: Path


def build(profile: Profile, programs: Programs) -> list[dict[str, Any]]:
    """Write the configuration files and return the components for the supervisor, in the order of their needs."""
    _write_json(profile.state / "audit-policy.json", _audit_policy())
    components = [_etcd(profile, programs), _apiserver(profile, programs), *_controllers(profile, programs)]
    if profile.has_node:
        _write_json(profile.state / "kubelet.json", _kubelet_config(profile))
        _write_json(profile.state / "proxy.json", _proxy_config(profile))
        _write_json(profile.state / "cni" / "10-evermodel.conflist", _cni_config(profile))
        (profile.state / "containerd.toml").write_text(
            CONTAINERD_CONFIG.format(pause=PAUSE_IMAGE, cni_bin=programs.cni_bin, cni_conf=profile.state / "cni")
        )
        components += _node(profile, programs)
    return components


def network_gate(profile: Profile) -> Path:
    """Return the file that says that the network is set up."""
    return profile.state / "network.ready"


def pki_gate(profile: Profile) -> Path:
    """Return the file that says that certificates and kubeconfigs are complete."""
    return profile.state / "pki.ready"


def _component(name: str, argv: list[str], *gates: str) -> dict[str, Any]:
    return {"name": name, "argv": argv, "gates": list(gates)}


def _etcd(profile: Profile, programs: Programs) -> dict[str, Any]:
    argv = [
        f"{programs.kube}",
        "etcd",
        f"--data-dir={profile.state}/etcd",
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",  # the data need not survive the machine
        "--log-level=warn",
    ]
    return _component("etcd", argv, f"file:{network_gate(profile)}")


def _apiserver(profile: Profile, programs: Programs) -> dict[str, Any]:
    pki = profile.state / "pki"
    flags = {
        "etcd-servers": "http://127.0.0.1:2379",
        "advertise-address": profile.node_ip,
        "bind-address": "0.0.0.0",
        "secure-port": "6443",
        "service-cluster-ip-range": profile.service_cidr,
        "tls-cert-file": pki / "apiserver.crt",
        "tls-private-key-file": pki / "apiserver.key",
        "client-ca-file": pki / "ca.crt",
        "kubelet-client-certificate": pki / "apiserver-kubelet-client.crt",
        "kubelet-client-key": pki / "apiserver-kubelet-client.key",
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": pki / "sa.pub",
        "service-account-signing-key-file": pki / "sa.key",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "requestheader-client-ca-file": pki / "front-proxy-ca.crt",
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
        "proxy-client-cert-file": pki / "front-proxy-client.crt",
        "proxy-client-key-file": pki / "front-proxy-client.key",
        "audit-policy-file": profile.state / "audit-policy.json",
        "audit-log-path": profile.state / "audit.log",
        "audit-log-mode": "blocking",  # a test reads the line as soon as it has the answer
    }
    return _component("apiserver", _argv(programs, "apiserver", flags), f"file:{pki_gate(profile)}")


def _controllers(profile: Profile, programs: Programs) -> list[dict[str, Any]]:
    """Return what starts only against a ready API server, for it would end at once otherwise."""
    pki = profile.state / "pki"
    ready = (f"file:{pki_gate(profile)}", f"{profile.server}/readyz")

    def common(name: str) -> dict[str, object]:
        own = profile.state / "kubeconfig" / f"{name}.conf"
        return {
            "kubeconfig": own,
            "authentication-kubeconfig": own,
            "authorization-kubeconfig": own,
            "leader-elect": "false",
            "kube-api-qps": 300,
            "kube-api-burst": 600,
        }

    manager = common("controller-manager") | {
        "service-account-private-key-file": pki / "sa.key",
        "root-ca-file": pki / "ca.crt",
        "cluster-signing-cert-file": pki / "ca.crt",
        "cluster-signing-key-file": pki / "ca.key",
        "use-service-account-credentials": "true",
        "allocate-node-cidrs": "false",
    }
    return [
        _component("controller-manager", _argv(programs, "controller-manager", manager), *ready),
        _component("scheduler", _argv(programs, "scheduler", common("scheduler")), *ready),
    ]


def _node(profile: Profile, programs: Programs) -> list[dict[str, Any]]:
    ready = (f"file:{pki_gate(profile)}", f"{profile.server}/readyz")
    kubelet = {
        "config": profile.state / "kubelet.json",
        "kubeconfig": profile.state / "kubeconfig" / "kubelet.conf",
        "node-ip": profile.node_ip,
        "hostname-override": profile.node_name,
    }
    return [
        _component(
            "containerd",
            [f"{programs.containerd}", f"--config={profile.state}/containerd.toml"],
            f"file:{network_gate(profile)}",
        ),
        _component("kubelet", _argv(programs, "kubelet", kubelet), f"unix:{CONTAINERD_SOCKET}", *ready),
        _component("kube-proxy", _argv(programs, "proxy", {"config": profile.state / "proxy.json"}), *ready),
    ]


def _argv(programs: Programs, name: str, flags: dict[str, Any]) -> list[str]:
    return [f"{programs.kube}", name, *(f"--{flag}={value}" for flag, value in flags.items())]


def _kubelet_config(profile: Profile) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{profile.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "clusterDNS": [DNS_IP],
        "clusterDomain": "cluster.local",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{profile.state}/pki/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "resolvConf": "",
        "syncFrequency": "2s",
        "configMapAndSecretChangeDetectionStrategy": "Watch",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
    }


def _proxy_config(profile: Profile) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": profile.pod_cidr,
        "clientConnection": {"kubeconfig": f"{profile.state}/kubeconfig/kube-proxy.conf"},
        "hostnameOverride": profile.node_name,
        "conntrack": {"maxPerCore": 0, "min": 0},
    }


def _cni_config(profile: Profile) -> dict[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": profile.pod_cidr}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return {"cniVersion": "1.0.0", "name": "evermodel", "plugins": [bridge]}


def _audit_policy() -> dict[str, Any]:
    """Record what the operator writes, in the cluster or under a test's own user, and nothing else."""
    written = {"level": "Request", "verbs": AUDITED_VERBS}
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            written | {"users": ["evermodel-operator"]},
            written | {"userGroups": ["system:serviceaccounts:evermodel-system"]},
            {"level": "None"},
        ],
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a configuration file; JSON is YAML to every component."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1))
