# SPDX-License-Identifier: Apache-2.0
"""The extended attributes of an ext inode: behind the inode itself, and in a block of their own."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from amphora_image.build.inspection.structure import DamagedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MAGIC = b"\x00\x00\x02\xea"
_ENTRY = struct.Struct("<BBHIII")
_PREFIXES = {
    1: b"user.",
    2: b"system.posix_acl_access",
    3: b"system.posix_acl_default",
    4: b"trusted.",
    6: b"security.",
    7: b"system.",
}
_LARGEST = 1 << 20


def in_node(inode: bytes, value_of: Callable[[int, int], bytes]) -> dict[bytes, bytes]:
    """Read those behind an inode's fields; ``value_of(number, size)`` reads one that has an inode of its own."""
    if len(inode) < 132:
        return {}
    start = 128 + int.from_bytes(inode[128:130], "little")
    if inode[start : start + 4] != _MAGIC:
        return {}
    return dict(_entries(inode[start + 4 :], inode[start + 4 :], value_of))


def in_block(block: bytes, value_of: Callable[[int, int], bytes]) -> dict[bytes, bytes]:
    """Read those in a block."""
    if block[:4] != _MAGIC:
        raise DamagedError("a block of extended attributes is none")
    return dict(_entries(block[32:], block, value_of))


def _entries(entries: bytes, values: bytes, value_of: Callable[[int, int], bytes]) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + _ENTRY.size <= len(entries) and entries[at : at + 4] != b"\0\0\0\0":
        name_size, prefix, offset, inode, size, _ = _ENTRY.unpack_from(entries, at)
        at += _ENTRY.size
        name = _PREFIXES.get(prefix, b"?") + entries[at : at + name_size]
        at += name_size + -name_size % 4
        if size > _LARGEST or (not inode and offset + size > len(values)):
            raise DamagedError("an extended attribute is larger than its place")
        yield name, value_of(inode, size) if inode else values[offset : offset + size]
