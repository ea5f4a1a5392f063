# SPDX-License-Identifier: Apache-2.0
"""FAT12, FAT16 and FAT32, which an EFI system partition has, after Microsoft's FAT specification of 2005."""

from __future__ import annotations

import stat
import struct
from typing import TYPE_CHECKING

from amphora_image.build.inspection.file_system import FileSystem, Node, Run
from amphora_image.build.inspection.structure import DamagedError
from amphora_image.build.inspection.tree import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amphora_image.build.inspection.disk import Readable

_BOOT = struct.Struct("<11xHBHBHHBH8xI")
_ENTRY_BYTES = 32
_FOLDER, _VOLUME, _LONG_NAME = 0x10, 0x08, 0x0F
_LARGEST_TABLE = 256 << 20


class Fat(FileSystem):
    """A FAT file system; a node's number is its place in its folder, and 0 the topmost folder."""

    kind = "vfat"

    def __init__(self, part: Readable) -> None:
        super().__init__(part)
        block = part.read(0, 512)
        sector, per_cluster, reserved, tables, roots, few, _, short, many = _BOOT.unpack_from(block)
        if sector not in {512, 1024, 2048, 4096} or per_cluster not in {1, 2, 4, 8, 16, 32, 64, 128} or not tables:
            raise DamagedError(f"its FAT file system has sectors of {sector} bytes, clusters of {per_cluster} sectors")
        table_sectors = short or struct.unpack_from("<I", block, 36)[0]
        root_at = (reserved + tables * table_sectors) * sector
        self._root_run = Run(0, root_at, roots * _ENTRY_BYTES)
        self._cluster = sector * per_cluster
        self._data_at = root_at + -(-self._root_run.length // sector) * sector
        total = (few or many) * sector
        if total > part.size or self._data_at > total or table_sectors * sector > _LARGEST_TABLE:
            raise DamagedError(f"it is truncated: its FAT file system has {total} bytes, its place {part.size}")
        self._count = (total - self._data_at) // self._cluster
        self._bits = 12 if self._count < 4085 else 16 if self._count < 65525 else 32
        self._table = part.read(reserved * sector, table_sectors * sector)
        self._root = struct.unpack_from("<I", block, 44)[0] if self._bits == 32 else 0
        extended = block[64:90] if self._bits == 32 else block[36:62]
        if extended[2] == 0x29:
            self.uuid = f"{extended[6]:02X}{extended[5]:02X}-{extended[4]:02X}{extended[3]:02X}"
            self.label = plain(extended[7:18].strip())
        self._nodes: dict[int, Node] = {}

    @property
    def root(self) -> Node:
        """The topmost folder, whose size is that of its clusters."""
        runs = list(self._chain(self._root)) if self._root else [self._root_run]
        details = self._root.to_bytes(4, "little")
        return Node(0, stat.S_IFDIR | 0o755, 0, 0, sum(run.length for run in runs), details)

    def node(self, number: int) -> Node:
        """Give a node that :meth:`entries` has named."""
        return self._nodes[number] if number else self.root

    def entries(self, folder: Node) -> list[tuple[bytes, int]]:
        """Read all names, the long ones where there are; as UTF-8."""
        found: list[tuple[bytes, int]] = []
        data = self.folder(folder)
        longer = ""
        for at in range(0, len(data) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
            entry = data[at : at + _ENTRY_BYTES]
            if not entry[0]:
                break
            if entry[11] == _LONG_NAME and entry[0] != 0xE5:  # pieces of a name, the last first
                longer = (entry[1:11] + entry[14:26] + entry[28:32]).decode("utf-16-le", "replace") + longer
                continue
            if entry[0] != 0xE5 and not entry[11] & _VOLUME and entry[0] != 0x2E:
                name = longer.partition("\0")[0] or _short_name(entry)
                number = len(self._nodes) + 1
                self._nodes[number] = self._made(number, entry)
                found.append((name.encode("utf-8", "replace"), number))
            longer = ""
        return found

    def runs(self, node: Node) -> Iterator[Run]:
        """Follow the chain of clusters."""
        first = int.from_bytes(node.details, "little")
        if first:
            yield from self._chain(first)
        elif not node.number:
            yield self._root_run

    def _made(self, number: int, entry: bytes) -> Node:
        high, low, size = struct.unpack_from("<H4xHI", entry, 20)
        first = low | (high << 16 if self._bits == 32 else 0)
        if entry[11] & _FOLDER:
            size = sum(run.length for run in self._chain(first)) if first else 0
        mode = stat.S_IFDIR | 0o755 if entry[11] & _FOLDER else stat.S_IFREG | 0o755
        return Node(number, mode, 0, 0, size, first.to_bytes(4, "little"))

    def _chain(self, first: int) -> Iterator[Run]:
        cluster, end = first, (1 << min(self._bits, 28)) - 8
        for index in range(self._count + 1):
            if cluster >= end:
                return
            if not 2 <= cluster < self._count + 2:
                raise DamagedError("its FAT file system has a chain that leads nowhere")
            yield Run(index * self._cluster, self._data_at + (cluster - 2) * self._cluster, self._cluster)
            cluster = self._next(cluster)
        raise DamagedError("its FAT file system has a chain without an end")

    def _next(self, cluster: int) -> int:
        if self._bits == 32:
            return int(struct.unpack_from("<I", self._table, cluster * 4)[0]) & 0x0FFF_FFFF
        if self._bits == 16:
            return int(struct.unpack_from("<H", self._table, cluster * 2)[0])
        pair = int(struct.unpack_from("<H", self._table, cluster + cluster // 2)[0])
        return pair >> 4 if cluster & 1 else pair & 0xFFF


def _short_name(entry: bytes) -> str:
    base, extension = (part.decode("cp437").rstrip() for part in (entry[:8], entry[8:11]))
    base = base.lower() if entry[12] & 0x08 else base
    extension = extension.lower() if entry[12] & 0x10 else extension
    return f"{base}.{extension}" if extension else base
