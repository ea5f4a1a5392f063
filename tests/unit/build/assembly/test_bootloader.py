# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

from amphora_image.build.assembly.bootloader import FIRMWARE, boot_code, placed_core
from amphora_image.build.assembly.layout import MIB


def test_the_boot_sector_is_told_where_the_core_is_and_ends_before_the_partition_table():
    code = boot_code(bytes(range(256)) * 2, MIB)
    assert struct.unpack_from("<Q", code, 0x5C) == (2048,)
    assert len(code) == 440
    assert code[:0x5C] == bytes(range(0x5C))
    assert code[0x64:0x70] == bytes(range(0x64, 0x70))


def test_the_core_is_told_where_its_second_sector_is_and_keeps_how_many_follow():
    core = bytearray(2048)
    struct.pack_into("<QHH", core, 0x1F4, 1, 297, 0x820)
    placed = placed_core(bytes(core), MIB)
    assert struct.unpack_from("<QHH", placed, 0x1F4) == (2049, 297, 0x820)
    assert len(placed) == len(core)


def test_amd64_boots_by_both_firmwares_and_arm64_by_uefi():
    assert {each.platform: each.loader for each in FIRMWARE["amd64"]} == {
        "i386-pc": "",
        "x86_64-efi": "BOOTX64.EFI",
    }
    assert [each.loader for each in FIRMWARE["arm64"]] == ["BOOTAA64.EFI"]
