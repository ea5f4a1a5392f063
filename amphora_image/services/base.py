# SPDX-License-Identifier: Apache-2.0
"""The port of the image services: two verbs; all else (fetch, the cache, publishing) is written on top of them.

A service reads one scheme, and only concrete references: a tag is resolved, and ``#checksum=URL`` replaced by the
digest found there, before it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from amphora_image.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """What is known of an image without downloading it; None, or empty, where it is unknown.

    ``size`` is in bytes, ``disk_format`` as Glance names it; ``digests`` has lower-case hex by algorithm (``sha256``,
    ``sha512``) as the source states it, not as we found it. ``etag`` changes whenever the bytes do. ``properties`` are
    those that an image in Glance would have.
    """

    size: int | None = None
    disk_format: str | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    modified_at: datetime | None = None
    etag: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


class ImageService(Protocol):
    """A scheme's handler. Thread-safe."""

    def stat(self, reference: Reference) -> ImageInfo:
        """Tell what is known of the image without downloading it.

        :raises AmphoraImageError: there is none, or it may not be read.
        """

    def read(self, reference: Reference) -> AbstractContextManager[Iterator[bytes]]:
        """Open the image for one reading from its beginning to its end, in blocks of any size.

        It is verified in flight: the last step of the iteration raises where the pin or the length is wrong, so that
        who has come to its end holds all of the right bytes, and who has not holds nothing yet.

        :raises AmphoraImageError: there is none, it may not be read, or it is not what the pin says.
        """


@dataclass(frozen=True, slots=True)
class Part:
    """The beginning of an image that an earlier reading left: the file it is in and the source's ``etag`` of then."""

    path: Path
    etag: str


@runtime_checkable
class ResumableService(ImageService, Protocol):
    """A service that can go on where an earlier reading, of another process maybe, broke off."""

    def resume(self, reference: Reference, part: Part) -> AbstractContextManager[Iterator[bytes]]:
        """Open what follows ``part``, which is hashed first: the pin and the length are those of the whole.

        ``part.etag`` is what an earlier stream, of ``read`` or of ``resume``, had for its ``etag``.

        :raises SourceChangedError: the source has another version now; the part is of no use.
        :raises AmphoraImageError: as :meth:`ImageService.read`.
        """


@runtime_checkable
class PlacingService(ImageService, Protocol):
    """A service that can bring an image to a path faster than by reading it."""

    def place(self, reference: Reference, path: Path, progress: Callable[[int], object]) -> None:
        """Make ``path``, which does not exist, hold the image, as well verified as by :meth:`ImageService.read`.

        ``progress`` is told how many more bytes are there. A failure may leave a part at ``path``.

        :raises OSError: ``path`` cannot be written.
        :raises AmphoraImageError: as :meth:`ImageService.read`.
        """
