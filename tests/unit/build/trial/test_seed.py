# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import configparser
import json

from amphora_image.build.trial.authority import Credentials
from amphora_image.build.trial.seed import agent_config, files_of

AMPHORA = "11111111-2222-3333-4444-555555555555"


def test_the_config_drive_has_what_nova_and_octavia_put_there():
    files = files_of(AMPHORA, "52:54:00:00:00:01", Credentials(b"authority", b"agent", b"client"), "config")
    metadata = json.loads(files["openstack/latest/meta_data.json"])
    found = {each["path"]: files[f"openstack{each['content_path']}"] for each in metadata["files"]}
    assert metadata["uuid"] == AMPHORA
    assert found == {
        "/etc/octavia/certs/server.pem": b"agent",
        "/etc/octavia/certs/client_ca.pem": b"authority",
        "/etc/octavia/amphora-agent.conf": b"config",
    }
    network = json.loads(files["openstack/latest/network_data.json"])
    assert network["links"][0]["ethernet_mac_address"] == "52:54:00:00:00:01"
    assert b"client" not in files.values()


def test_the_agents_configuration_says_who_it_is_and_whom_it_reports_to():
    parsed = configparser.ConfigParser()
    parsed.read_string(agent_config(AMPHORA, "10.0.2.2:5555", "secret"))
    assert parsed["amphora_agent"]["amphora_id"] == AMPHORA
    assert parsed["health_manager"]["controller_ip_port_list"] == "10.0.2.2:5555"
    assert parsed["health_manager"]["heartbeat_key"] == "secret"
