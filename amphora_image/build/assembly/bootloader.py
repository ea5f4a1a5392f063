# SPDX-License-Identifier: Apache-2.0
"""GRUB, made of this machine's own modules for the disk it will be on; nothing is installed, nothing is run in the tree.

For BIOS there are three pieces that know of each other by their places: the boot sector has the sector of the core, and
the first sector of the core a list of where the rest of it lies. What the two hold at which offset is said in GRUB's
``boot.S`` and ``diskboot.S``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from amphora_image.build.assembly.layout import SECTOR_BYTES
from amphora_image.build.programs import run
from amphora_image.errors import UnbootableSystemError

if TYPE_CHECKING:
    from amphora_image.build.assembly.layout import Partition

_GRUB = Path("/usr/lib/grub")
_COMMON = (
    "part_gpt",
    "ext2",
    "search",
    "search_fs_uuid",
    "normal",
    "configfile",
    "linux",
    "serial",
    "terminal",
    "echo",
)
_EARLY = """search --no-floppy --fs-uuid --set=root {uuid}
set prefix=($root)/boot/grub
configfile ($root)/boot/grub/grub.cfg
"""

#: In the boot sector: how long its code is, behind which the partition table lies, and where it has the core's sector.
_BOOT_CODE_BYTES = 440
_CORE_SECTOR = 0x5C
#: In the core's first sector: the one entry of its list, 8 bytes of sector, then 2 of length.
_LIST_ENTRY = 0x1F4


@dataclass(frozen=True, slots=True)
class Firmware:
    """A kind of firmware as GRUB names its ``platform``: its package, further modules, and the ``loader``'s file name."""

    platform: str
    package: str
    modules: tuple[str, ...]
    loader: str = ""

    @property
    def folder(self) -> Path:
        """Give where the modules lie."""
        return _GRUB / self.platform


#: By architecture; what has no loader's name is BIOS.
FIRMWARE = {
    "amd64": (
        Firmware("i386-pc", "grub-pc-bin", ("biosdisk",)),
        Firmware("x86_64-efi", "grub-efi-amd64-bin", ("fat", "all_video"), "BOOTX64.EFI"),
    ),
    "arm64": (Firmware("arm64-efi", "grub-efi-arm64-bin", ("fat", "all_video"), "BOOTAA64.EFI"),),
}


def make_core(firmware: Firmware, folder: Path, root_uuid: str) -> bytes:
    """Make GRUB's core for a firmware, which looks for the root by its UUID and takes the menu from there."""
    early = folder / "early.cfg"
    early.write_text(_EARLY.format(uuid=root_uuid), encoding="utf-8")
    core = folder / f"core.{firmware.platform}"
    command: list[str | Path] = [
        "grub-mkimage",
        "-O",
        firmware.platform,
        "-d",
        firmware.folder,
        "-p",
        "",
        "-c",
        early,
        "-o",
        core,
    ]
    run(*command, *firmware.modules, *_COMMON, folder=folder)
    return core.read_bytes()


def write_bios(disk: Path, core: bytes, partition: Partition) -> None:
    """Write the boot sector's code and, into ``partition``, the core.

    :raises UnbootableSystemError: the core is larger than the partition.
    """
    if len(core) > partition.size:
        raise UnbootableSystemError(f"GRUB's core has {len(core)} bytes, there is room for {partition.size}")
    code = (_GRUB / "i386-pc" / "boot.img").read_bytes()
    with disk.open("r+b") as file:
        file.write(boot_code(code, partition.begin))
        file.seek(partition.begin)
        file.write(placed_core(core, partition.begin))


def boot_code(code: bytes, core_begin: int) -> bytes:
    """Give the code of the boot sector, told where the core begins (in bytes on the disk)."""
    sector = struct.pack("<Q", core_begin // SECTOR_BYTES)
    return (code[:_CORE_SECTOR] + sector + code[_CORE_SECTOR + len(sector) :])[:_BOOT_CODE_BYTES]


def placed_core(core: bytes, begin: int) -> bytes:
    """Give the core, told where its second sector is."""
    rest = struct.pack("<Q", begin // SECTOR_BYTES + 1)
    return core[:_LIST_ENTRY] + rest + core[_LIST_ENTRY + len(rest) :]
