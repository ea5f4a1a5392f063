# SPDX-License-Identifier: Apache-2.0
"""``amphora-image test`` on a disk that does not boot: QEMU is real. Images that do boot are in tests/images."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support.program import AMPHORA_IMAGE

from amphora_image.build.programs import require
from amphora_image.build.trial.machine import PROGRAMS, firmware_files
from amphora_image.errors import MissingProgramsError

_DEADLINE_SECONDS = 60


@pytest.fixture(autouse=True)
def programs():
    try:
        require(PROGRAMS, {firmware_files("uefi")[0]: "ovmf"})
    except MissingProgramsError as error:
        pytest.skip(str(error))


@pytest.fixture
def blank(tmp_path):
    disk = tmp_path / "blank.raw"
    with disk.open("wb") as file:
        file.truncate(1 << 20)
    return disk


def machines_of(disk):
    """Give the processes that have the disk's name on their command line, but for the command itself."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if str(disk).encode() in words and b"qemu-system" in words:
            found.append(int(folder.name))
    return found


def wait_for(condition):
    ends = time.monotonic() + _DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_a_disk_that_does_not_boot_fails_with_its_console_and_a_report(command, blank, tmp_path):
    """The issue: "the console log is kept on failure; JUnit XML"."""
    ended = command("test", "--firmware", "both", "--timeout", "2", "--junit", "report.xml", "-f", "value", blank)
    assert ended.code == 1, ended.stderr
    assert "neither the agent nor port 80 answered within 2 s" in ended.stderr
    assert "blank.raw.bios.console.log" in ended.stderr
    assert (tmp_path / "blank.raw.uefi.console.log").exists()
    suites = ET.parse(tmp_path / "report.xml").getroot()
    assert [suite.get("failures") for suite in suites] == ["1", "1"]
    assert machines_of(blank) == []
    assert blank.read_bytes() == bytes(1 << 20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=["Ctrl-C", "kill", "kill -9"])
def test_no_machine_outlives_the_command(blank, tmp_path, number):
    """The issue, of the build: "Ctrl-C and kill -9 leave no … process"; it holds for the test as well."""
    environ = {**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    # Where we run in the background of a shell, Ctrl-C is ignored, and so it would be there.
    command = ["env", "--default-signal=INT", AMPHORA_IMAGE, "test", blank]
    started = subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: machines_of(blank))
    started.send_signal(number)
    started.wait(timeout=_DEADLINE_SECONDS)
    wait_for(lambda: not machines_of(blank))
    if number != signal.SIGKILL:
        assert started.returncode == 128 + number
        assert not list(tmp_path.glob("amphora-image-test-*"))


def test_what_is_no_image_is_refused_in_one_line(command, tmp_path):
    command("test", tmp_path).failed(2, "is no file", "name an image")
    command("test", tmp_path / "nowhere.qcow2").failed(2, "is no file", "name an image")
