# SPDX-License-Identifier: Apache-2.0
"""How long `sandbox up` takes: cold, from nothing, and warm, on databases that exist.

``python benchmarks/sandbox_start.py [--warm N] [--cold N] [--output FILE]`` prints medians, extremes and all samples,
and with ``--output`` writes them as a page of the documentation.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import platform
import statistics
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from amphora_image.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROMISED_SECONDS = {"cold": 40, "warm": 15}


def measure(colds: int, warms: int) -> tuple[dict[str, list[float]], float]:
    """Start a sandbox so many times, and give the seconds of each start and the memory of the last one in MiB."""
    samples: dict[str, list[float]] = {"cold": [], "warm": []}
    memory = 0.0
    for number in range(colds):
        with tempfile.TemporaryDirectory() as folder:
            box = Sandbox(pathlib.Path(folder) / "sandbox")
            try:
                samples["cold"].append(_start(box))
                for _ in range(warms if number == 0 else 0):
                    box.down()
                    samples["warm"].append(_start(box))
                memory = sum(each.memory_mib for each in box.status())
            finally:
                box.down(remove=True)
    return samples, memory


def _start(box: Sandbox) -> float:
    began = time.monotonic()
    box.up(deadline_seconds=300)
    return time.monotonic() - began


def page(samples: dict[str, list[float]], memory: float) -> str:
    """Write the figures as reStructuredText."""
    lines = [
        ".. SPDX-License-Identifier: Apache-2.0",
        "",
        "Sandbox: time to start, and memory",
        "==================================",
        "",
        f"Measured by ``benchmarks/sandbox_start.py`` on {os.cpu_count()} cores, Python {platform.python_version()}.",
        "",
    ]
    for kind, seconds in samples.items():
        lines += [
            f"{kind} (promised: at most {_PROMISED_SECONDS[kind]} s)",
            (
                f"  median {statistics.median(seconds):.1f} s, from {min(seconds):.1f} to {max(seconds):.1f} s, "
                f"{len(seconds)} starts: {', '.join(f'{each:.1f}' for each in seconds)}"
            ),
            "",
        ]
    lines += ["memory (promised: at most 2048 MiB)", f"  {memory:.0f} MiB after the last start", ""]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and maybe write."""
    parser = argparse.ArgumentParser(description="measure how long a sandbox takes to start")
    parser.add_argument("--cold", type=int, default=3, help="starts from nothing (default: %(default)s)")
    parser.add_argument("--warm", type=int, default=10, help="starts on existing databases (default: %(default)s)")
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE", help="a page to write")
    parsed = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    text = page(*measure(parsed.cold, parsed.warm))
    text += f"\nBefore, the load average of the machine was {load:.1f}: what else ran there took its share.\n"
    sys.stdout.write(text)
    if parsed.output:
        parsed.output.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
