# SPDX-License-Identifier: Apache-2.0
"""What every file system gives, whatever it is: nodes, the names in a folder, contents, extended attributes."""

from __future__ import annotations

import stat
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from amphora_image.build.inspection.structure import DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from amphora_image.build.inspection.disk import Readable

#: Contents are handed over in pieces that begin at multiples of this many bytes.
PIECE_BYTES = 1 << 20
_LARGEST_FOLDER = 64 << 20
_LARGEST_LINK = 4096


class Node(NamedTuple):
    """A file, folder, link or device, and what its file system keeps to find its contents."""

    number: int
    mode: int
    uid: int
    gid: int
    size: int
    details: bytes

    @property
    def is_folder(self) -> bool:
        """Whether names are in it."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        """Whether it has contents."""
        return stat.S_ISREG(self.mode)

    @property
    def is_link(self) -> bool:
        """Whether it leads elsewhere."""
        return stat.S_ISLNK(self.mode)


class Run(NamedTuple):
    """``length`` bytes of a file, from its byte ``offset`` on, that begin at byte ``at`` of the file system."""

    offset: int
    at: int
    length: int


class FileSystem(ABC):
    """A file system in a part of a disk; whatever contradicts itself in it is a :class:`DamagedError`."""

    kind: str
    label: str = ""
    uuid: str = ""

    def __init__(self, part: Readable) -> None:
        self._part = part

    @property
    @abstractmethod
    def root(self) -> Node:
        """The topmost folder."""

    @abstractmethod
    def node(self, number: int) -> Node:
        """Give the node with that number."""

    @abstractmethod
    def entries(self, folder: Node) -> list[tuple[bytes, int]]:
        """Give names and numbers of what is in a folder, without ``.`` and ``..``."""

    @abstractmethod
    def runs(self, node: Node) -> Iterable[Run]:
        """Say where the contents are, in the order of their offsets; what is in no run is zero."""

    def inline(self, node: Node) -> bytes | None:  # noqa: ARG002 - for those that have it
        """Give contents that are kept within the node itself, None when there are none."""
        return None

    def attributes(self, node: Node) -> dict[bytes, bytes]:  # noqa: ARG002 - for those that have it
        """Give the extended attributes, by their whole names."""
        return {}

    def pieces(self, node: Node) -> Iterator[tuple[int, bytes]]:
        """Give contents as (offset, bytes): pieces that begin at multiples of :data:`PIECE_BYTES`, zeros mostly left out.

        Each but the last has that many bytes; together they are no more than the file system.
        """
        kept = self.inline(node)
        if kept is not None:
            if node.size > len(kept):
                raise DamagedError(f"file {node.number} has fewer data than its size says")
            yield 0, kept[: node.size]
            return
        pending, start, handed = bytearray(), -1, 0
        for run in self.runs(node):
            done = 0
            length = min(run.length, node.size - run.offset)
            handed += max(0, length)
            if handed > self._part.size:
                raise DamagedError(f"file {node.number} has more data than its file system")
            while done < length:
                offset = run.offset + done
                piece, within = offset - offset % PIECE_BYTES, offset % PIECE_BYTES
                if piece != start:
                    if start >= 0:
                        yield start, bytes(pending)
                    start, pending = piece, bytearray(min(PIECE_BYTES, node.size - piece))
                count = min(PIECE_BYTES - within, length - done)
                pending[within : within + count] = self._part.read(run.at + done, count)
                done += count
        if start >= 0:
            yield start, bytes(pending)

    def read(self, node: Node, limit: int) -> bytes:
        """Give the whole contents, which may have at most ``limit`` bytes."""
        if node.size > limit:
            raise DamagedError(
                f"file {node.number} is said to have {node.size} bytes, where at most {limit} make sense"
            )
        if node.size <= PIECE_BYTES:  # most are one piece, which no copy has to be made of
            first = next(self.pieces(node), (0, b""))
            return first[1].ljust(node.size, b"\0")
        found = bytearray(node.size)
        for offset, piece in self.pieces(node):
            found[offset : offset + len(piece)] = piece
        return bytes(found)

    def target(self, link: Node) -> bytes:
        """Say where a link leads."""
        return self.read(link, _LARGEST_LINK)

    def folder(self, node: Node) -> bytes:
        """Give the contents of a folder."""
        return self.read(node, _LARGEST_FOLDER)
