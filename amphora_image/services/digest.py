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
#: As many bytes are given to the other thread at once: to wake it takes as long as to hash some blocks.
_BATCH_BYTES = 1024 * 1024
#: How many batches may be read and not yet hashed: what bounds the memory.
_BATCHES_AHEAD = 4
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
        self._pool: ThreadPoolExecutor | None = pool
        self._hash = hashlib.new(expected.algorithm)
        self._batch: list[bytes] = []
        self._batched = 0
        self._behind: deque[Future[None]] = deque()
        self.size = 0
        self.digest: Pin | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Give the next block, which another thread hashes meanwhile, unless told otherwise.

        :raises SourceUnavailableError: the image has another length than it should.
        :raises DigestMismatchError: it has another digest.
        """
        block = next(self._blocks, None)
        if block is None:
            self._finish()
            raise StopIteration
        self.feed(block)
        return block

    def hash_here(self) -> None:
        """Hash in the thread that iterates, for one that works on the blocks itself: in its cache they are already.

        What another thread saves in time it costs in CPU, for the bytes have to come to another core.
        """
        self._settle()
        self._pool = None

    def feed(self, block: bytes) -> None:
        """Count and hash what comes next, before what is iterated over: bytes that are held already."""
        self.size += len(block)
        self._batch.append(block)
        self._batched += len(block)
        if self._pool is None or self._batched >= _BATCH_BYTES:
            self._hash_batch()

    def _hash_batch(self) -> None:
        batch, self._batch, self._batched = self._batch, [], 0
        if self._pool is None:
            self._update(batch)
            return
        self._behind.append(self._pool.submit(self._update, batch))
        while len(self._behind) > _BATCHES_AHEAD:
            self._behind.popleft().result()

    def _update(self, batch: list[bytes]) -> None:
        for block in batch:
            self._hash.update(block)

    def _settle(self) -> None:
        if self._batch:
            self._hash_batch()
        while self._behind:
            self._behind.popleft().result()

    def _finish(self) -> None:
        self._settle()
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
