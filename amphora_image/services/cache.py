# SPDX-License-Identifier: Apache-2.0
"""The cache: verified images by their digest, shared by processes, each downloaded once; see ``doc/adr/0011``."""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from amphora_image.config.local import IMAGE_CACHE
from amphora_image.errors import DestinationError, DigestMismatchError
from amphora_image.reference import Pin
from amphora_image.reference.pin import HEX_DIGITS
from amphora_image.services.base import PlacingService
from amphora_image.services.cache_store import Store
from amphora_image.services.copying import copied, looked_at
from amphora_image.services.fetch import fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader

    from oslo_config import cfg

    from amphora_image.reference import Reference
    from amphora_image.services.base import ImageInfo, ImageService
    from amphora_image.services.cache_store import Kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is kept, and how long what nobody uses; 0 sets no limit."""

    max_bytes: int = 0
    max_age_seconds: float = 0


class Cache:
    """Keeps what is downloaded in ``store``. Any number of threads and processes may use one folder at once."""

    def __init__(self, store: Store, limits: Limits, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._limits = limits
        self._clock = clock

    @classmethod
    def of(cls, conf: cfg.ConfigOpts) -> Cache | None:
        """Give the cache that the configuration names, None where it names none.

        :raises ConfigurationError: its folder cannot be used.
        """
        group = conf[IMAGE_CACHE]
        if not group.path:
            return None
        limits = Limits(max_bytes=group.max_bytes, max_age_seconds=group.max_age_seconds)
        return cls(Store(Path(group.path)), limits)

    def before(self, service: ImageService, reference: Reference, info: ImageInfo) -> ImageService:
        """Give what to fetch an image from: ``service`` with this cache before it, or without where it is of no use.

        That is where nobody says what the bytes must be, neither the reference nor ``info``; where the service has the
        image near; and where the image is larger than all that may be kept.
        """
        stated = (
            Pin(name, digest) for name, digest in sorted(info.digests.items(), reverse=True) if name in HEX_DIGITS
        )
        pin = reference.pin if isinstance(reference.pin, Pin) else next(stated, None)
        too_large = self._limits.max_bytes and (info.size or 0) > self._limits.max_bytes
        if pin is None or too_large or isinstance(service, PlacingService):
            return service
        return CachedService(service, self, pin)

    @contextmanager
    def opened(
        self, service: ImageService, reference: Reference, pin: Pin, progress: Callable[[int], object] = int
    ) -> Iterator[BufferedReader]:
        """Open the image with the digest ``pin`` for use, downloaded from ``reference`` if it is not kept.

        One process downloads and the others wait for it. What an interrupted download left is gone on with, where the
        service can. ``progress`` is told how many more bytes are there.

        :raises DestinationError: the cache's file system has no room, or refuses otherwise.
        :raises AmphoraImageError: as :func:`~amphora_image.services.fetch.fetch`.
        """
        with self._told():
            found = self._store.open(pin)
            if found is None:
                with self._store.locked(pin):
                    found = self._store.open(pin) or self._download(service, replace(reference, pin=pin), pin, progress)
        with found:
            yield found

    def kept(self) -> list[Kept]:
        """List the images, the one that was used last at the end."""
        return self._store.kept()

    def verify(self) -> Iterator[tuple[Kept, bool]]:
        """Hash every image; tell of each whether it is right. What is not is removed.

        :raises DestinationError: the cache cannot be read or written.
        """
        for one in self.kept():
            with self._told(), suppress(FileNotFoundError), self._store.path(one.pin).open("rb") as file:
                right = self._store.verify(one.pin, file)
                yield one, right

    def is_right(self, pin: Pin, file: BufferedReader) -> bool:
        """Hash an open image; what is not right is removed, so that the next to ask for it downloads it.

        :raises DestinationError: the cache cannot be read or written.
        """
        with self._told():
            return self._store.verify(pin, file)

    def prune(self, *, room: int = 0) -> list[Kept]:
        """Remove what is over the limits, with ``room`` more bytes to come; give the images that are gone.

        :raises DestinationError: the cache cannot be written.
        """
        limits, now = self._limits, self._clock()
        with self._told():
            if limits.max_age_seconds:
                self._drop_parts(now - limits.max_age_seconds)
            kept, removed = self.kept(), []
            total = sum(one.size for one in kept) + min(room, limits.max_bytes)
            for one in kept:
                old = limits.max_age_seconds and now - one.used_at > limits.max_age_seconds
                if (old or (limits.max_bytes and total > limits.max_bytes)) and self._store.remove(one.pin):
                    removed.append(one)
                    total -= one.size
        return removed

    def clear(self) -> list[Kept]:
        """Remove all that nobody uses or downloads; give the images that are gone.

        :raises DestinationError: the cache cannot be written.
        """
        with self._told():
            self._drop_parts(self._clock())
            return [one for one in self.kept() if self._store.remove(one.pin)]

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Make a refusal of the file system one of the cache, for the caller has a destination of its own."""
        try:
            yield
        except OSError as error:
            raise DestinationError(str(self._store.root), error.strerror or str(error)) from error

    def _drop_parts(self, before: float) -> None:
        """Remove what interrupted downloads left, and got no more since the time ``before``."""
        for pin, since in self._store.parts():
            if since <= before:
                with self._store.locked(pin, wait=False) as idle:
                    if idle:
                        self._store.drop_part(pin)

    def _download(
        self, service: ImageService, reference: Reference, pin: Pin, progress: Callable[[int], object]
    ) -> BufferedReader:
        """Bring the image into the store; what an earlier download left may be damaged, so that a second try is due."""
        self.prune(room=service.stat(reference).size or 0)
        begun = self._store.has_part(pin)
        try:
            fetch(service, reference, self._store.path(pin), progress=progress)
        except DigestMismatchError:
            if not begun:
                raise
            fetch(service, reference, self._store.path(pin), progress=progress)
        found = self._store.take(pin, reference.shown)
        self.prune()
        return found


class CachedService:
    """A service whose images come through a cache: those of which it is known by ``pin`` what their bytes must be.

    It is a :class:`~amphora_image.services.base.PlacingService`, for one image.
    """

    def __init__(self, service: ImageService, cache: Cache, pin: Pin) -> None:
        self._service = service
        self._cache = cache
        self._pin = pin

    def stat(self, reference: Reference) -> ImageInfo:
        """Tell what the service knows of the image."""
        return self._service.stat(reference)

    @contextmanager
    def read(self, reference: Reference) -> Iterator[Iterator[bytes]]:
        """Read the image as the service does, past the cache."""
        with self._service.read(reference) as blocks:
            yield blocks

    def place(self, reference: Reference, path: Path, progress: Callable[[int], object]) -> None:
        """Make ``path`` a copy of what the cache keeps, or then does; never a link to it. What is hashed is the copy.

        :raises DigestMismatchError: the copy is wrong, though what the cache keeps is right.
        :raises OSError: ``path`` cannot be written.
        :raises AmphoraImageError: as :meth:`Cache.opened`.
        """
        while True:
            with self._cache.opened(self._service, reference, self._pin, progress) as kept:
                found = _copy(kept, path, self._pin.algorithm)
                if found == self._pin.digest:
                    return
                path.unlink()
                if self._cache.is_right(self._pin, kept):
                    raise DigestMismatchError(str(path), str(self._pin), f"{self._pin.algorithm}={found}")


def _copy(kept: BufferedReader, path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm)
    with path.open("x+b", buffering=0) as target, looked_at(target.fileno(), digest.update, str(path)) as tell:
        for count in copied(kept.fileno(), target.fileno(), str(path)):
            tell(count)
    return digest.hexdigest()
