"""The link between the host and a cluster's network namespace.

The namespace has no name: it belongs to the supervisor and ends with it, and the link and the routes with it.
"""

import ipaddress
import json
import subprocess
from pathlib import Path

from tests.cluster.children import run_quiet
from tests.cluster.errors import ClusterError
from tests.cluster.profiles import Profile


def connect(profile: Profile, supervisor: int) -> None:
    """Link the host to the supervisor's namespace; nothing but the host is reachable from there."""
    host = [
        f"link add {profile.veth} type veth peer name eth0 netns {supervisor}",
        f"address add {profile.host_ip}/24 dev {profile.veth}",
        f"link set {profile.veth} up",
    ]
    node = ["link set lo up", f"address add {profile.node_ip}/24 dev eth0", "link set eth0 up"]
    if profile.has_node:
        # Services are rewritten before a packet leaves: any route will do, but there must be one.
        node.append(f"route replace {profile.service_cidr} dev eth0")
    _ip(host)
    _ip(node, "nsenter", "--target", str(supervisor), "--net")
    _ip([f"route replace {network} via {profile.node_ip} dev {profile.veth}" for network in profile.routed])


def disconnect(profile: Profile) -> None:
    """Remove the link, and the routes with it, if the end of the namespace has not done so yet."""
    if Path("/sys/class/net", profile.veth).exists():
        subprocess.run(["ip", "link", "delete", profile.veth], check=False, capture_output=True)


def conflicts(profile: Profile) -> list[str]:
    """Name the routes of the host that a cluster of this profile would take the place of."""
    wanted = [ipaddress.ip_network(net) for net in (profile.subnet, *profile.routed)]
    answer = subprocess.run(["ip", "-json", "-4", "route"], check=True, capture_output=True, text=True).stdout
    taken = []
    for route in json.loads(answer or "[]"):
        if route["dst"] == "default" or route.get("dev") == profile.veth:
            continue
        network = ipaddress.ip_network(route["dst"])
        if any(network.overlaps(own) for own in wanted):
            taken.append(
                f"the route {route['dst']} of {route.get('dev', 'this host')} overlaps the {profile.name} profile"
            )
    return taken


def _ip(commands: list[str], *prefix: str) -> None:
    """Run commands of `ip` as one batch."""
    if not commands:
        return
    result = run_quiet([*prefix, "ip", "-batch", "-"], stdin="\n".join(commands) + "\n")
    if result.returncode != 0:
        raise ClusterError(f"network set-up failed: {result.stderr.strip()}")
