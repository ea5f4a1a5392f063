# SPDX-License-Identifier: Apache-2.0
"""Where an ext inode's contents are: its tree of extents, or the older map of blocks."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from amphora_image.build.inspection.file_system import Run
from amphora_image.build.inspection.structure import DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amphora_image.build.inspection.disk import Readable

_HEADER = struct.Struct("<HHHH4x")
_LEAF = struct.Struct("<IHHI")
_INDEX = struct.Struct("<IIHxx")
_DEEPEST = 5
_LONGEST = 32768  # an extent that says it is longer has never been written


def extent_runs(part: Readable, root: bytes, block: int) -> Iterator[Run]:
    """Follow a tree of extents, whose ``root`` is in the inode."""
    yield from _extents(part, (root, None), block, set())


def _extents(part: Readable, place: tuple[bytes, int | None], block: int, seen: set[int]) -> Iterator[Run]:
    """Follow the tree under a node; ``place`` is its bytes, and its depth where that is known."""
    node, depth = place
    magic, count, _, found = _HEADER.unpack_from(node)
    if magic != 0xF30A or found > _DEEPEST or depth not in {None, found} or 12 + 12 * count > len(node):
        raise DamagedError("a file's tree of extents is broken")
    for at in range(12, 12 + 12 * count, 12):
        if found:
            _, low, high = _INDEX.unpack_from(node, at)
            below = _once(low | high << 32, seen)
            yield from _extents(part, (part.read(below * block, block), found - 1), block, seen)
            continue
        logical, length, high, low = _LEAF.unpack_from(node, at)
        if length <= _LONGEST:
            yield Run(logical * block, (low | high << 32) * block, length * block)


def mapped_runs(part: Readable, pointers: bytes, block: int, size: int) -> Iterator[Run]:
    """Follow a map of blocks: twelve of the file, then ones of blocks, of blocks of blocks, and one level more."""
    direct = struct.unpack("<15I", pointers)
    seen: set[int] = set()
    for index, each in enumerate(direct[:12]):
        if each:
            yield Run(index * block, each * block, block)
    offset = 12 * block
    for level, each in enumerate(direct[12:], start=1):
        if each and offset < size:
            yield from _indirect(part, (_once(each, seen), level, offset), block, seen)
        offset += block * (block // 4) ** level


def _indirect(part: Readable, place: tuple[int, int, int], block: int, seen: set[int]) -> Iterator[Run]:
    """Follow the map that ``place`` names: in which block it is, its level, and the offset that it begins with."""
    at, level, offset = place
    for each in struct.unpack(f"<{block // 4}I", part.read(at * block, block)):
        if each and level == 1:
            yield Run(offset, each * block, block)
        elif each:
            yield from _indirect(part, (_once(each, seen), level - 1, offset), block, seen)
        offset += block * (block // 4) ** (level - 1)


def _once(block: int, seen: set[int]) -> int:
    """Refuse to go the same way twice, for that would have no end."""
    if block in seen:
        raise DamagedError("a file's map of its blocks leads back into itself")
    seen.add(block)
    return block
