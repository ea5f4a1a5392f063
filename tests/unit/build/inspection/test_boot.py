# SPDX-License-Identifier: Apache-2.0
import struct

import pytest
from fakes.bytes import Bytes
from fakes.file_system import FakeFileSystem
from support.filesystems import BIOS_BOOT_TYPE, LINUX_TYPE, gpt, mbr

from amphora_image.build.inspection.boot import boot_of
from amphora_image.build.inspection.partitions import read_table


def grub(sector):
    """Give the code of a first sector that goes on in that sector."""
    return bytes(0x5C) + struct.pack("<Q", sector) + b"GRUB \0Geom\0Hard Disk\0Read\0 Error"


def seen(disk, system_partition=None):
    disk = Bytes(disk)
    return boot_of(disk, read_table(disk), system_partition)


def put(disk, sector, content):
    return disk[: sector * 512] + content + disk[sector * 512 + len(content) :]


def test_grub_is_found_before_the_first_partition():
    disk = put(mbr((0x83, bytes(4096)), code=grub(1)), 1, b"core")
    boot, warnings = seen(disk)
    assert (boot.bios, boot.uefi, warnings) == ("GRUB", None, [])


def test_grub_is_found_in_its_own_partition():
    disk = gpt((BIOS_BOOT_TYPE, b"core".ljust(4096, b"\0")), (LINUX_TYPE, bytes(4096)), code=grub(64))
    assert seen(disk)[0].bios == "GRUB"


@pytest.mark.parametrize(
    ("disk", "part"),
    [
        (mbr((0x83, bytes(4096)), code=grub(1)), "where nothing is"),
        (mbr((0x83, bytes(4096)), code=grub(1 << 54)), "where nothing is"),
        (mbr((0x83, b"data".ljust(4096, b"\0")), code=grub(2048)), "no BIOS boot partition"),
    ],
    ids=["empty", "outside", "overwritten"],
)
def test_grub_that_does_not_boot_is_no_boot_loader(disk, part):
    boot, warnings = seen(disk)
    assert boot.bios is None
    assert part in warnings[0]


def test_other_code_is_told_as_such_and_none_as_none():
    assert seen(mbr((0x83, bytes(4096)), code=b"\xfa\x31\xc0"))[0].bios == "unknown boot code"
    assert seen(mbr((0x83, bytes(4096))))[0].bios is None
    assert seen(bytes(8192))[0].bios is None


def test_the_program_that_a_firmware_starts_by_itself_is_found():
    boot, warnings = seen(bytes(4096), FakeFileSystem({"EFI/Boot/bootX64.efi": "MZ", "EFI/debian/grubx64.efi": "MZ"}))
    assert (boot.uefi, warnings) == ("/EFI/Boot/bootX64.efi (x86_64)", [])


def test_programs_that_only_a_configured_firmware_starts_do_not_boot_an_image():
    boot, warnings = seen(bytes(4096), FakeFileSystem({"EFI/debian/grubx64.efi": "MZ"}))
    assert boot.uefi is None
    assert "/EFI/debian/grubx64.efi" in warnings[0]
