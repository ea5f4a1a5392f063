# SPDX-License-Identifier: Apache-2.0
"""The config drive that Nova would give the amphora, with what Octavia puts on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from amphora_image.build.programs import run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from amphora_image.build.trial.authority import Credentials

_CERTIFICATES = "/etc/octavia/certs"
_AGENT_CONFIG = """[DEFAULT]
debug = False
use_syslog = True

[haproxy_amphora]
base_cert_dir = /var/lib/octavia/certs
base_path = /var/lib/octavia
bind_host = ::
bind_port = 9443
haproxy_cmd = /usr/sbin/haproxy

[health_manager]
controller_ip_port_list = {controller}
heartbeat_interval = {interval}
heartbeat_key = {key}

[amphora_agent]
agent_server_ca = /etc/octavia/certs/client_ca.pem
agent_server_cert = /etc/octavia/certs/server.pem
agent_request_read_timeout = 180
amphora_id = {amphora}
amphora_udp_driver = keepalived_lvs
agent_tls_protocol = TLSv1.2

[controller_worker]
loadbalancer_topology = SINGLE
"""
HEARTBEAT_SECONDS = 3


def agent_config(amphora_id: str, controller: str, key: str) -> str:
    """Write the agent's configuration as Octavia does; it sends its heartbeats, signed with ``key``, to ``controller``."""
    return _AGENT_CONFIG.format(amphora=amphora_id, controller=controller, key=key, interval=HEARTBEAT_SECONDS)


def files_of(amphora_id: str, mac: str, credentials: Credentials, config: str) -> Mapping[str, bytes]:
    """Give the files of the config drive by path, as cloud-init's data source ConfigDrive reads them."""
    injected = {
        f"{_CERTIFICATES}/server.pem": credentials.agent,
        f"{_CERTIFICATES}/client_ca.pem": credentials.authority,
        "/etc/octavia/amphora-agent.conf": config.encode(),
    }
    named = {f"/content/{number:04}": path for number, path in enumerate(injected)}
    metadata = {
        "uuid": amphora_id,
        "hostname": f"amphora-{amphora_id}",
        "name": f"amphora-{amphora_id}",
        "files": [{"path": path, "content_path": place} for place, path in named.items()],
    }
    network = {
        "links": [{"id": "management", "type": "phy", "ethernet_mac_address": mac, "mtu": 1500}],
        "networks": [{"id": "network0", "type": "ipv4_dhcp", "link": "management", "network_id": "network0"}],
        "services": [],
    }
    return {
        "openstack/latest/meta_data.json": json.dumps(metadata).encode(),
        "openstack/latest/network_data.json": json.dumps(network).encode(),
        "openstack/latest/user_data": b"#cloud-config\n{}\n",
        **{f"openstack{place}": injected[path] for place, path in named.items()},
    }


def write_config_drive(image: Path, files: Mapping[str, bytes], *, folder: Path) -> None:
    """Write the files as the ISO that a config drive is; ``folder`` is an empty one to collect them in."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(content)
    run("xorriso", "-as", "mkisofs", "-quiet", "-V", "config-2", "-J", "-r", "-o", image, folder, folder=folder)
