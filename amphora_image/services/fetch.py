# SPDX-License-Identifier: Apache-2.0
"""Fetching: an image's bytes into a file that is there only when it is whole, verified and safe."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.contents import Inspector
from amphora_image.errors import DestinationError, SourceChangedError
from amphora_image.reference import Pin
from amphora_image.services.base import Part, PlacingService, ResumableService
from amphora_image.services.digest import Expected, Verified, verified
from amphora_image.services.partial import Partial, sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from amphora_image.reference import Reference
    from amphora_image.services.base import ImageService

_READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What lies at ``path`` now: ``size`` in bytes, ``disk_format`` as Glance names it.

    ``digest`` is that of the bytes, None where they were neither pinned nor read; ``resumed_at`` is how many of them an
    earlier fetch had left.
    """

    path: Path
    size: int
    disk_format: str
    digest: Pin | None
    resumed_at: int = 0


def fetch(
    service: ImageService,
    reference: Reference,
    destination: Path,
    *,
    declared: str | None = None,
    progress: Callable[[int], object] = int,
) -> Fetched:
    """Bring the image to ``destination``, in place of what may be there, in one step and only when it is verified.

    ``declared`` is the disk format that it is said to have; ``progress`` is told how many more bytes are there. What was
    read lies beside the destination until then, in a hidden file that a failure leaves only where the next fetch can go
    on from it.

    :raises DestinationError: nothing can be written there, or another process is fetching to it.
    :raises UnsafeImageError: no hypervisor should be given these contents.
    :raises FormatMismatchError: they are not in the declared format.
    :raises AmphoraImageError: whatever reading raises.
    """
    inspector = Inspector(declared)
    try:
        check_destination(destination, overwrite=True)
        with Partial(destination) as partial:
            if isinstance(service, PlacingService):
                return _placed(service, reference, destination, inspector, progress)
            return _read(service, reference, partial, inspector, progress)
    except BlockingIOError as error:
        raise DestinationError(str(destination), "another process is fetching to it") from error
    except OSError as error:
        raise DestinationError(str(destination), error.strerror or str(error)) from error


def check_destination(destination: Path, *, overwrite: bool) -> None:
    """Refuse before anything is read what cannot take an image, or what would be replaced at the end.

    :raises DestinationError: there is something already, or no folder for it; with ``overwrite`` a file may be there.
    """
    if destination.is_dir():
        raise DestinationError(str(destination), "it is a folder")
    if destination.is_symlink() or (destination.exists() and not destination.is_file()):
        raise DestinationError(str(destination), "it is there already, and no regular file")
    if destination.exists() and not overwrite:
        raise DestinationError(str(destination), "it is there already, and only --overwrite replaces it")
    if not destination.parent.is_dir():
        raise DestinationError(str(destination), f"there is no folder {destination.parent}")


def _placed(
    service: PlacingService,
    reference: Reference,
    destination: Path,
    inspector: Inspector,
    progress: Callable[[int], object],
) -> Fetched:
    """Let the service bring it, and look into what it brought. The caller sees to it that nobody else does so meanwhile."""
    path = destination.with_name(f".{destination.name}.placed")
    path.unlink(missing_ok=True)  # what one that was killed has left
    try:
        service.place(reference, path, progress)
        with path.open("rb") as file:
            _inspect(file.fileno(), inspector)
            found = inspector.finish()
            os.fsync(file.fileno())
            size = os.fstat(file.fileno()).st_size
        path.replace(destination)
        sync_folder(destination)
    finally:
        path.unlink(missing_ok=True)  # after replace() too, which does nothing where both names are one file's already
    digest = reference.pin if isinstance(reference.pin, Pin) else None
    return Fetched(path=destination, size=size, disk_format=found, digest=digest)


def _read(
    service: ImageService,
    reference: Reference,
    partial: Partial,
    inspector: Inspector,
    progress: Callable[[int], object],
) -> Fetched:
    """Read it into the partial file, behind what that has already where the service can go on from there."""
    with _opened(service, reference, partial) as blocks:
        held = partial.size
        _inspect(partial.file, inspector)
        progress(held)
        for block in blocks:
            inspector.feed(block)
            partial.write(block)
            progress(len(block))
        found = inspector.finish()
        partial.finish()
        destination, size = partial.destination, partial.size
        return Fetched(path=destination, size=size, disk_format=found, digest=blocks.digest, resumed_at=held)


@contextlib.contextmanager
def _opened(service: ImageService, reference: Reference, partial: Partial) -> Iterator[Verified]:
    """Open what follows the partial file, or all; what a service gives without a proof of its own is verified here."""
    with contextlib.ExitStack() as stack:
        stream = None
        if partial.size and partial.etag and isinstance(service, ResumableService):
            with contextlib.suppress(SourceChangedError):
                stream = stack.enter_context(service.resume(reference, Part(partial.path, partial.etag)))
        if stream is None:
            stream = stack.enter_context(service.read(reference))
            partial.begin((stream.etag if isinstance(stream, Verified) else None) or "")
        if not isinstance(stream, Verified):
            stream = stack.enter_context(verified(stream, Expected(reference)))
        yield stream


def _inspect(file: int, inspector: Inspector) -> None:
    """Look at an open file from its beginning, as far as it takes to judge it."""
    offset = 0
    while inspector.format is None and (block := os.pread(file, _READ_BYTES, offset)):
        inspector.feed(block)
        offset += len(block)
