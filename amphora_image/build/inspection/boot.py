# SPDX-License-Identifier: Apache-2.0
"""What a firmware finds to boot from a disk: GRUB by its first sector, programs in the EFI system partition."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from amphora_image.build.inspection.partitions import BIOS_BOOT, SECTOR
from amphora_image.build.inspection.report import Boot
from amphora_image.build.inspection.tree import Tree

if TYPE_CHECKING:
    from amphora_image.build.inspection.disk import Readable
    from amphora_image.build.inspection.file_system import FileSystem
    from amphora_image.build.inspection.partitions import Table

_CORE_AT = 0x5C  # where GRUB's first sector says in which sector the next piece of it is
_BOOT_CODE_BYTES = 440
#: The programs that a firmware starts from a disk that it does not know yet, and for which processor.
_FALLBACK = {
    "bootx64.efi": "x86_64",
    "bootaa64.efi": "aarch64",
    "bootarm.efi": "armv7l",
    "bootia32.efi": "i686",
    "bootriscv64.efi": "riscv64",
}


def boot_of(disk: Readable, table: Table, system_partition: FileSystem | None) -> tuple[Boot, list[str]]:
    """Tell what boots by BIOS and by UEFI, and what looks as if it should and does not."""
    bios, bios_problem = _bios(disk, table)
    uefi, uefi_problem = _uefi(system_partition)
    return Boot(bios=bios, uefi=uefi), [problem for problem in (bios_problem, uefi_problem) if problem]


def _bios(disk: Readable, table: Table) -> tuple[str | None, str]:
    """Follow the first sector to the next piece of GRUB, which has to be where no file system is."""
    code = disk.read(0, SECTOR)[:_BOOT_CODE_BYTES]
    if table.kind is None or not any(code):
        return None, ""
    if b"GRUB" not in code:
        return "unknown boot code", ""
    core = struct.unpack_from("<Q", code, _CORE_AT)[0] * SECTOR
    inside = [each for each in table.partitions if each.start <= core < each.start + each.size]
    if any(each.type != BIOS_BOOT for each in inside):
        return None, f"GRUB's first sector leads into partition {inside[0].number}, which is no BIOS boot partition"
    if not 0 < core <= disk.size - SECTOR or not any(disk.read(core, SECTOR)):
        return None, "GRUB's first sector leads to where nothing is"
    return "GRUB", ""


def _uefi(system_partition: FileSystem | None) -> tuple[str | None, str]:
    """Look for the program that a firmware starts by itself; others have to be in its memory, which an image has not."""
    if system_partition is None:
        return None, ""
    files = {path.lower(): path for path in Tree(system_partition).files if path.lower().endswith(".efi")}
    for name, machine in _FALLBACK.items():
        path = files.get(f"/efi/boot/{name}")
        if path is not None:
            return f"{path} ({machine})", ""
    has = ", ".join(sorted(files.values())) or "no program"
    return None, f"the EFI system partition has {has}, and nothing in /EFI/BOOT that a firmware starts by itself"
