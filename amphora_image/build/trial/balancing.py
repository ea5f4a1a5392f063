# SPDX-License-Identifier: Apache-2.0
"""The load balancer that the amphora is made in a trial: its configuration, as Octavia writes one. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

_CONFIG = """global
    daemon
    user nobody
    log /run/rsyslog/octavia/log local0
    log /run/rsyslog/octavia/log local1 notice
    stats socket /var/lib/octavia/{balancer}.sock mode 0666 level user
    server-state-file /var/lib/octavia/{balancer}-servers-state
    maxconn 1000

defaults
    log global
    retries 3
    option redispatch
    option splice-request
    option splice-response
    option http-keep-alive

frontend {listener}
    maxconn 1000
    bind {vip}:80
    mode http
    default_backend {pool}:{listener}
    timeout client 50000

backend {pool}:{listener}
    mode http
    balance roundrobin
    fullconn 1000
    option allbackups
    timeout connect 5000
    timeout server 50000
{members}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancer:
    """Who is who: UUIDs of amphora, load balancer, listener and pool, the VIP, and the members as ``address:port``."""

    amphora: str
    balancer: str
    listener: str
    pool: str
    vip: str
    members: tuple[str, ...]

    @property
    def pool_name(self) -> str:
        """Give what HAProxy, and so the agent, calls the pool."""
        return f"{self.pool}:{self.listener}"

    def haproxy_config(self) -> str:
        """Write HAProxy's configuration, with what Octavia's own has: a section of each kind, health checks, counters."""
        members = "\n".join(
            f"    server member{number} {address} weight 1 check inter 2s fall 3 rise 1"
            for number, address in enumerate(self.members, 1)
        )
        return _CONFIG.format(
            balancer=self.balancer, listener=self.listener, pool=self.pool, vip=self.vip, members=members
        )


def vip_request(prefix: str, mac: str) -> bytes:
    """Write the request that has the agent take the interface of that address for the VIP's network."""
    network: dict[str, Any] = {
        "subnet_cidr": f"{prefix}.0/24",
        "gateway": f"{prefix}.2",
        "mac_address": mac,
        "vrrp_ip": f"{prefix}.21",
        "mtu": 1500,
        "host_routes": [],
        "additional_vips": [],
    }
    return json.dumps(network).encode()
