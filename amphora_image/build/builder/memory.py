# SPDX-License-Identifier: Apache-2.0
"""A folder in memory: a tmpfs that this process and those that it starts see alone, and that is gone when they are.

The root file system is tens of thousands of small files, which packages' tools write with a sync for each. In memory a
build is done in less time, and nothing of it is ever on a disk. diskimage-builder does so too; but its mount would be in
the enclosure, where we could not read it.
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
    from collections.abc import Iterator

LOG = logging.getLogger(__name__)

#: What a build may need: the tree, and the disk that is made of it. diskimage-builder wants 2 GiB for each of them.
_LEAST_BYTES: Final = 4 << 30
_CLONE_NEWNS: Final = 0x00020000


def spare_memory(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Give how many bytes of memory a build may work in: half of what can be had, or 0 where that would not do.

    What can be had is what the kernel calls available, and no more than any control group that this process is in may
    have at all: a container's tmpfs counts as memory of the container.
    """
    try:
        told = (proc / "meminfo").read_text(encoding="ascii")
        [available] = (line.split()[1] for line in told.splitlines() if line.startswith("MemAvailable:"))
        spare = min(int(available) << 10, *_limits(proc / "self" / "cgroup", cgroups)) // 2
    except (OSError, ValueError) as error:
        LOG.info("How much memory can be had is not known (%s): the build works on the disk", error)
        return 0
    return spare if spare >= _LEAST_BYTES else 0


def _limits(groups: Path, cgroups: Path) -> Iterator[int]:
    """Give what the control groups of this process and those above them may have, by both versions of the interface."""
    yield 1 << 62
    for line in groups.read_text(encoding="utf-8").splitlines() if groups.exists() else ():
        number, controllers, path = line.split(":", 2)
        if number != "0" and "memory" not in controllers.split(","):
            continue
        top, name = (cgroups, "memory.max") if number == "0" else (cgroups / "memory", "memory.limit_in_bytes")
        own = Path(path.lstrip("/"))
        for folder in (own, *own.parents):
            with contextlib.suppress(OSError):
                text = (top / folder / name).read_text(encoding="ascii").strip()
                if text.isdecimal():  # else "max"
                    yield int(text)


@contextlib.contextmanager
def in_memory(folder: Path, size: int) -> Iterator[bool]:
    """Mount a tmpfs of ``size`` bytes on ``folder``; give False, and leave the folder, where that is 0 or cannot be done.

    From then on this process has a mount name space of its own: it sees what is mounted outside later, but what it mounts
    is seen by nobody else. The kernel takes the tmpfs down with the last process that could see it, a ``kill -9`` or not.
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
    try:
        yield True
    finally:
        run("umount", "--lazy", folder)


def _part_mounts() -> None:
    """Give this process a mount name space of its own.

    :raises OSError: it may not.
    :raises ProgramFailedError: the mounts would still be seen outside.
    """
    libc = ctypes.CDLL(None, use_errno=True)  # os.unshare is Python's since 3.12
    if libc.unshare(_CLONE_NEWNS):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    run("mount", "--make-rslave", "/")
