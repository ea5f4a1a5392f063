# SPDX-License-Identifier: Apache-2.0
"""ext2, ext3 and ext4, as the kernel's Documentation/filesystems/ext4 describes their structures on disk."""

from __future__ import annotations

import struct
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING

from amphora_image.build.inspection.ext_attributes import in_block, in_node
from amphora_image.build.inspection.ext_blocks import extent_runs, mapped_runs
from amphora_image.build.inspection.file_system import FileSystem, Node, Run
from amphora_image.build.inspection.structure import DamagedError, UnsupportedError
from amphora_image.build.inspection.tree import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from amphora_image.build.inspection.disk import Readable

SUPERBLOCK_AT = 1024
MAGIC = b"\x53\xef"  # at byte 56 of the superblock
_ROOT = 2
_INODE = struct.Struct("<HHI16xH82xI8xHH")  # mode, user, size, group; then the upper halves of size, user and group
_EXTENTS, _INLINE, _ENCRYPTED = 0x80000, 0x10000000, 0x800
_INLINE_DATA = b"system.data"
_64BIT = 0x80
#: file types in names, journal to replay, extents, 64 bit, MMP, flexible groups, attributes in inodes, seeded checksums,
#: large folders, inline data, encryption, case folding
_KNOWN = 0x2 | 0x4 | 0x40 | _64BIT | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x20000
_DIRENT = struct.Struct("<IHBB")


class Ext(FileSystem):
    """An ext2, ext3 or ext4 file system; ``needs_recovery`` says that its journal has changes that are not read."""

    def __init__(self, part: Readable) -> None:
        super().__init__(part)
        block = part.read(SUPERBLOCK_AT, 1024)
        self._inodes, low, self._first, shift = struct.unpack_from("<II12xII", block, 0)
        if shift > 6:
            raise DamagedError(f"its ext file system has blocks of 2^{10 + shift} bytes")
        self._block = 1024 << shift
        per_group, self._per_group = struct.unpack_from("<I4xI", block, 32)
        revision, self._inode_size = struct.unpack_from("<I8xH", block, 76)
        compatible, features, read_only = struct.unpack_from("<III", block, 92)
        if revision == 0:
            self._inode_size = 128
        wide = bool(features & _64BIT)
        blocks = low | (struct.unpack_from("<I", block, 0x150)[0] << 32 if wide else 0)
        descriptor = struct.unpack_from("<H", block, 254)[0] if wide else 32
        self._check(blocks, per_group, descriptor)
        if features & ~_KNOWN:
            raise UnsupportedError(
                f"its ext file system has features that are not read: {features & ~_KNOWN:#x}",
                "make the file system without them",
            )
        self.needs_recovery = bool(features & 0x4)
        self.kind = "ext4" if features & 0x2C0 or read_only & 0x78 else "ext3" if compatible & 0x4 else "ext2"
        self.uuid = str(uuid.UUID(bytes=block[104:120]))
        self.label = plain(block[120:136].partition(b"\0")[0])
        self._tables = self._places(-(-(blocks - self._first) // per_group), descriptor)
        self._table_block = lru_cache(maxsize=64)(self._load)

    @property
    def root(self) -> Node:
        """The topmost folder."""
        return self.node(_ROOT)

    def node(self, number: int) -> Node:
        """Read an inode."""
        group, index = divmod(number - 1, self._per_group)
        if not 0 < number <= self._inodes or group >= len(self._tables):
            raise DamagedError(f"it names inode {number}, and has {self._inodes}")
        at = self._tables[group] * self._block + index * self._inode_size
        where = at % self._block
        raw = self._table_block(at - where)[where : where + self._inode_size]
        mode, uid, size, gid, size_high, uid_high, gid_high = _INODE.unpack_from(raw)
        return Node(number, mode, uid | uid_high << 16, gid | gid_high << 16, size | size_high << 32, raw)

    def entries(self, folder: Node) -> list[tuple[bytes, int]]:
        """Read all names, in the order they are in; an index of them looks like unused entries and is passed over."""
        found: list[tuple[bytes, int]] = []
        kept = self.inline(folder)
        if kept is not None:  # the first four bytes are the number of the folder above
            self._names(kept[4:60], found)
            self._names(kept[60:], found)
            return found
        data = self.folder(folder)
        for start in range(0, len(data), self._block):
            self._names(data[start : start + self._block], found)
        return found

    def runs(self, node: Node) -> Iterable[Run]:
        """Say where the contents are."""
        flags = struct.unpack_from("<I", node.details, 32)[0]
        if flags & _ENCRYPTED:
            raise UnsupportedError(f"inode {node.number} is encrypted", "give an image that is not")
        if flags & _EXTENTS:
            return extent_runs(self._part, node.details[40:100], self._block)
        return mapped_runs(self._part, node.details[40:100], self._block, node.size)

    def inline(self, node: Node) -> bytes | None:
        """Give contents that are kept in the inode: a short link's, or those of what is small."""
        flags = struct.unpack_from("<I", node.details, 32)[0]
        if flags & _INLINE:
            return node.details[40:100] + self.attributes(node).get(_INLINE_DATA, b"")
        if node.is_link and node.size < 60 and not flags & _EXTENTS:
            return node.details[40:100]
        return None

    def attributes(self, node: Node) -> dict[bytes, bytes]:
        """Read the extended attributes in the inode and in its block."""
        found = in_node(node.details, self._value)
        block = int.from_bytes(node.details[104:108], "little") | int.from_bytes(node.details[118:120], "little") << 32
        if block:
            found |= in_block(self._load(block * self._block), self._value)
        return found

    def _check(self, blocks: int, per_group: int, descriptor: int) -> None:
        size = self._inode_size
        if not 128 <= size <= self._block or size & (size - 1) or not 32 <= descriptor <= 1024:
            raise DamagedError(f"its ext file system has inodes of {size} bytes, descriptors of {descriptor}")
        if not 0 < per_group <= 8 * self._block or not 0 < self._per_group <= 8 * self._block or blocks <= self._first:
            raise DamagedError(f"its ext file system has {blocks} blocks, {per_group} a group")
        if blocks * self._block > self._part.size:
            raise DamagedError(
                f"it is truncated: its ext file system has {blocks * self._block} bytes, its place {self._part.size}"
            )

    def _places(self, groups: int, size: int) -> list[int]:
        """Read from the descriptors in which block the inodes of each group begin."""
        data = self._part.read((self._first + 1) * self._block, groups * size)
        low = [struct.unpack_from("<I", data, at + 8)[0] for at in range(0, len(data), size)]
        if size < 64:
            return low
        high = [struct.unpack_from("<I", data, at + 40)[0] for at in range(0, len(data), size)]
        return [one | other << 32 for one, other in zip(low, high, strict=True)]

    def _load(self, at: int) -> bytes:
        return self._part.read(at, self._block)

    def _names(self, data: bytes, found: list[tuple[bytes, int]]) -> None:
        at, end = 0, len(data)
        while at + 8 <= end:
            number, length, name_size, _ = _DIRENT.unpack_from(data, at)
            length = length if length not in {0, 65535} or end < 65536 else 65536  # it has 16 bits
            if length < 8 or length & 3 or at + length > end or 8 + name_size > length:
                raise DamagedError("a folder of its ext file system has an entry that cannot be")
            if number:
                name = data[at + 8 : at + 8 + name_size]
                if name not in {b".", b".."}:
                    found.append((name, number))
            at += length

    def _value(self, number: int, size: int) -> bytes:
        """Read the value of an attribute that has an inode of its own."""
        return self.read(self.node(number), size)
