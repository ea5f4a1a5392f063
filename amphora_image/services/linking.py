# SPDX-License-Identifier: Apache-2.0
"""Hard links in place of copies, of files that cannot change under us; ``doc/adr/0010`` says why no other will do."""

from __future__ import annotations

import array
import errno
import fcntl
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: ``linux/fs.h``: read an inode's flags; its bytes are sealed by fs-verity.
_FS_IOC_GETFLAGS = 0x80086601
_FS_VERITY_FL = 0x00100000

_ANY_MAY_WRITE = 0o222
#: Not offered between these two places, by this file system, or to this user (``fs.protected_hardlinks``).
_NOT_OFFERED = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EACCES, errno.EOPNOTSUPP})


def cannot_change(source: int) -> bool:
    """Judge whether the bytes of an open file stay as they are: when in doubt they do not.

    Sealed by fs-verity, not even root can write to them. Else the file has to be our own, and we not root, whom nothing
    holds; nobody may write to it, which for one's own file takes a deliberate change of its mode first; and no process
    has it open for writing since before.
    """
    if _sealed(source):
        return True
    status, user = os.fstat(source), os.geteuid()
    return user == status.st_uid != 0 and not status.st_mode & _ANY_MAY_WRITE and not _has_writer(source)


def link(source: int, path: Path) -> bool:
    """Make ``path`` one more name of an open file; tell whether that could be.

    :raises OSError: ``path`` exists, or its folder cannot be written.
    """
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Only with a folder does Python call linkat, which alone follows the link in /proc to the open file.
        os.link(f"/proc/self/fd/{source}", path.name, dst_dir_fd=folder, follow_symlinks=True)
    except OSError as error:
        if error.errno in _NOT_OFFERED:
            return False
        raise
    finally:
        os.close(folder)
    return True


def _sealed(source: int) -> bool:
    flags = array.array("l", [0])
    try:
        fcntl.ioctl(source, _FS_IOC_GETFLAGS, flags)
    except OSError:  # a file system without flags seals nothing
        return False
    return bool(flags[0] & _FS_VERITY_FL)


def _has_writer(source: int) -> bool:
    """Tell whether any process has the file open for writing: the kernel gives a read lease only where none has."""
    try:
        # Who opens it for writing in that instant waits until we give the lease back; the signal of it is ignored.
        fcntl.fcntl(source, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(source, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(source, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return True
    return False
