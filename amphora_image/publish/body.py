# SPDX-License-Identifier: Apache-2.0
"""A source on its way out: hashed and looked into in the one pass that also sends it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

from amphora_image.contents import Inspector
from amphora_image.errors import UnusableFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amphora_image.publish.source import Source


#: What begins so is no disk, though nothing else tells it from a raw one.
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}


class Pass(Protocol):
    """One reading of a source, from start to end; ``sha512`` is there once all of it was given."""

    sha512: str | None

    def __iter__(self) -> Iterator[bytes]: ...


class CheckedPass:
    """Reads ``source`` and gives nothing of it that was not looked into first, as an image ``declared`` of a format."""

    def __init__(self, source: Source, declared: str) -> None:
        self._source = source
        self._declared = declared
        self.sha512: str | None = None

    def __iter__(self) -> Iterator[bytes]:
        """Give the blocks; the last one after all checks.

        :raises AmphoraImageError: the source changed, or its contents are not what they were said to be.
        """
        hasher, inspector, left = hashlib.sha512(), Inspector(self._declared), self._source.size
        known = self._source.sha512
        with self._source.open() as blocks:
            for block in blocks:
                inspector.feed(block)
                if known is None:
                    hasher.update(block)
                left -= len(block)
                if not left:
                    inspector.finish()
                    self.sha512 = known or hasher.hexdigest()
                yield block


class Body:
    """What is sent: as often as it is iterated ``begin`` makes a new pass, as a new token may ask for.

    ``size`` is the number of bytes, ``moved`` is told how many of them are sent so far. ``sha512`` is that of what was
    sent, None until all of it was.
    """

    def __init__(self, begin: Callable[[], Pass], size: int, *, moved: Callable[[int], None] = lambda _: None) -> None:
        self._begin = begin
        self._size = size
        self._moved = moved
        self.sha512: str | None = None

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        self.sha512, sent, begun = None, 0, self._begin()
        for block in begun:
            yield block
            sent += len(block)
            self._moved(sent)
        self.sha512 = begun.sha512


def disk_format(source: Source, declared: str | None = None) -> str:
    """Tell the disk format of ``source`` from as many of its first bytes as it takes.

    :raises UnusableFileError: it is packed, which nobody said: it would pass for a raw disk.
    :raises UnsafeImageError: nobody should boot it.
    :raises FormatMismatchError: it is not the ``declared`` one.
    :raises AmphoraImageError: the source cannot be read.
    """
    inspector, begun = Inspector(declared), declared is not None
    with source.open() as blocks:
        for block in blocks:
            if not begun:
                _check_unpacked(source.name, block)
                begun = True
            inspector.feed(block)
            if inspector.format:
                return inspector.format
    return inspector.finish()


def _check_unpacked(name: str, head: bytes) -> None:
    """Refuse what begins as a file that was packed.

    :raises UnusableFileError: it does.
    """
    for mark, program in _PACKED.items():
        if head.startswith(mark):
            remedy = "unpack it, or give --disk-format where the cloud unpacks what is imported"
            raise UnusableFileError(f"{name} is no disk, but packed by {program}", remedy)


def digest(source: Source, algorithm: str = "sha512") -> str:
    """Hash all of ``source``, hexadecimal, by one of hashlib's algorithms.

    :raises ValueError: hashlib has no such algorithm.
    :raises AmphoraImageError: the source cannot be read.
    """
    hasher = hashlib.new(algorithm)
    with source.open() as blocks:
        for block in blocks:
            hasher.update(block)
    return hasher.hexdigest()
