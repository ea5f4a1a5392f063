# SPDX-License-Identifier: Apache-2.0
"""Opening a local image: what is opened is what was checked, and opening never waits.

A path is looked up once, to an ``O_PATH`` descriptor, which touches neither a device nor a FIFO. The kernel tells the
real path of that very object, past every symbolic link, and it is opened for reading through its descriptor: a name
that is swapped meanwhile changes nothing.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from amphora_image.errors import SourceChangedError, SourceForbiddenError, SourceNotFoundError, SourceRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from amphora_image.reference import FileReference

#: Files in these are made by the kernel while they are read: their size says nothing, and some never end.
_NO_STORAGE = re.compile(
    "autofs|binfmt_misc|bpf|cgroup2?|configfs|cpuset|debugfs|devpts|devtmpfs|efivarfs|fusectl|hugetlbfs|mqueue|nfsd|nsfs"
    "|pipefs|proc|pstore|resctrl|rpc_pipefs|securityfs|selinuxfs|smackfs|sockfs|sysfs|tracefs"
)
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
_NO_FILE_REMEDY = "name a regular file that is not empty"
_RIGHTS_REMEDY = "let this user read it"


@contextmanager
def opened(reference: FileReference, roots: Sequence[str]) -> Iterator[int]:
    """Open a regular file for reading, once; its real path must lie under one of ``roots``, which are absolute.

    :raises SourceForbiddenError: it lies elsewhere, or there are no roots.
    :raises SourceNotFoundError: there is nothing.
    :raises SourceRefusedError: it is no regular file of a real file system, is empty or unreadable.
    """
    if not roots:
        detail, remedy = "[image_file] allowed_roots is empty", "set it to the folders that images may be read from"
        raise SourceForbiddenError(reference.shown, detail, remedy)
    found = _look_up(reference, roots)
    try:
        _check(found, reference, roots)
        readable = _open_found(found, reference)
    finally:
        os.close(found)
    try:
        yield readable
    finally:
        os.close(readable)


def _look_up(reference: FileReference, roots: Sequence[str]) -> int:
    """Find what the path leads to without opening it; what lies elsewhere is refused whether it exists or not."""
    try:
        return os.open(reference.path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        _forbid_elsewhere(os.path.realpath(reference.path), reference, roots)
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise SourceNotFoundError(reference.shown, "there is no such file") from error
        raise SourceRefusedError(reference.shown, error.strerror or str(error), _RIGHTS_REMEDY) from error


def _check(found: int, reference: FileReference, roots: Sequence[str]) -> None:
    """Judge what was found by where and what it really is."""
    status = os.fstat(found)
    if not status.st_nlink:
        raise SourceChangedError(reference.shown, "it was deleted")
    _forbid_elsewhere(str(Path(f"/proc/self/fd/{found}").readlink()), reference, roots)
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no regular file")
        raise SourceRefusedError(reference.shown, f"it is {kind}", _NO_FILE_REMEDY)
    if _NO_STORAGE.fullmatch(kind := _file_system(found)):
        detail = f"it is in a {kind} file system, whose files are made while they are read"
        raise SourceRefusedError(reference.shown, detail, _NO_FILE_REMEDY)
    if not status.st_size:
        raise SourceRefusedError(reference.shown, "it is empty", _NO_FILE_REMEDY)


def _forbid_elsewhere(real: str, reference: FileReference, roots: Sequence[str]) -> None:
    if any(real.startswith(f"{os.path.realpath(root).rstrip('/')}/") for root in roots):
        return
    leads = "" if real == str(reference.path) else f"it leads to {real}, which is "
    detail = f"{leads}under none of [image_file] allowed_roots ({', '.join(roots)})"
    raise SourceForbiddenError(reference.shown, detail, "put the image under one of them, or add its folder")


def _file_system(descriptor: int) -> str:
    """Tell the type of the file system that an open file is in, empty where the kernel does not tell."""
    mount = re.search(r"^mnt_id:\s*(\d+)$", _read(f"/proc/self/fdinfo/{descriptor}"), re.MULTILINE)
    if mount is None:
        return ""
    line = re.search(rf"^{mount[1]} .* - (\S+)", _read("/proc/self/mountinfo"), re.MULTILINE)
    return line[1] if line else ""


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace")


def _open_found(found: int, reference: FileReference) -> int:
    try:
        return os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except BlockingIOError as error:
        raise SourceChangedError(reference.shown, "a process holds it for writing") from error
    except OSError as error:
        raise SourceRefusedError(reference.shown, error.strerror or str(error), _RIGHTS_REMEDY) from error
