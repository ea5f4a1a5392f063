# SPDX-License-Identifier: Apache-2.0
"""A disk image's file, opened for reading at any place, and what kind of disk image it is."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from amphora_image.build.inspection.structure import DamagedError
from amphora_image.errors import UnusableFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Readable(Protocol):
    """``size`` bytes that can be read at any place."""

    size: int

    def read(self, offset: int, size: int) -> bytes:
        """Give exactly ``size`` bytes.

        :raises DamagedError: they are not there.
        """


class File:
    """An open regular file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        found = os.fstat(descriptor)
        self.size = found.st_size
        self.allocated = found.st_blocks * 512

    def read(self, offset: int, size: int) -> bytes:
        """Give exactly ``size`` bytes.

        :raises DamagedError: the file is shorter.
        """
        if offset < 0 or size < 0 or offset + size > self.size:
            wanted = offset + size
            raise DamagedError(f"it is truncated: it has {self.size} bytes, and something at byte {wanted} is needed")
        data = os.pread(self._descriptor, size, offset)
        while len(data) < size:  # the kernel reads at most 2 GiB at once
            more = os.pread(self._descriptor, size - len(data), offset + len(data))
            if not more:
                raise DamagedError("it became shorter while it was read")
            data += more
        return data


class Window:
    """A part of what can be read: a partition, say."""

    def __init__(self, whole: Readable, start: int, size: int) -> None:
        if start < 0 or size < 0 or start + size > whole.size:
            raise DamagedError(f"a part of it ends at byte {start + size}, and it has {whole.size}")
        self._whole = whole
        self.start = start
        self.size = size

    def read(self, offset: int, size: int) -> bytes:
        """Give exactly ``size`` bytes.

        :raises DamagedError: they are outside this part, or are not there.
        """
        if offset < 0 or size < 0 or offset + size > self.size:
            raise DamagedError(f"{size} bytes at {offset} of a part that has {self.size} are needed")
        return self._whole.read(self.start + offset, size)


@contextmanager
def opened(path: Path) -> Iterator[File]:
    """Open a regular file; nothing else is ever waited for.

    :raises UnusableFileError: it is missing, empty, unreadable, or no regular file.
    """
    with _told(path):
        found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise UnusableFileError(f"{path} is a folder", "give the image file in it")
    if not stat.S_ISREG(found.st_mode):
        raise UnusableFileError(f"{path} is no regular file", "copy what it holds into a file, and give that")
    if not found.st_size:
        raise UnusableFileError(f"{path} is empty", "build or download it again")
    with _told(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        yield File(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise UnusableFileError(f"{path} does not exist", "give the path of an image file") from error
    except (OSError, ValueError) as error:
        problem = f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise UnusableFileError(problem, "give the path of a file that this user may read") from error
