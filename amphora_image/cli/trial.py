# SPDX-License-Identifier: Apache-2.0
"""``amphora-image test``: an image shows in a virtual machine that it does what an amphora has to."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cliff.lister import Lister

from amphora_image.cli.context import seconds
from amphora_image.cli.program import heed_sigterm
from amphora_image.errors import ConfigurationError, DestinationError, TrialFailedError
from amphora_image.services.fetch import check_destination

if TYPE_CHECKING:
    import argparse

    from amphora_image.build.trial import Step

_EPILOG = (
    "Needs QEMU (package qemu-system-x86), xorriso and, for UEFI, ovmf; neither root nor KVM. The image is not changed, "
    "and the machine is reached on loopback alone. What the console said is kept where the image fails. Examples: "
    "`amphora-image test amphora.qcow2`; `amphora-image test --firmware both --junit report.xml amphora.qcow2`. exit "
    "codes besides the usual: 1 the image failed, or a program is missing."
)
_FIRMWARES = {"bios": ("bios",), "uefi": ("uefi",), "both": ("bios", "uefi")}


class Test(Lister):
    """Boot an image in QEMU and balance traffic through it.

    It gets a config drive as Nova gives one. Its agent is asked over mutual TLS, takes an interface for the VIP and an
    HAProxy configuration as Octavia uploads them; HTTP goes through it to two members, its heartbeats tell the
    statistics, and it shuts down when its power button is pressed. Of an image without agent, as build --tiny makes,
    nothing is wanted but that it answers on port 80 and shuts down.
    """

    _epilog = _EPILOG  # type: ignore[assignment]  # cliff says None, and means text too
    _exit_code = 0

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take the image, the firmware and the deadlines."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="IMAGE", type=Path, help="File: qcow2, raw or vhd.")
        parser.add_argument("--firmware", choices=sorted(_FIRMWARES), default="bios", help="To boot by. Default: bios.")
        parser.add_argument(
            "--accel",
            choices=("tcg", "kvm"),
            default="tcg",
            help="tcg (default) works everywhere; kvm is tried first, and tcg used where it does not work.",
        )
        parser.add_argument(
            "--timeout", type=seconds, default=600.0, metavar="SECONDS", help="To answer after power-on. Default: 600."
        )
        parser.add_argument("--junit", type=Path, metavar="FILE", help="Write the steps as JUnit's XML, too.")
        parser.add_argument(
            "--console-log",
            type=Path,
            metavar="FILE",
            help="Where the console goes if the image fails; with the firmware after it for both.",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[Any]]:
        """Boot by each firmware, and list the steps."""
        heed_sigterm()
        try:
            from amphora_image.build.trial import prepare, write_junit  # noqa: PLC0415 - heavy
        except ImportError as error:
            raise ConfigurationError(f"{error.name} is not installed", "pip install 'amphora-image[build]'") from error
        for path in filter(None, (parsed_args.junit, parsed_args.console_log)):
            check_destination(path, overwrite=True)
            if not os.access(path if path.exists() else path.parent, os.W_OK):
                raise DestinationError(str(path), "we may not write there")
        firmwares = _FIRMWARES[parsed_args.firmware]
        accelerator = self._accelerator(parsed_args.accel)
        trial = prepare(parsed_args.image, firmwares, accelerator=accelerator, boot_seconds=parsed_args.timeout)
        found: dict[str, list[Step]] = {}
        consoles: dict[str, str] = {}
        for firmware in firmwares:
            with tempfile.TemporaryDirectory(prefix="amphora-image-test-") as folder:
                found[firmware] = steps = trial.run(firmware, Path(folder), self._tell)
                if steps[-1].failure:
                    said = Path(folder, "console.log")
                    consoles[firmware] = said.read_text(encoding="utf-8", errors="replace") if said.exists() else ""
                    self._fail(parsed_args, firmware, steps[-1], consoles[firmware])
        if parsed_args.junit is not None:
            write_junit(parsed_args.junit, parsed_args.image.name, found, consoles)
        names = ("firmware", "step", "result", "seconds", "seen")
        rows = [
            (firmware, step.name, "failed" if step.failure else "ok", round(step.seconds, 1), step.failure or step.seen)
            for firmware, steps in found.items()
            for step in steps
        ]
        return names, rows

    def run(self, parsed_args: argparse.Namespace) -> int:
        """End with 1 where a step failed."""
        return super().run(parsed_args) or self._exit_code

    def _accelerator(self, wanted: str) -> str:
        """Give the one that is used: KVM only where it works, which is tried; told is if it does not."""
        from amphora_image.build.trial.accelerator import fault_of_kvm  # noqa: PLC0415 - heavy

        fault = fault_of_kvm() if wanted == "kvm" else ""
        if fault:
            self.app.stderr.write(f"tcg is used, for KVM does not work here: {fault}\n")
        return "tcg" if fault else wanted

    def _tell(self, step: Step) -> None:
        self.app.stderr.write(f"{step}\n")
        self.app.stderr.flush()

    def _fail(self, options: argparse.Namespace, firmware: str, step: Step, console: str) -> None:
        """Keep the console, and say in one line what failed."""
        kept = options.console_log or Path(f"{options.image.name}.{firmware}.console.log")
        if options.console_log and options.firmware == "both":
            kept = kept.with_name(f"{kept.name}.{firmware}")
        kept.write_text(console, encoding="utf-8")
        error = TrialFailedError(f"{step.name!r} ({firmware})", step.failure, str(kept))
        self.app.LOG.error(error)
        self._exit_code = error.exit_code
