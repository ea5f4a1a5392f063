# SPDX-License-Identifier: Apache-2.0
"""The disk that a qcow2 file holds, read a cluster at a time.

After the format's description in QEMU, docs/interop/qcow2.rst: versions 2 and 3, with zlib or zstd.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from amphora_image.build.inspection.structure import DamagedError, UnsupportedError
from amphora_image.build.inspection.zstd import unpack_zstd

if TYPE_CHECKING:
    from amphora_image.build.inspection.disk import Readable

MAGIC = b"QFI\xfb"
_HEADER = struct.Struct(">4sIQIIQIIQQIIQ")
_V3 = struct.Struct(">QQQII")
_LARGEST_L1 = 32 << 20  # QEMU's own limit, in bytes
_KEPT_BYTES = 64 << 20
_STEP_BYTES = 16 << 10
_OFFSET = 0x00FF_FFFF_FFFF_FE00
_COMPRESSED = 1 << 62
_READS_ZERO = 1
_REWRITE = "write it anew as one whole image: `qemu-img convert -O qcow2 IMAGE NEW`"


class Qcow2:
    """A qcow2 disk; ``size`` is what a guest sees. ``compression`` is that of its compressed clusters."""

    format = "qcow2"

    def __init__(self, file: Readable) -> None:
        self._file = file
        (
            _,
            self.version,
            backing,
            _,
            bits,
            self.size,
            encryption,
            entries,
            table,
            *_,
        ) = _HEADER.unpack(file.read(0, _HEADER.size))
        if self.version not in {2, 3}:
            raise UnsupportedError(f"it is qcow2 of version {self.version}", _REWRITE)
        if backing:
            raise UnsupportedError("it has a backing file, so that it is only a part of a disk", _REWRITE)
        if encryption:
            raise UnsupportedError("it is encrypted", "give an image that is not")
        features = _V3.unpack(file.read(_HEADER.size, _V3.size)) if self.version == 3 else (0, 0, 0, 4, 72)
        self.compression: str | None = self._look_at(features[0], features[4])
        if not 9 <= bits <= 21:
            raise DamagedError(f"its clusters are of 2^{bits} bytes")
        self._bits = bits
        self._l2_bits = bits - 3
        if entries * 8 > _LARGEST_L1 or entries << (self._l2_bits + bits) < self.size:
            raise DamagedError(f"its first table has {entries} entries for a disk of {self.size} bytes")
        self._l1 = _table(file.read(table, entries * 8))
        kept = max(8, _KEPT_BYTES >> bits)
        self._packed = _Zstd if self.compression == "zstd" else _Zlib
        self._zeros = _Plain(bytes(1 << bits))
        self._l2 = lru_cache(maxsize=kept)(self._load_l2)
        self._cluster = lru_cache(maxsize=kept)(self._load_cluster)

    def read(self, offset: int, size: int) -> bytes:
        """Give exactly ``size`` bytes of the disk.

        :raises DamagedError: they are outside the disk, or the file does not have them.
        """
        end = offset + size
        if offset < 0 or size < 0 or end > self.size:
            raise DamagedError(f"{size} bytes at {offset} of a disk of {self.size} are needed")
        first, start = offset >> self._bits, offset & ((1 << self._bits) - 1)
        if start + size <= 1 << self._bits:
            return self._first(first, start + size)[start : start + size]
        last = (end - 1) >> self._bits
        found = b"".join(self._first(number, 1 << self._bits) for number in range(first, last + 1))
        return found[start : start + size]

    def check_end(self) -> None:
        """See that no cluster lies behind the end of the file, as in one that was cut off.

        :raises DamagedError: one does.
        """
        sectors = -(-self._file.size // 512)
        for place in {entry & _OFFSET for entry in self._l1} - {0}:  # one that is named twice is read once
            for entry in self._l2(place):
                start, size = self._placed(entry)
                if size and start + size > sectors * 512:
                    raise DamagedError(f"it is truncated: it has {self._file.size} bytes, and has data at byte {start}")

    def _look_at(self, incompatible: int, header_size: int) -> str:
        """Refuse what would be misread, and tell the compression."""
        if incompatible & 1 << 1:
            raise DamagedError("it is marked as corrupt")
        if incompatible & 1 << 2:
            raise UnsupportedError("its data is in an external file", _REWRITE)
        if incompatible & 1 << 4:
            raise UnsupportedError("it has extended L2 entries", _REWRITE)
        if incompatible >> 5:
            raise UnsupportedError(f"it has features that nobody knows: {incompatible:#x}", _REWRITE)
        if not incompatible & 1 << 3 or header_size <= 104:
            return "zlib"
        kind = self._file.read(104, 1)[0]
        if kind > 1:
            raise UnsupportedError(f"its compression is of the unknown type {kind}", _REWRITE)
        return ("zlib", "zstd")[kind]

    def _load_l2(self, place: int) -> array[int]:
        return _table(self._file.read(place, 1 << self._bits))

    def _placed(self, entry: int) -> tuple[int, int]:
        """Say where in the file, and in how many bytes, the data of a cluster lies; none is (0, 0)."""
        if entry & _COMPRESSED:
            split = 62 - (self._bits - 8)
            start = entry & ((1 << split) - 1)
            sectors = ((entry & (_COMPRESSED - 1)) >> split) + 1
            return start, sectors * 512 - (start & 511)
        if entry & _READS_ZERO or not entry & _OFFSET:
            return 0, 0
        return entry & _OFFSET, 1 << self._bits

    def _first(self, number: int, count: int) -> bytes:
        """Give no fewer than the first ``count`` bytes of a cluster, and unpack little more of it."""
        cluster: _Cluster = self._cluster(number)
        found = cluster.first(count)
        if len(found) < count:
            raise DamagedError(f"what is compressed in cluster {number} is cut off")
        return found

    def _load_cluster(self, number: int) -> _Cluster:
        index, within = number >> self._l2_bits, number & ((1 << self._l2_bits) - 1)
        place = self._l1[index] & _OFFSET
        if not place:
            return self._zeros
        entry = self._l2(place)[within]
        start, size = self._placed(entry)
        if not size:
            return self._zeros
        if not entry & _COMPRESSED:
            return _Plain(self._file.read(start, size))
        packed = self._file.read(start, min(size, max(1, self._file.size - start)))
        return self._packed(packed, 1 << self._bits)


def _table(data: bytes) -> array[int]:
    table = array("Q", data)
    if sys.byteorder == "little":
        table.byteswap()
    return table


class _Cluster(Protocol):
    """A cluster, of which as much is unpacked as was asked for: a folder is often 4 KiB of 64."""

    def first(self, count: int) -> bytes:
        """Give the first ``count`` bytes, or more of them; fewer where there are no more."""


class _Plain:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def first(self, count: int) -> bytes:  # noqa: ARG002 - it has them all
        return self._data


class _Zstd(_Plain):
    """zstd unpacks blocks that are larger than a cluster mostly is."""

    def __init__(self, packed: bytes, size: int) -> None:
        super().__init__(unpack_zstd(packed, size))


class _Zlib:
    def __init__(self, packed: bytes, size: int) -> None:
        self._unpacker = zlib.decompressobj(wbits=-12)
        self._rest = packed
        self._size = size
        self._data = b""

    def first(self, count: int) -> bytes:
        if count > len(self._data):
            wanted = min(self._size, -(-count // _STEP_BYTES) * _STEP_BYTES)
            try:
                self._data += self._unpacker.decompress(self._rest, wanted - len(self._data))
            except zlib.error as error:
                raise DamagedError(f"what is compressed in it cannot be unpacked: {error}") from error
            self._rest = self._unpacker.unconsumed_tail
        return self._data
