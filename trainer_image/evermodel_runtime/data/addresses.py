"""Addresses that no source may be fetched from: a pod reaches more than its user is meant to reach through it.

Private ranges are allowed: servers inside the cluster and the company have such addresses.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
TRANSLATED = ip_network("64:ff9b::/96")
"""Where NAT64 shows the IPv4 internet to hosts that have only IPv6."""


def _networks(*ranges: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(one) for one in ranges)


REFUSED: Mapping[str, tuple[IPv4Network | IPv6Network, ...]] = {
    "the pod itself (loopback)": _networks("127.0.0.0/8", "::1/128", "0.0.0.0/8", "::/128"),
    "link-local, where nodes and clouds answer with secrets": _networks("169.254.0.0/16", "fe80::/10"),
    "a cloud's metadata server": _networks(
        "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::254/128", "fd20:ce::254/128"
    ),
    "a multicast address": _networks("224.0.0.0/4", "ff00::/8"),
    "a reserved address": _networks("240.0.0.0/4", "::/96", "fec0::/10"),
    "an address of a tunnel": _networks("2001::/32", "2002::/16", "64:ff9b:1::/48"),
}
"""What each range is, for messages; the first that fits is named."""


def refusal(address: Address) -> str | None:
    """Return what an address is when nothing may be fetched from it."""
    address = _plain(address)
    return next((what for what, ranges in REFUSED.items() if _is_in(address, ranges)), None)


def resolve(host: str, port: int) -> list[Address]:
    """Return the addresses of a host, in the order in which they are to be tried.

    Raises
    ------
    socket.gaierror
        There is no such host, or no answer.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(place[0]) for *_, place in found))


def _plain(address: Address) -> Address:
    """Return the IPv4 address inside an IPv6 address that only spells or translates one."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in TRANSLATED else address


def _is_in(address: Address, ranges: Iterable[IPv4Network | IPv6Network]) -> bool:
    return any(address in one for one in ranges)
