# SPDX-License-Identifier: Apache-2.0
"""A file that is being fetched: beside its destination, hidden, and one process's at a time."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from amphora_image.errors import RetryableError, SourceChangedError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

#: What a new file may be read by; the umask takes away from it.
_MODE = 0o666


class Partial:
    """What is there of ``destination`` so far. Inside the block it is this process's alone.

    ``file`` is the open file; ``etag`` names the version that it is of, empty while none is known. With an etag it
    outlives a fault that may pass, an interrupt and a kill, so that the next fetch can go on from it.

    :raises OSError: nothing can be written there; BlockingIOError: another process does.
    """

    def __init__(self, destination: Path) -> None:
        self.destination = destination
        self.path = destination.with_name(f".{destination.name}.part")
        self._etag_path = destination.with_name(f".{destination.name}.part.etag")
        self.file = -1
        self._done = False
        self.size = 0
        self.etag = ""

    def __enter__(self) -> Self:
        """Take what an earlier fetch left, or begin."""
        self.file = self._locked()
        self.size = os.lseek(self.file, 0, os.SEEK_END)
        self.etag = self._etag_path.read_text(encoding="latin-1") if self._etag_path.exists() else ""
        return self

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> None:
        """Remove it, unless it is whole or of use to the next fetch."""
        passing = isinstance(error, RetryableError | KeyboardInterrupt) and not isinstance(error, SourceChangedError)
        if not self._done and not (passing and self.etag and self.size):
            self.path.unlink(missing_ok=True)
            self._etag_path.unlink(missing_ok=True)
        os.close(self.file)

    def begin(self, etag: str) -> None:
        """Forget what is there, and note the version that follows."""
        os.ftruncate(self.file, 0)
        self._etag_path.unlink(missing_ok=True)
        if etag:
            self._etag_path.write_text(etag, encoding="latin-1")
        self.size, self.etag = 0, etag

    def write(self, block: bytes) -> None:
        """Put a block behind what is there."""
        view = memoryview(block)
        while view:
            count = os.pwrite(self.file, view, self.size)
            self.size += count
            view = view[count:]

    def finish(self) -> None:
        """Make it the destination: what is seen under that name is whole, also after a power cut."""
        os.fsync(self.file)
        self.path.replace(self.destination)
        self._done = True
        self._etag_path.unlink(missing_ok=True)
        sync_folder(self.destination)

    def _locked(self) -> int:
        """Open the file, and be sure that it is still the one of that name once it is locked."""
        while True:
            file = self._opened()
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self.path.exists() and os.path.samestat(os.fstat(file), self.path.stat()):
                    return file
            except BaseException:
                os.close(file)
                raise
            os.close(file)

    def _opened(self) -> int:
        """Open or make the file. What somebody else has put there, who could write to it later on, is removed."""
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        while True:
            with suppress(FileExistsError):
                return os.open(self.path, flags | os.O_CREAT | os.O_EXCL, _MODE)
            with suppress(FileNotFoundError):  # it was there just now
                if not _is_ours(self.path.lstat()):
                    self.path.unlink()
                    continue
                file = os.open(self.path, flags)
                if _is_ours(os.fstat(file)):
                    return file
                os.close(file)


def _is_ours(status: os.stat_result) -> bool:
    """Tell whether it is a file that nobody else has a name for, or is the owner of."""
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_nlink == 1


def sync_folder(path: Path) -> None:
    """Make the name ``path`` outlive a power cut."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
