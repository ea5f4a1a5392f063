# SPDX-License-Identifier: Apache-2.0
"""``file://``: an image in a file of this machine, under a folder that the configuration allows."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from amphora_image.config.local import IMAGE_FILE
from amphora_image.errors import (
    ChecksumFileError,
    DigestMismatchError,
    SourceChangedError,
    SourceNotFoundError,
    UnknownSchemeError,
)
from amphora_image.reference import ChecksumUrl, FileReference, Pin
from amphora_image.services.base import ImageInfo
from amphora_image.services.copying import copied, looked_at, read_at
from amphora_image.services.digest import Expected, verified
from amphora_image.services.linking import cannot_change, link
from amphora_image.services.metadata import MAX_BYTES, parse_side_file
from amphora_image.services.safe_open import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from oslo_config import cfg

    from amphora_image.reference import Reference
    from amphora_image.services.registry import Surroundings


class FileService:
    """Reads images in files. Thread-safe; the allowed folders are those that ``conf`` says at each call."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf

    def stat(self, reference: Reference) -> ImageInfo:
        """Tell size, time and what the side file says; the image is opened and not read.

        :raises AmphoraImageError: as :func:`~amphora_image.services.safe_open.opened`.
        :raises ConfigurationError: the side file cannot be used.
        """
        own = _own(reference)
        with self._opened(own) as source:
            status = os.fstat(source)
        properties = self._side_file(own)
        return ImageInfo(
            size=status.st_size,
            disk_format=properties.pop("disk_format", None),
            modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
            etag=_version(status),
            properties=properties,
        )

    @contextmanager
    def read(self, reference: Reference) -> Iterator[Iterator[bytes]]:
        """Open the image for one reading; in its last step the pin is compared, and a change while it was read told.

        :raises DigestMismatchError: its bytes are not those of the pin.
        :raises SourceChangedError: it was written to while it was read, and no pin says that what was read is right.
        :raises AmphoraImageError: as :func:`~amphora_image.services.safe_open.opened`.
        """
        own = _own(reference)
        with self._opened(own) as source:
            before = os.fstat(source)
            blocks = map(bytes, read_at(source, 0, before.st_size, own.shown))
            with verified(blocks, Expected(own)) as stream:
                yield _checked(stream, source, before, own)

    def place(self, reference: Reference, path: Path, progress: Callable[[int], object]) -> None:
        """Make ``path``, which does not exist, hold the image: faster than :meth:`read`, and as well verified.

        It becomes one more name of a file that cannot change and is not pinned, else a copy of its own; what is hashed
        is the copy. ``progress`` is told how many more bytes are in place. A failure may leave a part at ``path``.

        :raises OSError: ``path`` cannot be written.
        :raises AmphoraImageError: as :meth:`read`.
        """
        own = _own(reference)
        with self._opened(own) as source:
            before = os.fstat(source)
            if own.pin is None and cannot_change(source) and link(source, path):
                _check_linked(source, before, own)
                progress(before.st_size)
                return
            with path.open("x+b", buffering=0) as target:
                found = _copy(source, target.fileno(), own, progress)
            _check_copied(source, before, own, found)

    @contextmanager
    def _opened(self, reference: FileReference) -> Iterator[int]:
        with opened(reference, self._conf[IMAGE_FILE].allowed_roots) as source:
            yield source

    def _side_file(self, reference: FileReference) -> dict[str, str]:
        """Read what lies beside the image, by the same rules on where it may lie."""
        beside = replace(reference, path=PurePosixPath(f"{reference.path}.yaml"), pin=None)
        try:
            with self._opened(beside) as source:
                return parse_side_file(os.read(source, MAX_BYTES + 1), str(beside.path))
        except SourceNotFoundError:
            return {}


def _own(reference: Reference) -> FileReference:
    """Take only what was made for us: no other kind, and no checksum file in place of a digest, left unread."""
    if not isinstance(reference, FileReference):
        raise UnknownSchemeError(reference.scheme, ["file"])
    if isinstance(reference.pin, ChecksumUrl):
        raise ChecksumFileError(reference.pin.reference.shown, "it was not read")
    return reference


def _checked(stream: Iterator[bytes], source: int, before: os.stat_result, reference: FileReference) -> Iterator[bytes]:
    """Give the blocks of a verified stream, and tell at its end where it changed while it was read."""
    try:
        yield from stream
    except DigestMismatchError:
        _check_untouched(source, before, reference)
        raise
    if reference.pin is None:
        _check_untouched(source, before, reference)


def _copy(source: int, target: int, reference: FileReference, progress: Callable[[int], object]) -> str | None:
    """Copy all of an open file, and give the copy's digest by the pin's algorithm, None where there is no pin."""
    if not isinstance(reference.pin, Pin):
        for count in copied(source, target, reference.shown):
            progress(count)
        return None
    digest = hashlib.new(reference.pin.algorithm)
    with looked_at(target, digest.update, reference.shown) as tell:
        for count in copied(source, target, reference.shown):
            tell(count)
            progress(count)
    return digest.hexdigest()


def _check_linked(source: int, before: os.stat_result, reference: FileReference) -> None:
    """Check that a file was not touched while it was linked, which itself changes nothing but its ``ctime``."""
    now = os.fstat(source)
    if (now.st_size, now.st_mtime_ns, now.st_mode) != (before.st_size, before.st_mtime_ns, before.st_mode):
        raise SourceChangedError(reference.shown, "it was written to while it was linked")


def _check_copied(source: int, before: os.stat_result, reference: FileReference, found: str | None) -> None:
    """Check that a copy with the digest ``found`` is what the pin says or, without a pin, of one version."""
    pin = reference.pin
    if isinstance(pin, Pin) and found == pin.digest:
        return
    _check_untouched(source, before, reference)
    if isinstance(pin, Pin):
        raise DigestMismatchError(reference.shown, str(pin), f"{pin.algorithm}={found}")


def _check_untouched(source: int, before: os.stat_result, reference: FileReference) -> None:
    """Check that an open file is as it was when the reading began.

    :raises SourceChangedError: it is not.
    """
    if _version(os.fstat(source)) != _version(before):
        raise SourceChangedError(reference.shown, "the file was written to, replaced or deleted while it was read")


def _version(status: os.stat_result) -> str:
    """Name one version of a file's bytes: every write changes ``ctime``, which nobody can set back."""
    return f"{status.st_dev:x}-{status.st_ino:x}-{status.st_size:x}-{status.st_ctime_ns:x}"


def make(surroundings: Surroundings) -> FileService:
    """Make the service of ``file://``."""
    return FileService(surroundings.conf)
