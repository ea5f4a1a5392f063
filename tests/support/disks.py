# SPDX-License-Identifier: Apache-2.0
"""Small disk images of every format, made by hand: nothing here needs qemu-img."""

from __future__ import annotations

import struct

SECTOR = 512


def raw(size: int = 64 * 1024) -> bytes:
    """Give a disk without a partition table; nothing in it looks like a format."""
    return b"\x01\x02\x03\x04" * (size // 4)


def partitioned(*, boot_flag: int = 0x80, size: int = 64 * 1024) -> bytes:
    """Give a disk whose first sector is a master boot record with one partition."""
    sector = bytearray(SECTOR)
    struct.pack_into("<B3BB3BII", sector, 446, boot_flag, 0, 2, 0, 0x83, 0, 0, 0, 2048, 4096)
    struct.pack_into("<H", sector, 510, 0xAA55)
    return bytes(sector) + bytes(size - SECTOR)


def qcow2(*, backing: int = 0, features: int = 0, version: int = 3, size: int = 64 * 1024) -> bytes:
    """Give a qcow2 header of a 1 GiB disk, with an offset to a backing file's name and incompatible features."""
    header = bytearray(SECTOR)
    struct.pack_into(">4sIQIIQ", header, 0, b"QFI\xfb", version, backing, 16 if backing else 0, 16, 1 << 30)
    struct.pack_into(">Q", header, 72, features)
    return bytes(header) + bytes(size - SECTOR)


def vhd(size: int = 64 * 1024) -> bytes:
    """Give the head of a dynamic VHD."""
    return b"conectix" + bytes(size - 8)


def vdi(size: int = 64 * 1024) -> bytes:
    """Give the head of a VDI."""
    header = bytearray(size)
    struct.pack_into("<I", header, 0x40, 0xBEDA107F)
    return bytes(header)


def vmdk(*, extent: str = 'RW 2048 SPARSE "disk.vmdk"', kind: str = "monolithicSparse", size: int = 64 * 1024) -> bytes:
    """Give a sparse VMDK with its descriptor."""
    image = bytearray(size)
    struct.pack_into("<4sIIQQQQIQQ", image, 0, b"KDMV", 1, 3, 2048, 128, 1, 20, 512, 21, 26)
    text = f'# Disk DescriptorFile\nversion=1\ncreateType="{kind}"\n{extent}\nddb.adapterType = "ide"\n'.encode()
    image[SECTOR : SECTOR + len(text)] = text
    return bytes(image)


def iso(*, bootable: bool = False, size: int = 128 * 1024) -> bytes:
    """Give the head of an ISO 9660 image, which may have a partition table as well."""
    image = bytearray(partitioned(size=size) if bootable else bytes(size))
    image[32 * 1024 : 32 * 1024 + 6] = b"\x01CD001"
    return bytes(image)


def qed(size: int = 64 * 1024) -> bytes:
    """Give the head of a QED image, a format that nobody supports."""
    return b"QED\x00" + bytes(size - 4)
