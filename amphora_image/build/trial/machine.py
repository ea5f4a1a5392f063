# SPDX-License-Identifier: Apache-2.0
"""A virtual machine in QEMU that boots the image, of which nothing is changed, and that nothing outlives.

It is reached on loopback alone, through QEMU's user networking. It ends with the thread that started it, whatever
becomes of that.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from amphora_image.build.programs import SEARCHED
from amphora_image.errors import TrialFailedError

if TYPE_CHECKING:
    from types import TracebackType

    from amphora_image.build.trial.deadline import Deadline

#: Each kind of firmware with its files: what runs, and what its settings begin as.
FIRMWARES: dict[str, tuple[tuple[Path, Path], ...]] = {
    "bios": (),
    "uefi": (
        (Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd")),
        (Path("/usr/share/OVMF/OVMF_CODE.fd"), Path("/usr/share/OVMF/OVMF_VARS.fd")),
    ),
}
#: Whose programs the machine runs, as uname names them.
PROCESSORS = ("x86_64", "i686")
_PROGRAM = "qemu-system-x86_64"
PROGRAMS = (_PROGRAM, "setpriv", "xorriso")
_REPLY_SECONDS = 30.0
_QEMU_FORMATS = {"vhd": "vpc"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network of the machine's own, by its first three bytes, with ports of this machine that lead into it."""

    name: str
    prefix: str
    mac: str
    forwards: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """Give the address by which the guest reaches this machine's loopback."""
        return f"{self.prefix}.2"

    def options(self) -> str:
        """Write it as QEMU's option."""
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{each}" for each in self.forwards)
        return f"user,id={self.name},net={self.prefix}.0/24,ipv6=off{forwards}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """The machine that is wanted; ``networks``: the first is there from the start, the others are plugged in later."""

    image: Path
    image_format: str
    firmware: str = "bios"
    accelerator: str = "tcg"
    cpus: int = 2
    memory_mib: int = 1024
    seed: Path | None = None
    networks: tuple[Network, ...] = field(default_factory=tuple)

    def command(self, folder: Path) -> list[str]:
        """Write the command line; what the machine writes goes into ``folder``."""
        # setpriv has it killed with the thread that starts it.
        command = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            "--",
            _PROGRAM,
            "-nodefaults",
            "-no-user-config",
            "-no-reboot",
            "-display",
            "none",
        ]
        command += ["-machine", f"pc,accel={self.accelerator},hpet=off", "-cpu", "max"]
        command += ["-smp", str(self.cpus), "-m", str(self.memory_mib), "-device", "virtio-rng-pci"]
        command += ["-serial", f"file:{folder / 'console.log'}"]
        command += ["-qmp", f"unix:{folder / 'qmp'},server=on,wait=off"]
        kind = _QEMU_FORMATS.get(self.image_format, self.image_format)
        command += ["-drive", f"file={_quoted(self.image)},if=virtio,format={kind},snapshot=on"]
        if self.seed is not None:
            command += ["-drive", f"file={_quoted(self.seed)},if=virtio,format=raw,readonly=on"]
        if (files := firmware_files(self.firmware)) is not None:
            code, settings = files
            command += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}"]
            command += ["-drive", f"if=pflash,unit=1,format=raw,snapshot=on,file={settings}"]
        for network in self.networks:
            command += ["-netdev", network.options()]
        for network in self.networks[:1]:
            command += ["-device", f"virtio-net-pci,netdev={network.name},mac={network.mac},romfile="]
        return command


def firmware_files(name: str) -> tuple[Path, Path] | None:
    """Give the files of a firmware, those that are here if any are; None for the one that QEMU brings itself."""
    known = FIRMWARES[name]
    return next((pair for pair in known if pair[0].exists()), known[0]) if known else None


class Machine:
    """A running machine. Inside the block it runs; at its end it is gone.

    :raises TrialFailedError: QEMU does not start.
    """

    def __init__(self, hardware: Hardware, folder: Path) -> None:
        self.console = folder / "console.log"
        self._said = folder / "qemu.log"
        self._control = folder / "qmp"
        self._qmp: socket.socket | None = None
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
                hardware.command(folder),
                cwd=folder,
                env={**os.environ, "PATH": SEARCHED, "TMPDIR": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        """Give the machine."""
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        """Take the power away."""
        if self._qmp is not None:
            self._qmp.close()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def check(self, stage: str) -> None:
        """Make sure that it still runs.

        :raises TrialFailedError: it does not.
        """
        if self._process.poll() is not None:
            said = self._said.read_text(encoding="utf-8", errors="replace").strip()
            detail = f"the machine ended by itself ({said or f'exit code {self._process.returncode}'})"
            raise TrialFailedError(stage, detail, str(self.console))

    def plug(self, network: Network) -> None:
        """Plug in a further interface while it runs, as Nova does.

        :raises OSError: QEMU does not do it.
        """
        arguments = {"driver": "virtio-net-pci", "netdev": network.name, "mac": network.mac, "romfile": ""}
        self._order("device_add", arguments)

    def press_power_button(self) -> None:
        """Ask the system to shut down.

        :raises OSError: QEMU does not do it.
        """
        self._order("system_powerdown")

    def ended(self, deadline: Deadline) -> bool:
        """Wait until it has switched itself off; False where it did not by the deadline."""
        try:
            self._process.wait(timeout=deadline.remaining())
        except subprocess.TimeoutExpired:
            return False
        return True

    def _order(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Have QEMU do something: its QMP is a line of JSON each way, with events in between."""
        if self._qmp is None:
            self._qmp = socket.socket(socket.AF_UNIX)
            self._qmp.settimeout(_REPLY_SECONDS)
            self._qmp.connect(str(self._control))
            self._ask({"execute": "qmp_capabilities"})
        self._ask({"execute": name, "arguments": arguments or {}})

    def _ask(self, order: dict[str, Any]) -> None:
        assert self._qmp is not None  # noqa: S101 - for the type; _order has opened it
        self._qmp.sendall(json.dumps(order).encode() + b"\n")
        with self._qmp.makefile("rb", buffering=0) as replies:
            for line in replies:
                reply = json.loads(line)
                if "error" in reply:
                    raise OSError(reply["error"].get("desc", "QEMU refused"))
                if "return" in reply:
                    return
        raise OSError("QEMU closed its control socket")


def _quoted(path: Path) -> str:
    """Write a path for an option of QEMU, where a comma ends a value unless it stands twice."""
    return str(path).replace(",", ",,")
