# SPDX-License-Identifier: Apache-2.0
"""Users of a cache: an image service over bytes, with faults to order, and a program that uses it.

``cache_user.py FOLDER LOG PROCESSES SLOW``: so many processes at once take one image through the cache in FOLDER; the
service sleeps SLOW seconds before each block. Ends with 0 if each got all of the right bytes.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from amphora_image.errors import SourceChangedError, SourceUnavailableError
from amphora_image.reference import Pin, Reference
from amphora_image.services.base import ImageInfo
from amphora_image.services.cache import Cache, Limits
from amphora_image.services.cache_store import Store
from amphora_image.services.digest import Expected, verified

CHUNK = 65536
DATA = b"".join(number.to_bytes(4, "big") for number in range((10 * CHUNK + 8) // 4))
PIN = Pin("sha256", hashlib.sha256(DATA).hexdigest())


class Web:
    """An image service over bytes; ``log`` gets a line for each reading, with where it began."""

    def __init__(self, log, data=DATA, etag="v1", slow=0.0):
        self.log, self.data, self.etag, self.slow = log, data, etag, slow
        self.breaks_after = None

    def stat(self, _):
        return ImageInfo(size=len(self.data), etag=self.etag)

    def read(self, reference):
        return self._opened(reference, b"")

    @contextmanager
    def _opened(self, reference, before):
        with self.log.open("a") as log:
            log.write(f"{len(before)}\n")
        with verified(self._blocks(reference, len(before)), Expected(reference)) as stream:
            if before:
                stream.feed(before)
            stream.etag = self.etag if isinstance(self, Resumable) else None
            yield stream

    def _blocks(self, reference, begin):
        for offset in range(begin, len(self.data), CHUNK):
            if self.breaks_after is not None and offset >= self.breaks_after:
                raise SourceUnavailableError(reference.shown, "it broke off")
            time.sleep(self.slow)
            yield self.data[offset : offset + CHUNK]


class Resumable(Web):
    """The same, and it can go on where an earlier reading broke off."""

    def resume(self, reference, part):
        if part.etag != self.etag:
            raise SourceChangedError(reference.shown, "it has another version")
        return self._opened(reference, part.path.read_bytes())


def take(cache, service, pin=PIN):
    """Take an image through the cache."""
    with cache.opened(service, Reference.parse("https://images.example/x"), pin) as file:
        return file.read()


def main(folder, log, processes, slow):
    children = []
    for _ in range(int(processes)):
        child = os.fork()
        if not child:
            cache, service = Cache(Store(Path(folder)), Limits()), Resumable(Path(log), slow=float(slow))
            os._exit(take(cache, service) != DATA)
        children.append(child)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
