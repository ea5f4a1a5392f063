# SPDX-License-Identifier: Apache-2.0
"""The whole amphora on Debian: built, and driven in a virtual machine as Octavia drives one."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support.program import AMPHORA_IMAGE, run

_SECONDS = 1800
_BUILD = ("build", "--os", "debian", "--epoch", "1790000000", "--no-cache")
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
    ended = run([AMPHORA_IMAGE, *_BUILD, "-o", "amphora.qcow2"], folder, timeout=_SECONDS)
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


#: What has another clock told within the tree, too, and leaves nothing there.
_OTHER_CLOCK = {
    "root.d/09-other-clock": 'sudo install -D "$FAKETIME_LIBRARY" "$TARGET_ROOT$FAKETIME_LIBRARY"',
    "install.d/09-other-clock": 'echo "in the tree it is $(date -u +%F)"',
    "cleanup.d/99-other-clock": 'sudo rm -rf "$TARGET_ROOT${FAKETIME_LIBRARY%/*}"',
}


@pytest.fixture
def other_clock(tmp_path):
    """Give what has another clock told to a build: its options and its variables."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.skip("another clock takes the package faketime")
    for name, text in _OTHER_CLOCK.items():
        hook = tmp_path / "elements" / "other-clock" / name
        hook.parent.mkdir(parents=True, exist_ok=True)
        hook.write_text(f"#!/bin/bash\nset -eu\nset -o pipefail\n{text}\n")
        hook.chmod(0o755)
    clock = {"LD_PRELOAD": str(library), "FAKETIME": "+1d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    environ = {"ELEMENTS_PATH": str(tmp_path / "elements"), "FAKETIME_LIBRARY": str(library), "TZ": "Asia/Tokyo"}
    return ("--element", "other-clock"), clock, environ


def test_a_build_elsewhere_on_the_next_day_gives_the_same_bytes(amphora, other_clock, tmp_path):
    """The issue: "two builds under different clocks, paths, host names and core counts give the same sha256"."""
    options, clock, environ = other_clock
    output = tmp_path / "deep" / "down" / "other.qcow2"
    output.parent.mkdir(parents=True)
    elsewhere = ["unshare", "--uts", "sh", "-c", 'hostname elsewhere; umask 077; exec "$@"', "-", "taskset", "-c", "0"]
    command = ["env", *(f"{name}={value}" for name, value in clock.items()), AMPHORA_IMAGE, *_BUILD, *options]
    ended = run([*elsewhere, *command, "-o", output], tmp_path, timeout=2 * _SECONDS, environ=environ)
    assert ended.code == 0, ended.stderr
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    assert f"in the tree it is {tomorrow}" in output.with_name("other.qcow2.log").read_text(errors="replace")
    told = [json.loads(each.with_name(f"{each.name}.provenance.json").read_text()) for each in (amphora, output)]
    first, other = (each["image"]["sha256"] for each in told)
    difference = run([AMPHORA_IMAGE, "inspect", "--diff", amphora, output], tmp_path).stdout
    assert first == other, difference
