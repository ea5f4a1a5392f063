# SPDX-License-Identifier: Apache-2.0
"""A folder in memory: a tmpfs that this process and those that it starts see alone, and that is gone when they are.

The root file system is tens of thousands of small files, which packages' tools write with a sync for each: in memory a
build takes less time. diskimage-builder does so too; but its mount would be in the enclosure, where we could not read it.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from amphora_image.build.programs import run
from amphora_image.errors import AmphoraImageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LOG = logging.getLogger(__name__)

#: What a build may need: the tree, and the disk that is made of it. diskimage-builder wants 2 GiB for each of them.
_LEAST_BYTES: Final = 4 << 30
_NEXT_TO_NOTHING_BYTES: Final = 64 << 20
_CLONE_NEWNS: Final = 0x00020000


def spare_memory(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Give how many bytes of memory a build may work in: half of what can be had, or 0 where that would not do.

    What can be had is what the kernel calls available, and no more than what is left to any control group that this process
    is in: a container's tmpfs counts as memory of the container.
    """
    try:
        available = _numbers(proc / "meminfo")["MemAvailable:"] << 10
        spare = min(available, *_left(proc / "self" / "cgroup", cgroups)) // 2
    except (OSError, ValueError, LookupError) as error:
        LOG.info("How much memory can be had is not known (%s): the build works on the disk", error)
        return 0
    return spare if spare >= _LEAST_BYTES else 0


def _left(groups: Path, cgroups: Path) -> Iterator[int]:
    """Give what is left to the control groups of this process and those above them, by both versions of the interface."""
    yield 1 << 62
    for line in groups.read_text(encoding="utf-8").splitlines() if groups.exists() else ():
        number, controllers, path = line.split(":", 2)
        own = Path(path.lstrip("/"))
        for folder in (own, *own.parents):
            if number == "0":
                yield from _left_to(cgroups / folder, ("memory.max", "memory.high"), "memory.current")
            elif "memory" in controllers.split(","):
                yield from _left_to(cgroups / "memory" / folder, ("memory.limit_in_bytes",), "memory.usage_in_bytes")


def _left_to(group: Path, limits: Sequence[str], usage: str) -> Iterator[int]:
    """Give what is left by each of the limits that a group has."""
    for limit in limits:
        with contextlib.suppress(OSError, ValueError):  # no such group, or "max"
            yield int((group / limit).read_text(encoding="ascii")) - _used(group, usage)


def _used(group: Path, usage: str) -> int:
    """Give what a group uses, less the pages of files, which the kernel takes back; 0 where that is not told."""
    try:
        told = _numbers(group / "memory.stat")
        pages = sum(told.get(f"total_{name}", told.get(name, 0)) for name in ("inactive_file", "active_file"))
        return max(int((group / usage).read_text(encoding="ascii")) - pages, 0)
    except (OSError, ValueError):
        return 0


def _numbers(file: Path) -> Mapping[str, int]:
    """Read the lines of a name and a number that the kernel writes."""
    lines = file.read_text(encoding="ascii").splitlines()
    return {name: int(number) for name, number, *_ in (line.split() for line in lines)}


@contextlib.contextmanager
def in_memory(folder: Path, size: int) -> Iterator[bool]:
    """Mount a tmpfs of ``size`` bytes on ``folder``; give False, and leave the folder, where that is 0 or cannot be done.

    From then on the thread has a mount name space, a current folder and a umask of its own: it sees what is mounted outside
    later, but what it mounts is seen by those alone that it starts. The kernel takes the tmpfs down with the last process
    that could see it, a ``kill -9`` or not.
    """
    if not size:
        yield False
        return
    try:
        _part_mounts()
        run("mount", "-t", "tmpfs", "-o", f"mode=0700,size={size}", "tmpfs", folder)
    except (OSError, AmphoraImageError) as error:
        LOG.info("No memory can be mounted (%s): the build works on the disk", error)
        yield False
        return
    LOG.info("The build works in up to %d MiB of memory", size >> 20)
    try:
        yield True
    finally:
        try:
            run("umount", "--lazy", folder)
        except (OSError, AmphoraImageError) as error:
            LOG.info("The memory is left to the kernel (%s), which takes it back when this program ends", error)


def is_full(folder: Path) -> bool:
    """Tell whether the file system of ``folder`` has next to no room left."""
    about = os.statvfs(folder)
    return about.f_bavail * about.f_frsize < _NEXT_TO_NOTHING_BYTES


def _part_mounts() -> None:
    """Give this thread a mount name space of its own.

    :raises OSError: it may not.
    :raises ProgramFailedError: the mounts would still be seen outside.
    """
    libc = ctypes.CDLL(None, use_errno=True)  # os.unshare is Python's since 3.12
    if libc.unshare(_CLONE_NEWNS):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    run("mount", "--make-rslave", "/")
