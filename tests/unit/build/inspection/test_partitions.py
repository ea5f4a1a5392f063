# SPDX-License-Identifier: Apache-2.0
import struct

import pytest
from fakes.bytes import Bytes
from support.filesystems import BIOS_BOOT_TYPE, EFI_TYPE, LINUX_TYPE, gpt, mbr

from amphora_image.build.inspection.partitions import read_table
from amphora_image.build.inspection.structure import DamagedError

MIB = 1 << 20


def test_a_master_boot_record_is_read():
    table = read_table(Bytes(mbr((0x83, bytes(MIB)), (0xEF, bytes(2 * MIB)), (0x77, bytes(512)))))
    assert table.kind == "mbr"
    assert [(each.number, each.start, each.size, each.type, each.active) for each in table.partitions] == [
        (1, MIB, MIB, "Linux", True),
        (2, 2 * MIB, 2 * MIB, "EFI system", False),
        (3, 4 * MIB, 512, "0x77", False),
    ]


def test_a_guid_partition_table_is_read():
    table = read_table(Bytes(gpt((BIOS_BOOT_TYPE, bytes(MIB)), (EFI_TYPE, bytes(MIB)), (LINUX_TYPE, bytes(MIB)))))
    assert table.kind == "gpt"
    assert [(each.number, each.start, each.type) for each in table.partitions] == [
        (1, 32768, "BIOS boot"),
        (2, 32768 + MIB, "EFI system"),
        (3, 32768 + 2 * MIB, "Linux"),
    ]
    assert table.partitions[2].uuid == "00000000-0000-0000-0000-000000000003"


def test_logical_partitions_are_read():
    disk = bytearray(mbr((0x05, bytes(4 * MIB))))
    for at, first, following in ((2048, 8, 2048), (4096, 8, None)):
        struct.pack_into("<B3xB3xII", disk, at * 512 + 446, 0, 0x83, first, 100)
        if following:
            struct.pack_into("<B3xB3xII", disk, at * 512 + 462, 0, 0x05, following, 100)
        disk[at * 512 + 510 : at * 512 + 512] = b"\x55\xaa"
    table = read_table(Bytes(bytes(disk)))
    assert [(each.number, each.start // 512) for each in table.partitions] == [(5, 2056), (6, 4104)]


def test_a_chain_of_logical_partitions_without_an_end_is_refused():
    disk = bytearray(mbr((0x05, bytes(MIB))))
    struct.pack_into("<B3xB3xII", disk, MIB + 462, 0, 0x05, 0, 100)  # it leads to itself
    disk[MIB + 510 : MIB + 512] = b"\x55\xaa"
    with pytest.raises(DamagedError, match="no end"):
        read_table(Bytes(bytes(disk)))


@pytest.mark.parametrize("disk", [b"", bytes(MIB), b"\xeb\x3c\x90" + bytes(507) + b"\x55\xaa" + bytes(MIB)])
def test_a_disk_without_a_table_has_none(disk):
    """A boot sector of a file system ends as a master boot record does."""
    assert read_table(Bytes(disk)).kind is None


@pytest.mark.parametrize("disk", [mbr((0x83, bytes(MIB))), gpt((LINUX_TYPE, bytes(MIB)))], ids=["mbr", "gpt"])
def test_a_partition_behind_the_end_is_told(disk):
    """The issue: "for inspect: truncated, … an error that says so"."""
    with pytest.raises(DamagedError, match="truncated"):
        read_table(Bytes(disk[:-100_000]))


@pytest.mark.parametrize(("at", "part"), [(512 + 24, "header"), (1024 + 40, "entries"), (512 + 13, "bytes")])
def test_a_guid_partition_table_that_was_changed_is_refused(at, part):
    disk = bytearray(gpt((LINUX_TYPE, bytes(MIB))))
    disk[at] ^= 0x80
    with pytest.raises(DamagedError, match=part):
        read_table(Bytes(bytes(disk)))
