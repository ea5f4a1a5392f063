# SPDX-License-Identifier: Apache-2.0
"""The whole amphora on Debian: built, and driven in a virtual machine as Octavia drives one."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support.program import AMPHORA_IMAGE, run

_SECONDS = 1800
_BUILD = ("build", "--epoch", "1790000000")
_UBUNTUS = Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg")
#: Names a file of Ubuntu's keys where the system has none.
_KEYRING = "AMPHORA_IMAGE_UBUNTU_KEYRING"
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


@pytest.fixture(scope="session", params=["debian", "ubuntu-minimal"])
def amphora(request, tmp_path_factory):
    """The image, built once for all."""
    keyring = os.environ.get(_KEYRING, "")
    if request.param == "ubuntu-minimal" and not keyring and not _UBUNTUS.exists():
        pytest.skip(f"Ubuntu's keys take the package ubuntu-keyring, which Debian has since 13, or {_KEYRING}")
    keys = {"DIB_APT_KEYRING": keyring} if request.param == "ubuntu-minimal" and keyring else {}
    folder = tmp_path_factory.mktemp("amphora")
    command = [AMPHORA_IMAGE, *_BUILD, "--os", request.param, "-o", "amphora.qcow2"]
    ended = run(command, folder, timeout=_SECONDS, environ=keys)
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


@pytest.mark.parametrize("amphora", ["debian"], indirect=True)
def test_a_build_elsewhere_on_the_next_day_gives_the_same_bytes(amphora, other_clock, tmp_path):
    """The issue: "two builds under different clocks, paths, host names and core counts give the same sha256"."""
    options, environ = other_clock(days=1)
    output = tmp_path / "deep" / "down" / "other.qcow2"
    output.parent.mkdir(parents=True)
    elsewhere = ["unshare", "--uts", "sh", "-c", 'hostname elsewhere; umask 077; exec "$@"', "-", "taskset", "-c", "0"]
    command = [*elsewhere, AMPHORA_IMAGE, *_BUILD, "--os", "debian", "--no-cache", "--no-tmpfs", *options]
    today = dt.datetime.now(dt.UTC).date()
    ended = run([*command, "-o", output], tmp_path, timeout=2 * _SECONDS, environ={**environ, "TZ": "Asia/Tokyo"})
    assert ended.code == 0, ended.stderr
    said = output.with_name("other.qcow2.log").read_text(errors="replace")
    assert any(f"in the tree it is {today + dt.timedelta(days=days)}" in said for days in (1, 2))
    told = [json.loads(each.with_name(f"{each.name}.provenance.json").read_text()) for each in (amphora, output)]
    first, other = (each["image"]["sha256"] for each in told)
    difference = run([AMPHORA_IMAGE, "inspect", "--diff", amphora, output], tmp_path).stdout
    assert first == other, difference
