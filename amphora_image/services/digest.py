# SPDX-License-Identifier: Apache-2.0
"""Verifying a stream of bytes in flight: they are counted and hashed while the one who reads them uses them."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from amphora_image.errors import ChecksumFileError, DigestMismatchError, SourceUnavailableError
from amphora_image.reference import ChecksumUrl, Pin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from amphora_image.reference import Reference

#: The digest that is taken where no pin says which.
DEFAULT_ALGORITHM = "sha256"
#: How many blocks may be read and not yet hashed: what bounds the memory.
_BLOCKS_AHEAD = 4
#: Blocks that were used are otherwise given back to the kernel, and each next one costs its page faults again. To free
#: something larger, which is never touched, makes the C library keep what is smaller (mallopt(3), M_MMAP_THRESHOLD).
_KEPT_BYTES = 16 * 1024 * 1024


class Verified:
    """The blocks of one image, verified: the last step raises where they are not what they should be.

    ``digest`` and ``size`` (in bytes) are those of all the blocks, once the iteration has ended; ``etag`` names the
    version that they are of, where the source can go on with that one.
    """

    etag: str | None = None

    def __init__(self, blocks: Iterable[bytes], expected: Expected, pool: ThreadPoolExecutor) -> None:
        self._blocks = iter(blocks)
        self._expected = expected
        self._pool = pool
        self._hash = hashlib.new(expected.algorithm)
        self._behind: deque[Future[None]] = deque()
        self.size = 0
        self.digest: Pin | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Give the next block, which is hashed by another thread meanwhile.

        :raises SourceUnavailableError: the image has another length than it should.
        :raises DigestMismatchError: it has another digest.
        """
        block = next(self._blocks, None)
        if block is None:
            self._finish()
            raise StopIteration
        self.feed(block)
        return block

    def feed(self, block: bytes) -> None:
        """Count and hash what comes next, before what is iterated over: bytes that are held already."""
        self.size += len(block)
        self._behind.append(self._pool.submit(self._hash.update, block))
        while len(self._behind) > _BLOCKS_AHEAD:
            self._behind.popleft().result()

    def _finish(self) -> None:
        while self._behind:
            self._behind.popleft().result()
        self.digest = Pin(self._expected.algorithm, self._hash.hexdigest())
        self._expected.check(self.size, self.digest)


class Expected:
    """What an image's bytes should be: the pin of ``reference``, and ``size`` in bytes where the source tells it.

    ``stated`` is a digest that the source itself keeps; the pin comes before it.

    :raises ChecksumFileError: the pin is a checksum file that nobody has read.
    """

    def __init__(self, reference: Reference, *, size: int | None = None, stated: Pin | None = None) -> None:
        if isinstance(reference.pin, ChecksumUrl):
            raise ChecksumFileError(reference.pin.reference.shown, "it was not read")
        self._name = reference.shown
        self._size = size
        self._pin = reference.pin or stated
        self.algorithm = self._pin.algorithm if self._pin else DEFAULT_ALGORITHM

    def check(self, size: int, digest: Pin) -> None:
        """Compare what was read.

        :raises SourceUnavailableError: it has another length.
        :raises DigestMismatchError: it has another digest.
        """
        if self._size is not None and size != self._size:
            raise SourceUnavailableError(self._name, f"it has {size} bytes, and its source said {self._size}")
        if self._pin is not None and digest != self._pin:
            raise DigestMismatchError(self._name, str(self._pin), str(digest))


@contextmanager
def verified(blocks: Iterable[bytes], expected: Expected) -> Iterator[Verified]:
    """Verify ``blocks`` while the block is open; a thread of its own hashes."""
    bytes(_KEPT_BYTES)
    with ThreadPoolExecutor(1, "hash") as pool:
        yield Verified(blocks, expected, pool)
