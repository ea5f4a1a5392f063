# SPDX-License-Identifier: Apache-2.0
"""Where a build works: a folder for each, and gone with it, and a hidden file beside its output until that is whole.

What a killed build leaves of either is removed by the next.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from amphora_image.build.builder.memory import in_memory, is_full
from amphora_image.errors import DestinationError, DiskFullError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "amphora-image-build-"
_LOCK = "in-use"
_ON_DISK = "free some, or build on the disk (--no-tmpfs)"


@contextlib.contextmanager
def work_folder(parent: Path, memory: int = 0) -> Iterator[Path]:
    """Make a folder of its own for a build, and remove it in the end; in up to ``memory`` bytes of memory, if any.

    :raises DiskFullError: there is no room for it, or for what is done in it.
    :raises DestinationError: it cannot be made.
    """
    sweep(parent)
    with writing(parent):
        # diskimage-builder's scripts do not quote; so no white space in the name, and nobody else looks in.
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    lock = -1
    try:
        with writing(parent):
            lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        with in_memory(folder, memory) as mounted:
            try:
                yield folder
            except DiskFullError as error:
                inside = Path(error.path).is_relative_to(folder)
                if mounted and (inside or is_full(folder)):
                    raise DiskFullError(f"the memory mounted on {folder}", error.detail, _ON_DISK) from error
                if inside:  # which is gone when this is read
                    raise DiskFullError(str(parent), error.detail) from error
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock >= 0:
            os.close(lock)


@contextlib.contextmanager
def part_of(output: Path) -> Iterator[Path]:
    """Give a hidden file beside ``output`` that becomes it where all goes well, and is removed where it does not.

    It has the same name each time, so that the next build takes over what a killed one left.

    :raises DiskFullError: there is no room for it.
    :raises DestinationError: it cannot be written, or another build is writing it.
    """
    part = output.with_name(f".{output.name}.part")
    try:
        file = os.open(part, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                yield part
                part.replace(output)
            finally:
                part.unlink(missing_ok=True)
        finally:
            os.close(file)
    except BlockingIOError as error:
        raise DestinationError(str(output), "another build is writing it") from error
    except OSError as error:
        raise _unwritable(error, output if error.filename in {None, str(part)} else error.filename) from error


@contextlib.contextmanager
def writing(place: Path) -> Iterator[None]:
    """Tell by our errors what cannot be written; of ``place``, where the system does not say of what.

    :raises DiskFullError: there is no room.
    :raises DestinationError: something else is in the way.
    """
    try:
        yield
    except OSError as error:
        raise _unwritable(error, error.filename or place) from error


def _unwritable(error: OSError, place: Path | str) -> DiskFullError | DestinationError:
    kind = DiskFullError if error.errno in {errno.ENOSPC, errno.EDQUOT} else DestinationError
    return kind(str(place), error.strerror or str(error))


def sweep(parent: Path) -> list[Path]:
    """Remove the folders of builds that are not running any more, and give them.

    Whoever builds holds a lock that the kernel opens when they are gone; a folder that has no lock yet is being made.
    """
    removed = []
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(folder)
            finally:
                os.close(lock)
    return removed
