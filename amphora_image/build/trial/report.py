# SPDX-License-Identifier: Apache-2.0
"""What a trial found, step by step, and as JUnit's XML for whatever collects tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the image had to do: how long it took, what was seen, and what was wrong, empty if nothing was."""

    name: str
    seconds: float
    seen: str = ""
    failure: str = ""

    def __str__(self) -> str:
        return (
            f"{'FAILED' if self.failure else 'ok':<6} {self.seconds:6.1f} s  {self.name}: {self.failure or self.seen}"
        )


def write_junit(path: Path, image: str, found: Mapping[str, Sequence[Step]], consoles: Mapping[str, str]) -> None:
    """Write the steps by firmware as JUnit's XML: a suite for each, with its console where it failed.

    :raises OSError: it cannot be written.
    """
    root = ET.Element("testsuites", name="amphora-image test")
    for firmware, steps in found.items():
        failed = [step for step in steps if step.failure]
        counts = {"tests": str(len(steps)), "failures": str(len(failed)), "errors": "0", "skipped": "0"}
        taken = sum(step.seconds for step in steps)
        named = {"name": f"{image} ({firmware})", "time": f"{taken:.3f}"}
        suite = ET.SubElement(root, "testsuite", named | counts)
        for step in steps:
            case = ET.SubElement(suite, "testcase", name=step.name, classname=firmware, time=f"{step.seconds:.3f}")
            if step.failure:
                ET.SubElement(case, "failure", message=_printable(step.failure))
            elif step.seen:
                ET.SubElement(case, "system-out").text = _printable(step.seen)
        if firmware in consoles:
            ET.SubElement(suite, "system-err").text = _printable(consoles[firmware])
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _printable(text: str) -> str:
    """Leave out what XML has no way to say, such as the escapes that colour a console."""
    return "".join(each for each in text if each in "\t\n" or (each >= " " and not "\ud800" <= each <= "\udfff"))
