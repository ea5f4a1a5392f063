# SPDX-License-Identifier: Apache-2.0
"""The files of a cache: whole, verified images by their digest, and what is known of each.

::

    images/sha256-9f86…     the bytes, read-only; put there by a rename when they were verified, and beside them, in
                            hidden files, what interrupted downloads left
    records/sha256-9f86…    JSON: the inode, size and ctime that the image had then, and where it came from;
                            the file's own time is when the image was last used
    locks/sha256-9f86…      held by the one process that downloads

Who uses an image holds a shared lock on it, and only what nobody uses is removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import stat
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amphora_image.errors import ConfigurationError, InvalidReferenceError
from amphora_image.reference import Pin
from amphora_image.services.partial import Partial

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader, IOBase
    from pathlib import Path

LOG = logging.getLogger(__name__)

_FOLDERS = ("images", "records", "locks")
_READ_ONLY = 0o444
_OTHERS_MAY_WRITE = 0o022


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One image in the cache: ``size`` in bytes, times in seconds since the epoch, ``source`` where it came from."""

    pin: Pin
    size: int
    source: str
    stored_at: float
    used_at: float


class Store:
    """The files of one cache in the folder ``root``, which is made when it is missing.

    :raises ConfigurationError: the folder cannot be made, or somebody else may write to it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = root.stat()
            for name in _FOLDERS:
                (root / name).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            problem = f"[image_cache] path: {root} cannot be used: {error.strerror}"
            raise ConfigurationError(problem, "name a folder that this user may write to") from error
        if status.st_uid != os.geteuid() or status.st_mode & _OTHERS_MAY_WRITE:
            problem = f"[image_cache] path: others may write to {root}, and so choose what is booted"
            raise ConfigurationError(problem, "let it belong to this user, with mode 0700 or 0755")

    def path(self, pin: Pin, folder: str = "images") -> Path:
        """Give the place of an image, or in another ``folder`` of what belongs to it."""
        return self.root / folder / f"{pin.algorithm}-{pin.digest}"

    def open(self, pin: Pin) -> BufferedReader | None:
        """Open an image for use, None where it is not kept; while it is open it is not removed.

        It is the very file that was verified when it was stored, and was not written to since: its inode, size and
        ``ctime`` say so, which every write changes and nobody can set back. Where they do not, it is hashed once more.
        """
        with suppress(FileNotFoundError):
            file = os.fdopen(os.open(self.path(pin), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
            fcntl.flock(file, fcntl.LOCK_SH)
            if self._record(pin).get("version") == _version(file) or self.verify(pin, file):
                with suppress(OSError):
                    os.utime(self.path(pin, "records"))
                return file
            file.close()
        return None

    def verify(self, pin: Pin, file: BufferedReader) -> bool:
        """Hash an open image: note that it is right, or remove it and tell that it is not. Until it is closed it stays."""
        fcntl.flock(file, fcntl.LOCK_SH)
        version = _version(file)  # of before, so that what is written meanwhile shows
        file.seek(0)
        right = hashlib.file_digest(file, pin.algorithm).hexdigest() == pin.digest
        file.seek(0)
        if right:
            self._note(pin, version, str(self._record(pin).get("source", "")))
        else:
            LOG.warning("Image %s in the cache %s is damaged and is removed", pin, self.root)
            self._unlink(pin, file)
        return right

    def take(self, pin: Pin, source: str) -> BufferedReader:
        """Take an image into use that was put, whole and verified, into its place; write down how it is.

        :raises OSError: the file system refuses.
        """
        file = self.path(pin).open("rb")
        try:
            fcntl.flock(file, fcntl.LOCK_SH)
            os.fchmod(file.fileno(), _READ_ONLY)
            self._note(pin, _version(file), source)
        except BaseException:
            file.close()
            raise
        return file

    def has_part(self, pin: Pin) -> bool:
        """Tell whether an interrupted download left something."""
        return self._part(pin).exists()

    def drop_part(self, pin: Pin) -> None:
        """Forget what an interrupted download left."""
        for path in (self._part(pin), self._part(pin).with_suffix(".part.etag")):
            path.unlink(missing_ok=True)

    def remove(self, pin: Pin) -> bool:
        """Remove an image; tell whether it is gone: what is in use stays."""
        with suppress(FileNotFoundError), self.path(pin).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self._unlink(pin, file)
        return True

    def kept(self) -> list[Kept]:
        """List the images, the one that was used last at the end."""
        found = []
        for path in (self.root / "images").iterdir():
            with suppress(FileNotFoundError, InvalidReferenceError):  # removed meanwhile, or none of ours
                pin, status = _pin_of(path.name), path.stat()
                if not stat.S_ISREG(status.st_mode):
                    continue  # none of ours either
                record = self._record(pin)
                used_at = self.path(pin, "records").stat().st_mtime if record else status.st_mtime
                source = str(record.get("source", ""))
                size, stored_at = status.st_size, status.st_mtime
                found.append(Kept(pin=pin, size=size, source=source, stored_at=stored_at, used_at=used_at))
        return sorted(found, key=lambda one: one.used_at)

    @contextmanager
    def locked(self, pin: Pin, *, wait: bool = True) -> Iterator[bool]:
        """Be the only process, and thread, that downloads an image; tells False when another is, without ``wait``.

        The kernel takes the lock from a process that is killed, so that nobody waits longer than a download takes.
        """
        path = self.path(pin, "locks")
        while True:
            with path.open("wb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield False
                    return
                if not _is(path, file):  # who held it before has removed it, and others may hold a new one
                    continue
                try:
                    yield True
                finally:
                    path.unlink()
                return

    def parts(self) -> list[tuple[Pin, float]]:
        """List what downloads, running or interrupted, have left, and when each last got more, since the epoch."""
        found = []
        for path in (self.root / "images").glob(".*.part"):
            with suppress(FileNotFoundError, InvalidReferenceError):
                found.append((_pin_of(path.name.removeprefix(".").removesuffix(".part")), path.stat().st_mtime))
        return found

    def _part(self, pin: Pin) -> Path:
        return Partial(self.path(pin)).path

    def _record(self, pin: Pin) -> dict[str, Any]:
        """Read what is known of an image; nothing, where the record is missing or cut off."""
        with suppress(OSError, ValueError):
            found = json.loads(self.path(pin, "records").read_bytes())
            if isinstance(found, dict):
                return found
        return {}

    def _note(self, pin: Pin, version: list[int], source: str) -> None:
        """Write the record of an image that was verified just now."""
        path = self.path(pin, "records")
        fresh = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
        fresh.write_text(json.dumps({"version": version, "source": source}), encoding="utf-8")
        fresh.rename(path)

    def _unlink(self, pin: Pin, file: BufferedReader) -> None:
        """Remove an open image, unless there is another one in its place by now."""
        if _is(self.path(pin), file):
            for folder in ("images", "records"):
                self.path(pin, folder).unlink(missing_ok=True)


def _version(file: IOBase) -> list[int]:
    status = os.fstat(file.fileno())
    return [status.st_ino, status.st_size, status.st_ctime_ns]


def _is(path: Path, file: IOBase) -> bool:
    try:
        return path.samefile(f"/proc/self/fd/{file.fileno()}")
    except FileNotFoundError:
        return False


def _pin_of(name: str) -> Pin:
    return Pin(*name.partition("-")[::2])
