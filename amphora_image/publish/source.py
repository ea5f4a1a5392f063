# SPDX-License-Identifier: Apache-2.0
"""Where the bytes that shall be published come from."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from amphora_image.errors import SourceChangedError, UnusableFileError
from amphora_image.reference import Pin
from amphora_image.services.digest import Expected, Verified, verified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from amphora_image.publish.body import Pass
    from amphora_image.reference import Reference
    from amphora_image.services.base import ImageService

#: As much as is read, hashed and sent at once: less costs more calls, more only more memory.
BLOCK_BYTES = 1 << 20


class Source(Protocol):
    """Bytes that can be read from their start, more than once; ``size`` is their number, ``name`` is for errors.

    ``sha512`` is what each reading proves of them before it gives the last block, None where it proves no such thing.
    """

    name: str
    size: int
    sha512: str | None

    def open(self) -> AbstractContextManager[Iterator[bytes]]:
        """Begin to read; what is given holds no more than a block at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The bytes: a ``source`` that is here, or a ``url`` that Glance fetches; and their ``disk_format``.

    ``begin`` makes a pass over the source, None for one of its own: several clouds share theirs. ``why`` it is read here,
    where Glance could fetch it, is told in the result.
    """

    disk_format: str
    source: Source | None = None
    url: str | None = None
    begin: Callable[[], Pass] | None = None
    why: str = ""


class FileSource:
    """A regular file that nobody writes to while it is read.

    :raises UnusableFileError: it is missing, empty, unreadable, or no regular file.
    """

    sha512: str | None = None

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self.name = str(path)
        with _told(self.name):
            # Not opened before it is known to be a file: to open a FIFO is to wait for its other end.
            self._seen = self._path.stat()
        if stat.S_ISDIR(self._seen.st_mode):
            raise UnusableFileError(f"{self.name} is a folder", "give the image file in it")
        if not stat.S_ISREG(self._seen.st_mode):
            raise UnusableFileError(f"{self.name} is no regular file", "copy it into a file first: it is read twice")
        if not self._seen.st_size:
            raise UnusableFileError(f"{self.name} is empty", "build or download it again")
        with _told(self.name), self._path.open("rb"):
            self.size = self._seen.st_size

    @contextmanager
    def open(self) -> Iterator[Iterator[bytes]]:
        """Begin to read.

        :raises UnusableFileError: it cannot be read any more.
        :raises SourceChangedError: while it is read, it turns out to be another, to grow or to shrink.
        """
        with _told(self.name):
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self._check_same(os.fstat(descriptor))
            yield self._blocks(descriptor)
        finally:
            os.close(descriptor)

    def _blocks(self, descriptor: int) -> Iterator[bytes]:
        """Yield the file; the last block only after it is certain that nothing has changed meanwhile."""
        left = self.size
        while left:
            with _told(self.name):
                block = os.read(descriptor, min(BLOCK_BYTES, left))
            if not block:
                raise SourceChangedError(self.name, f"it ends {left} bytes before its {self.size}")
            left -= len(block)
            if not left:
                self._check_same(os.fstat(descriptor))
            yield block

    def _check_same(self, now: os.stat_result) -> None:
        if (now.st_dev, now.st_ino) != (self._seen.st_dev, self._seen.st_ino):
            raise SourceChangedError(self.name, "another file has taken its place")
        if now.st_size != self.size:
            raise SourceChangedError(self.name, f"it had {self.size} bytes and has {now.st_size}")
        if now.st_mtime_ns != self._seen.st_mtime_ns:
            raise SourceChangedError(self.name, "somebody has written to it")


class ServiceSource:
    """The ``size`` bytes of an image that ``service`` reads, each time anew, and that are verified on their way.

    ``reference`` is concrete. The last block comes only after the pin was found to be right, so that whoever takes the
    bytes never has all of a wrong image.
    """

    def __init__(self, service: ImageService, reference: Reference, size: int) -> None:
        self._service = service
        self._reference = reference
        self.name = reference.shown
        self.size = size
        pin = reference.pin
        self.sha512 = pin.digest if isinstance(pin, Pin) and pin.algorithm == "sha512" else None

    @contextmanager
    def open(self) -> Iterator[Iterator[bytes]]:
        """Begin to read.

        :raises DigestMismatchError: the bytes are not those of the pin.
        :raises SourceChangedError: they are more or fewer than the source said before.
        :raises AmphoraImageError: whatever the service raises.
        """
        with ExitStack() as opened:
            stream = opened.enter_context(self._service.read(self._reference))
            if self._reference.pin is not None and not isinstance(stream, Verified):
                stream = opened.enter_context(verified(stream, Expected(self._reference)))
            yield self._blocks(stream)

    def _blocks(self, stream: Iterator[bytes]) -> Iterator[bytes]:
        """Hold each block back until the next one, or the end that proves them all, has come."""
        held, received = b"", 0
        for block in filter(None, stream):
            received += len(block)
            if received > self.size:
                break
            if held:
                yield held
            held = block
        if received != self.size:
            raise SourceChangedError(
                self.name, f"it had {self.size} bytes and has {'more' if received > self.size else received}"
            )
        yield held


@contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise UnusableFileError(f"{name} does not exist", "give the path of an image file") from error
    except (OSError, ValueError) as error:
        problem = f"{name} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise UnusableFileError(problem, "give the path of a file that this user may read") from error
