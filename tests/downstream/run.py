# SPDX-License-Identifier: Apache-2.0
"""Octavia's own unit tests of its Nova driver and of the driver's callers, unmodified, with our class in its place.

Fails when a test fails, when fewer tests ran than with the stock driver, when any was skipped or deselected, or when it
was not our class that ran.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_TESTS = (
    "compute/drivers/test_nova_driver.py",
    "controller/worker/v2/tasks/test_compute_tasks.py",
    "api/drivers/amphora_driver/v2/test_driver.py",
)


def outcome(driver: str, folder: Path) -> dict[str, Any]:
    """Run the tests with ``driver`` in place, and give what happened."""
    report = folder / f"{driver}.json"
    tests = [str(resources.files("octavia.tests.unit") / name) for name in _TESTS]
    options = ["-q", "-p", "substitute", "-p", "no:cacheprovider", "-o", "addopts=", "-o", "filterwarnings="]
    environ = {
        **os.environ,
        "DOWNSTREAM_DRIVER": driver,
        "DOWNSTREAM_REPORT": str(report),
        "PYTHONPATH": os.pathsep.join([str(_HERE), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
    }
    print(f"Octavia's tests with the {driver} driver:", flush=True)  # noqa: T201 - a program's output
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "pytest", *options, f"--rootdir={folder}", *tests],
        env=environ,
        cwd=folder,
        check=False,
    )
    happened: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return happened


def complaints(stock: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """Say what is wrong with the run of ours, beside the stock one."""
    found = []
    passed = ours["outcomes"].get("passed", 0)
    if passed < stock["outcomes"].get("passed", 0) or not passed:
        found.append(f"{passed} tests passed, {stock['outcomes'].get('passed', 0)} with the stock driver")
    found += [f"{count} {kind}" for kind, count in ours["outcomes"].items() if kind != "passed"]
    if set(ours["made"]) != {"OctaviaComputeDriver"}:
        found.append(f"the classes that ran are {ours['made']}")
    return found


def main() -> int:
    """Run both, compare, and end with 1 when anything is wrong."""
    with tempfile.TemporaryDirectory(prefix="amphora-image-downstream-") as folder:
        stock, ours = (outcome(driver, Path(folder)) for driver in ("stock", "ours"))
    found = complaints(stock, ours)
    print("; ".join(found) or f"the same {ours['outcomes']['passed']} tests pass, {ours['made']}")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
