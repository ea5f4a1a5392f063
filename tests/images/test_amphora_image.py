# SPDX-License-Identifier: Apache-2.0
"""The whole amphora on Debian: built, and driven in a virtual machine as Octavia drives one."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from support.program import AMPHORA_IMAGE, run

_SECONDS = 1800
_STEPS = [
    "boots and answers",
    "refuses strangers",
    "tells of itself",
    "takes the VIP's interface",
    "refuses a broken configuration",
    "takes a configuration and starts",
    "balances HTTP",
    "sends statistics",
    "shuts down",
]


@pytest.fixture(scope="session")
def amphora(tmp_path_factory):
    """The image, built once for all."""
    folder = tmp_path_factory.mktemp("amphora")
    ended = run([AMPHORA_IMAGE, "build", "--os", "debian", "-o", "amphora.qcow2"], folder, timeout=_SECONDS)
    assert ended.code == 0, ended.stderr
    return folder / "amphora.qcow2"


def test_its_agent_answers_over_mutual_tls_and_http_goes_through_it(amphora, tmp_path):
    """The issue: "its agent answered over mutual TLS, and HTTP went through it"."""
    command = [AMPHORA_IMAGE, "test", "--timeout", "900", "--junit", "report.xml", "-f", "json", amphora]
    ended = run(command, tmp_path, timeout=_SECONDS)
    assert ended.code == 0, ended.stderr
    assert [(step["step"], step["result"]) for step in json.loads(ended.stdout)] == [(name, "ok") for name in _STEPS]
    [suite] = ET.parse(tmp_path / "report.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == (str(len(_STEPS)), "0")


def test_agent_and_haproxy_can_be_told_without_booting_it(amphora, tmp_path):
    ended = run([AMPHORA_IMAGE, "inspect", amphora, "-f", "json"], tmp_path)
    assert ended.code == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["agent"]
    assert told["haproxy"]
