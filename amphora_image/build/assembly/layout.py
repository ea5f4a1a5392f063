# SPDX-License-Identifier: Apache-2.0
"""Where everything lies on the disk, and how much room the root file system needs. Pure but for looking at the tree."""

from __future__ import annotations

import os
import stat
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.errors import DiskTooSmallError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECTOR_BYTES = 512
BLOCK_BYTES = 4096
MIB = 1 << 20

#: The journal; enough for the disks of amphorae, and as much less to write when an image is made.
JOURNAL_MIB = 16
#: How many bytes of the file system there is an inode for, each of :data:`INODE_BYTES`.
BYTES_PER_INODE = 16384
INODE_BYTES = 256
#: What has to stay free for the amphora's own files: logs, certificates, configurations.
FREE_MIB = 64

_BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
_EFI_SYSTEM = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
_LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
_SHORT_SYMLINK_BYTES = 60


@dataclass(frozen=True, slots=True)
class Identities:
    """What disk, partitions and file systems are known by; all come from one seed, the same from the same one."""

    seed: uuid.UUID

    def of(self, name: str) -> str:
        """Give the UUID of the part of that name."""
        return str(uuid.uuid5(self.seed, name))

    @property
    def volume_id(self) -> str:
        """Give the serial number of the FAT, 8 hexadecimal digits."""
        return self.of("esp")[:8]


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition: where it begins and how long it is, in bytes."""

    name: str
    kind: str
    begin: int
    size: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A disk of ``size`` bytes: GRUB's core for BIOS, the EFI system partition, and the root as the last, to grow."""

    size: int

    @property
    def bios(self) -> Partition:
        """Give the partition that GRUB's core for BIOS is in."""
        return Partition("bios", _BIOS_BOOT, MIB, MIB)

    @property
    def esp(self) -> Partition:
        """Give the EFI system partition, a FAT."""
        return Partition("esp", _EFI_SYSTEM, 2 * MIB, 16 * MIB)

    @property
    def root(self) -> Partition:
        """Give the root's partition; the last MiB of the disk belongs to the table's copy."""
        begin = self.esp.begin + self.esp.size
        return Partition("root", _LINUX, begin, (self.size // MIB) * MIB - MIB - begin)

    def table(self, identities: Identities) -> str:
        """Write the partition table as sfdisk reads it."""
        lines = ["label: gpt", f"label-id: {identities.of('disk')}"]
        lines += [
            f"start={each.begin // SECTOR_BYTES}, size={each.size // SECTOR_BYTES}, type={each.kind}, "
            f"uuid={identities.of(f'partition {each.name}')}, name={each.name}"
            for each in (self.bios, self.esp, self.root)
        ]
        return "\n".join([*lines, ""])


@dataclass(frozen=True, slots=True)
class Amount:
    """What a tree takes in a file system: blocks of 4 KiB, and inodes."""

    blocks: int
    inodes: int

    @classmethod
    def of(cls, tree: Path) -> Amount:
        """Count; a file of several names counts once, holes do not."""
        blocks, seen = 1, set[tuple[int, int]]()
        for status in _walk(tree):
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                blocks += _blocks(status)
        return cls(blocks, len(seen) + 1)

    def disk_bytes(self) -> int:
        """Give the least size of a disk for it: a file system with its own tables and some room, and the partitions.

        A whole number of MiB.
        """
        fixed = self.blocks * BLOCK_BYTES + (JOURNAL_MIB + FREE_MIB) * MIB
        # Of each byte of the file system a part is taken by inodes, by bitmaps and by the room it has to grow into.
        share = INODE_BYTES / BYTES_PER_INODE + 0.015
        wanted = max(fixed / (1 - share), self.inodes * BYTES_PER_INODE * 1.05)
        around = Layout(0).esp
        return -(-int(wanted + around.begin + around.size + MIB) // MIB) * MIB


def check_size(size: int, amount: Amount) -> None:
    """Refuse a disk that is too small, before anything is made.

    :raises DiskTooSmallError: it is.
    """
    if size < amount.disk_bytes():
        raise DiskTooSmallError(size, amount.disk_bytes())


def _walk(folder: Path) -> Iterator[os.stat_result]:
    """Look at everything below a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            yield entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(folder / entry.name)


def _blocks(status: os.stat_result) -> int:
    """Count the blocks of one file: a symlink's text lies in its inode, unless it is long."""
    if stat.S_ISLNK(status.st_mode):
        return int(status.st_size >= _SHORT_SYMLINK_BYTES)
    if stat.S_ISDIR(status.st_mode):
        return max(1, -(-status.st_size // BLOCK_BYTES))
    if not stat.S_ISREG(status.st_mode):
        return 0
    whole = -(-status.st_size // BLOCK_BYTES)
    return min(whole, -(-status.st_blocks * SECTOR_BYTES // BLOCK_BYTES)) if status.st_blocks else whole
