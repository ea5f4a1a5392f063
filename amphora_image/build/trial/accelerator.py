# SPDX-License-Identifier: Apache-2.0
"""Whether KVM works here, which only a machine can tell: ``/dev/kvm`` may be there, open, and then hang or crawl.

Virtual machines and some containers have it so. A machine of a few instructions is run with it, and with TCG beside it.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

from amphora_image.build.programs import SEARCHED

_KVM = Path("/dev/kvm")
_PROGRAM = "qemu-system-x86_64"
_PROBE_SECONDS = 10.0
_VALUE = 0x10
#: Write the value to the port by which QEMU's debugging device ends the machine: mov dx, 0xf4; mov al, VALUE; out dx, al.
_CODE = bytes([0xBA, 0xF4, 0x00, 0xB0, _VALUE, 0xEE, 0xF4])
_SECTOR = _CODE.ljust(510, b"\0") + b"\x55\xaa"
_ENDED = _VALUE << 1 | 1
#: What takes both longer than this, and so many times as long as with TCG, crawls.
_CRAWLING_SECONDS, _CRAWLING_TIMES = 1.0, 4.0


def fault_of_kvm(device: Path = _KVM, program: str = _PROGRAM, *, probe_seconds: float = _PROBE_SECONDS) -> str:
    """Say why KVM cannot be used here; nothing where it can."""
    if not device.exists():
        return f"there is no {device}"
    if not os.access(device, os.R_OK | os.W_OK):
        return f"we may not open {device}"
    with tempfile.TemporaryDirectory(prefix="amphora-image-kvm-") as folder:
        disk = Path(folder, "disk.raw")
        disk.write_bytes(_SECTOR.ljust(1 << 16, b"\0"))
        command = ["setpriv", "--pdeathsig", "KILL", "--", program, "-nodefaults", "-no-user-config"]
        command += ["-display", "none", "-cpu", "max", "-m", "64", "-no-reboot"]
        command += ["-drive", f"file={disk},if=ide,format=raw"]
        command += ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
        fault, kvm = _run([*command, "-machine", "pc,accel=kvm"], folder, probe_seconds)
        if fault or not crawls(kvm):
            return fault
        fault, tcg = _run([*command, "-machine", "pc,accel=tcg"], folder, probe_seconds)
        return f"a machine took {kvm:.1f} s with it, {tcg:.1f} s without" if not fault and crawls(kvm, tcg) else ""


def crawls(kvm: float, tcg: float = 0.0) -> bool:
    """Say whether a machine that took ``kvm`` seconds with KVM, and ``tcg`` without, is better off without."""
    return kvm > _CRAWLING_SECONDS and kvm > tcg * _CRAWLING_TIMES


def _run(command: list[str], folder: str, seconds: float) -> tuple[str, float]:
    """Run a machine; say what is wrong, and how long it took."""
    began = time.monotonic()
    with subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
        command,
        cwd=folder,
        env={**os.environ, "PATH": SEARCHED},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            _, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return f"a machine of three instructions did not end within {seconds:.0f} s", seconds
    took = time.monotonic() - began
    if process.returncode == _ENDED:
        return "", took
    return said.strip().splitlines()[-1] if said.strip() else f"QEMU ended with {process.returncode}", took
