# SPDX-License-Identifier: Apache-2.0
"""How soon an amphora answers: ``python benchmarks/image_boot.py OURS PEERS [--pairs N] [--add]``, from power to the agent.

Both images boot in the machine that ``amphora-image test`` makes, under emulation with two CPUs, and the time is that of its
first step: until the agent has answered over mutual TLS. Then the power is taken away. OURS is what ``amphora-image build``
made, PEERS an image of Octavia's own diskimage-create.sh. `make bench` has neither, and leaves this out.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from _paired import report

from amphora_image.build.trial.trial import prepare

if TYPE_CHECKING:
    from amphora_image.build.trial.report import Step

_BOOT_SECONDS = 900.0


class _BootedError(Exception):
    """The first step has ended."""


def seconds_to_answer(image: Path, firmware: str) -> float:
    """Boot the image, and give the seconds until its agent answered."""
    taken: list[Step] = []

    def first(step: Step) -> None:
        taken.append(step)
        raise _BootedError

    trial = prepare(image, [firmware], accelerator="tcg", boot_seconds=_BOOT_SECONDS)
    with tempfile.TemporaryDirectory(prefix="amphora-image-bench-") as folder, contextlib.suppress(_BootedError):
        trial.run(firmware, Path(folder), first)
    [step] = taken
    if step.failure:
        raise SystemExit(f"{image}: {step.failure}")
    sys.stdout.write(f"{image.name}: {step.seconds:.1f} s\n")
    sys.stdout.flush()
    return step.seconds


def main() -> None:
    """Measure, in pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", nargs="*", type=Path, metavar="IMAGE", help="ours, then Octavia's")
    parser.add_argument("--firmware", choices=("bios", "uefi"), default="bios")
    parser.add_argument("--pairs", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--add", action="store_true", help="add to the samples of earlier runs")
    asked = parser.parse_args()
    if not asked.images:
        sys.stdout.write("image-boot: left out, for no images are given\n")
        return
    if len(asked.images) != 2:
        parser.error("two images are compared: ours, then Octavia's")
    ours, peers = asked.images
    for image in asked.images:  # all that a start leaves for the next is what was read of the files
        image.read_bytes()
    samples = [tuple(seconds_to_answer(image, asked.firmware) for image in (ours, peers)) for _ in range(asked.pairs)]
    report("image-boot", samples, add=asked.add)


if __name__ == "__main__":
    main()
