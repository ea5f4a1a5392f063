# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from xml.etree import ElementTree as ET

from amphora_image.build.trial.report import Step, write_junit


def test_the_report_has_a_suite_for_each_firmware_and_tells_what_failed(tmp_path):
    steps = [Step("boots", 1.5, "it answers"), Step("balances", 2.0, failure="no <answer> \x1b[0m")]
    path = tmp_path / "report.xml"
    write_junit(path, "a.qcow2", {"bios": steps[:1], "uefi": steps}, {"uefi": "console \x00 & more"})
    bios, uefi = ET.parse(path).getroot()
    assert (bios.get("name"), bios.get("tests"), bios.get("failures")) == ("a.qcow2 (bios)", "1", "0")
    assert (uefi.get("tests"), uefi.get("failures"), uefi.get("time")) == ("2", "1", "3.500")
    assert uefi.find("testcase/failure").get("message") == "no <answer> [0m"
    assert uefi.find("system-err").text == "console  & more"
    assert bios.find("testcase/system-out").text == "it answers"


def test_a_step_is_a_line():
    assert str(Step("boots", 1.5, "it answers")) == "ok        1.5 s  boots: it answers"
    assert str(Step("boots", 1.5, failure="no")) == "FAILED    1.5 s  boots: no"
