# SPDX-License-Identifier: Apache-2.0
"""The partitions of a disk: of a GUID partition table (UEFI's specification, chapter 5) or a master boot record."""

from __future__ import annotations

import struct
import uuid
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.build.inspection.structure import DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amphora_image.build.inspection.disk import Readable

SECTOR = 512
#: What both tables call these, so that nobody below has to know which table it was.
EFI_SYSTEM, BIOS_BOOT = "EFI system", "BIOS boot"
_GPT_TYPES = {
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": EFI_SYSTEM,
    "21686148-6449-6e6f-744e-656564454649": BIOS_BOOT,
    "0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux",
    "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "Linux root (x86-64)",
    "b921b045-1df0-41c3-af44-4c6f280d3fae": "Linux root (arm64)",
    "bc13c2ff-59e6-4262-a352-b275fd6f7172": "Linux boot",
    "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f": "Linux swap",
    "e6d6d379-f507-44c2-a23c-238f2a3df928": "Linux LVM",
    "9e1a2d38-c612-4316-aa26-8b49521e5a8b": "PReP boot",
}
_MBR_TYPES = {0x82: "Linux swap", 0x83: "Linux", 0x8E: "Linux LVM", 0xEF: EFI_SYSTEM, 0x41: "PReP boot"}
_EXTENDED = frozenset({0x05, 0x0F, 0x85})
_MOST = 128
_GPT_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_GPT_ENTRY = struct.Struct("<16s16sQQQ72s")
_MBR_ENTRY = struct.Struct("<B3xB3xII")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of the disk: ``start`` and ``size`` are bytes, ``active`` is the flag by which some BIOSes boot."""

    number: int
    start: int
    size: int
    type: str
    active: bool = False
    uuid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A disk's partitions; ``kind`` is gpt, mbr, or None where the disk has no table."""

    kind: str | None
    partitions: tuple[Slice, ...] = ()


def read_table(disk: Readable) -> Table:
    """Read the partition table.

    :raises DamagedError: it contradicts itself, or a partition lies outside the disk.
    """
    if disk.size < 2 * SECTOR:
        return Table(kind=None)
    record = disk.read(0, SECTOR)
    if disk.read(SECTOR, 8) == b"EFI PART":
        found = Table(kind="gpt", partitions=tuple(_gpt(disk)))
    elif record[510:] == b"\x55\xaa" and _looks_like_a_table(record):
        found = Table(kind="mbr", partitions=tuple(_mbr(disk, record)))
    else:
        return Table(kind=None)
    for each in found.partitions:
        if each.start + each.size > disk.size:
            raise DamagedError(
                f"it is truncated: partition {each.number} ends at byte {each.start + each.size}, the disk at {disk.size}"
            )
    return found


def _looks_like_a_table(record: bytes) -> bool:
    """Tell a table from the boot sector of a file system, which ends with the same mark."""
    entries = [_MBR_ENTRY.unpack_from(record, at) for at in range(446, 510, 16)]
    used = [each for each in entries if each[1]]
    return bool(used) and all(each[0] in {0, 0x80} for each in entries) and all(each[2] and each[3] for each in used)


def _gpt(disk: Readable) -> Iterator[Slice]:
    sector = disk.read(SECTOR, SECTOR)
    _, _, size, crc, _, _, _, _, _, _, entries_at, count, entry_size, entries_crc = _GPT_HEADER.unpack_from(sector)
    if not _GPT_HEADER.size <= size <= SECTOR:
        raise DamagedError(f"the header of its GPT is said to have {size} bytes")
    if zlib.crc32(sector[:16] + bytes(4) + sector[20:size]) != crc:
        raise DamagedError("the header of its GPT does not match its checksum")
    if count > 8 * _MOST or not _GPT_ENTRY.size <= entry_size <= 4096:
        raise DamagedError(f"its GPT has {count} entries of {entry_size} bytes")
    entries = disk.read(entries_at * SECTOR, count * entry_size)
    if zlib.crc32(entries) != entries_crc:
        raise DamagedError("the entries of its GPT do not match their checksum")
    for number in range(count):
        kind, own, first, last, flags, _ = _GPT_ENTRY.unpack_from(entries, number * entry_size)
        if not any(kind):
            continue
        if last < first:
            raise DamagedError(f"partition {number + 1} ends before it begins")
        guid = str(uuid.UUID(bytes_le=kind))
        yield Slice(
            number=number + 1,
            start=first * SECTOR,
            size=(last - first + 1) * SECTOR,
            type=_GPT_TYPES.get(guid, guid),
            active=bool(flags & 1 << 2),
            uuid=str(uuid.UUID(bytes_le=own)),
        )


def _mbr(disk: Readable, record: bytes) -> Iterator[Slice]:
    signature = f"{struct.unpack_from('<I', record, 440)[0]:08x}"
    for number in range(1, 5):
        flag, kind, first, count = _MBR_ENTRY.unpack_from(record, 446 + 16 * (number - 1))
        if kind in _EXTENDED:
            yield from _logical(disk, first, signature)
        elif kind:
            yield _from_mbr(number, (flag, kind, first, count), signature)


def _logical(disk: Readable, extended: int, signature: str) -> Iterator[Slice]:
    """Follow the chain of records in an extended partition, for no longer than any real one is."""
    at = extended
    for number in range(5, 5 + _MOST):
        record = disk.read(at * SECTOR, SECTOR)
        if record[510:] != b"\x55\xaa":
            raise DamagedError("the chain of its logical partitions is broken")
        flag, kind, first, count = _MBR_ENTRY.unpack_from(record, 446)
        if kind:
            yield _from_mbr(number, (flag, kind, at + first, count), signature)
        _, following, first, _ = _MBR_ENTRY.unpack_from(record, 462)
        if not following:
            return
        at = extended + first
    raise DamagedError("the chain of its logical partitions has no end")


def _from_mbr(number: int, entry: tuple[int, int, int, int], signature: str) -> Slice:
    flag, kind, first, count = entry
    return Slice(
        number=number,
        start=first * SECTOR,
        size=count * SECTOR,
        type=_MBR_TYPES.get(kind, f"{kind:#04x}"),
        active=flag == 0x80,
        uuid=f"{signature}-{number:02x}",
    )
