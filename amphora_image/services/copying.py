# SPDX-License-Identifier: Apache-2.0
"""Copying a file into another, and reading the copy while it is made: what is hashed is the copy.

One thread copies inside the kernel, holes left out; a second one reads what lies in the copy already.
"""

from __future__ import annotations

import errno
import os
import queue
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from amphora_image.errors import SourceChangedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: What one step copies, small enough to be in the processor's cache still when it is read; and how many steps may be
#: copied and not yet read.
_STEP_BYTES = 2 * 1024 * 1024
_STEPS_AHEAD = 16
_LOOK_BYTES = 256 * 1024
_READ_BYTES = 1024 * 1024
#: copy_file_range is not offered: two file systems, one that cannot, an old kernel, a sandbox that forbids it.
_NOT_OFFERED = frozenset({errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM})


def copied(source: int, target: int, name: str) -> Iterator[int]:
    """Copy all of ``source`` to the empty file ``target``, both open, and keep the holes; tell the bytes of each step.

    :raises SourceChangedError: the file ``name`` became shorter meanwhile.
    :raises OSError: ``target`` cannot be written (no space, a limit), or ``source`` not be read.
    """
    size, told = os.fstat(source).st_size, 0
    os.ftruncate(target, size)
    for end in _steps(source, target, size, name):
        if end > told:
            yield end - told
        told = end


@contextmanager
def looked_at(target: int, look: Callable[[memoryview], object], name: str) -> Iterator[Callable[[int], None]]:
    """Have one other thread call ``look``, in order, with every byte of the open file ``target`` while it is written.

    Yields what has to be told of each number of bytes that lies there, behind those told before. What ``look`` raises
    is raised at the end of the block; inside it nothing waits for a thread that has failed.
    """
    lengths: queue.Queue[int] = queue.Queue(maxsize=_STEPS_AHEAD)
    with ThreadPoolExecutor(1, "look") as pool:
        looking = pool.submit(_look_at, target, lengths, look, name)
        try:
            yield lengths.put
        finally:
            lengths.put(0)
        looking.result()


def read_at(source: int, begin: int, end: int, name: str, *, block_bytes: int = _READ_BYTES) -> Iterator[memoryview]:
    """Give the bytes [begin, end) of an open file in blocks of at most ``block_bytes``; each is good until the next is asked for.

    :raises SourceChangedError: the file ``name`` is shorter now.
    """
    block, offset = memoryview(bytearray(min(end - begin, block_bytes))), begin
    while offset < end:
        count = os.preadv(source, [block[: end - offset]], offset)
        if not count:
            raise SourceChangedError(name, f"it ended after {offset} of {end} bytes")
        offset += count
        yield block[:count]


def _look_at(target: int, lengths: queue.Queue[int], look: Callable[[memoryview], object], name: str) -> None:
    """Read the file as far as it goes, until 0 comes; after a failure only take what comes, so that nobody waits."""
    offset = 0
    try:
        while length := lengths.get():
            for block in read_at(target, offset, offset + length, name, block_bytes=_LOOK_BYTES):
                look(block)
            offset += length
    except BaseException:
        while lengths.get():
            pass
        raise


def _steps(source: int, target: int, size: int, name: str) -> Iterator[int]:
    """Copy, and tell after each step up to where ``target`` is as it shall be."""
    shared = True
    for begin, end in _data(source, size):
        offset = os.lseek(target, begin, os.SEEK_SET)
        while offset < end:
            count = min(_STEP_BYTES, end - offset)
            done = _share(source, target, count, offset) if shared else None
            if done is None:
                shared = False
                done = os.sendfile(target, source, offset, count)
            if not done:
                raise SourceChangedError(name, f"it ended after {offset} of {size} bytes")
            offset += done
            yield offset
    yield size


def _share(source: int, target: int, count: int, offset: int) -> int | None:
    """Copy within one file system, which may share the blocks; None where that is not offered for these two files."""
    try:
        return os.copy_file_range(source, target, count, offset)
    except OSError as error:
        if error.errno in _NOT_OFFERED:
            return None
        raise


def _data(source: int, size: int) -> Iterator[tuple[int, int]]:
    """Give where data lies, [begin, end), in order; the rest are holes. A file system that knows none says all is data."""
    offset = 0
    while offset < size:
        try:
            begin = os.lseek(source, offset, os.SEEK_DATA)
            offset = min(os.lseek(source, begin, os.SEEK_HOLE), size)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole follows
                return
            raise
        yield begin, offset
