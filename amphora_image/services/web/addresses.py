# SPDX-License-Identifier: Apache-2.0
"""The rule on addresses: which of them an image may be read from. It judges what is connected to, not a name."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amphora_image.config.web import WebRules

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: IANA's special-purpose registries, written out: what ipaddress.is_global says differs between releases of Python.
_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        [
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "2001::/23",
            "2001:db8::/32",
            "2002::/16",
            "3fff::/20",
        ],
    )
)
#: Of IPv6 only what is assigned as global unicast is public; Teredo and 6to4, which carry any IPv4 address, are above.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def objection(text: str, rules: WebRules) -> str | None:
    """Say why nothing may be read from the address ``text``, None where it may."""
    forms = _forms(ipaddress.ip_address(text.partition("%")[0]))
    if any(form in network for form in forms for network in rules.denied_addresses):
        return f"{text} is in denied_addresses"
    if any(form in network for form in forms for network in rules.allowed_addresses) or _is_public(forms[-1]):
        return None
    return f"{text} is not public"


def _forms(address: Address) -> tuple[Address, ...]:
    """Give an address and the IPv4 address that it stands for, the one that packets end up at last."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return (address, address.ipv4_mapped)
        if address in _NAT64:
            return (address, ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return (address,)


def _is_public(address: Address) -> bool:
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in network for network in _NOT_PUBLIC)
