# SPDX-License-Identifier: Apache-2.0
"""The disk in a VHD file, after Microsoft's specification of 2006: fixed, or dynamic with blocks where there is data."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from amphora_image.build.inspection.disk import Window
from amphora_image.build.inspection.structure import DamagedError, UnsupportedError

if TYPE_CHECKING:
    from amphora_image.build.inspection.disk import Readable

MAGIC = b"conectix"
FOOTER_BYTES = 512
_FIXED, _DYNAMIC = 2, 3
_FOOTER = struct.Struct(">8s8xQ24xQ4xI")
_HEADER = struct.Struct(">8s8xQ4xII")
_NOWHERE = 0xFFFF_FFFF
_SECTOR = 512


class Vhd:
    """A VHD disk; ``footer`` is the file's last sector, or its first, which of a dynamic one is a copy."""

    format = "vhd"
    compression: str | None = None

    def __init__(self, file: Readable, footer: bytes) -> None:
        self._file = file
        _, header_at, self.size, kind = _FOOTER.unpack_from(footer)
        self._flat: Window | None = None
        if kind == _FIXED:
            self.size = file.size - FOOTER_BYTES
            self._flat = Window(file, 0, self.size)
            return
        if kind != _DYNAMIC:
            raise UnsupportedError("it is a VHD of what differs from another image", "give a whole image")
        magic, table_at, count, self._block = _HEADER.unpack_from(file.read(header_at, _HEADER.size))
        if magic != b"cxsparse" or not _SECTOR <= self._block <= 1 << 30 or self._block & (self._block - 1):
            raise DamagedError(f"its VHD header has blocks of {self._block} bytes")
        if count * self._block < self.size or count * 4 > file.size:
            raise DamagedError(f"its VHD table has {count} blocks for a disk of {self.size} bytes")
        self._table = struct.unpack(f">{count}I", file.read(table_at, 4 * count))
        bits = self._block // _SECTOR // 8  # which sectors of a block are used: those that are not are zero anyway
        self._data_at = -(-bits // _SECTOR) * _SECTOR
        ends = [each * _SECTOR + self._data_at + self._block for each in self._table if each != _NOWHERE]
        if ends and max(ends) > file.size:
            raise DamagedError(f"it is truncated: it has {file.size} bytes, and has data up to byte {max(ends)}")

    def read(self, offset: int, size: int) -> bytes:
        """Give exactly ``size`` bytes of the disk.

        :raises DamagedError: they are outside the disk, or the file does not have them.
        """
        if self._flat is not None:
            return self._flat.read(offset, size)
        if offset < 0 or size < 0 or offset + size > self.size:
            raise DamagedError(f"{size} bytes at {offset} of a disk of {self.size} are needed")
        pieces = []
        while size:
            number, within = divmod(offset, self._block)
            count = min(size, self._block - within)
            sector = self._table[number]
            at = sector * _SECTOR + self._data_at + within
            pieces.append(bytes(count) if sector == _NOWHERE else self._file.read(at, count))
            offset, size = offset + count, size - count
        return b"".join(pieces)
