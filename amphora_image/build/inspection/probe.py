# SPDX-License-Identifier: Apache-2.0
"""What is in a part of a disk: a file system that is read, one that is only known by name, or something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amphora_image.build.inspection.ext import MAGIC as EXT_MAGIC
from amphora_image.build.inspection.ext import SUPERBLOCK_AT, Ext
from amphora_image.build.inspection.fat import Fat

if TYPE_CHECKING:
    from amphora_image.build.inspection.disk import Readable
    from amphora_image.build.inspection.file_system import FileSystem

_HEAD_BYTES = 0x10060
#: Where the mark of what is not read is, and what it is.
_MARKS = (
    (0, b"LUKS\xba\xbe", "crypto_LUKS"),
    (0, b"XFSB", "xfs"),
    (0, b"hsqs", "squashfs"),
    (3, b"NTFS    ", "ntfs"),
    (512, b"LABELONE", "LVM2"),
    (1024, b"\xe2\xe1\xf5\xe0", "erofs"),
    (1024, b"\x10\x20\xf5\xf2", "f2fs"),
    (4086, b"SWAPSPACE2", "swap"),
    (0x8001, b"CD001", "iso9660"),
    (0x10040, b"_BHRfS_M", "btrfs"),
)
#: Of these, what a system is installed on.
UNREAD = frozenset({"crypto_LUKS", "xfs", "squashfs", "LVM2", "erofs", "f2fs", "btrfs"})


def probe(part: Readable) -> tuple[str, FileSystem | None]:
    """Name what is there, empty when nothing is known, and open it if it can be read."""
    head = part.read(0, min(part.size, _HEAD_BYTES))
    if head[SUPERBLOCK_AT + 56 :][:2] == EXT_MAGIC:
        ext = Ext(part)
        return ext.kind, ext
    for at, mark, name in _MARKS:
        if head[at : at + len(mark)] == mark:
            return name, None
    if head[510:512] == b"\x55\xaa" and (head[54:57] == b"FAT" or head[82:87] == b"FAT32"):
        return Fat.kind, Fat(part)
    return "", None
