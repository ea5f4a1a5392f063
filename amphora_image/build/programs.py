# SPDX-License-Identifier: Apache-2.0
"""The programs of others that do the work: found, all missing ones told at once, and run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from amphora_image.errors import DiskFullError, MissingProgramsError, ProgramFailedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Programs of the administrator lie where a user's PATH does not lead.
SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])

#: Which package of Debian and Ubuntu brings a program.
PACKAGES = {
    "chroot": "coreutils",
    "debootstrap": "debootstrap",
    "debugfs": "e2fsprogs",
    "dumpe2fs": "e2fsprogs",
    "grub-mkimage": "grub-common",
    "mcopy": "mtools",
    "mke2fs": "e2fsprogs",
    "mkfs.vfat": "dosfstools",
    "mmdebstrap": "mmdebstrap",
    "mount": "mount",
    "qemu-img": "qemu-utils",
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-system-x86_64": "qemu-system-x86",
    "setpriv": "util-linux",
    "sfdisk": "fdisk",
    "tar": "tar",
    "unshare": "util-linux",
    "xorriso": "xorriso",
}

_NO_ROOM = "No space left on device"


def require(programs: Iterable[str], files: Mapping[Path, str] | None = None) -> None:
    """Make sure that the programs are there, and the files, each with the package it comes in.

    :raises MissingProgramsError: some are not; it names all of them.
    """
    missing = {name: PACKAGES.get(name, name) for name in sorted(programs) if shutil.which(name, path=SEARCHED) is None}
    missing |= {str(path): package for path, package in (files or {}).items() if not path.exists()}
    if missing:
        raise MissingProgramsError(tuple(missing), tuple(sorted(set(missing.values()))))


def run(
    *command: str | Path, given: str = "", environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> str:
    """Run a program in ``folder`` with ``given`` as its input, and give its output.

    It speaks plain English and knows no time zone but UTC; ``environment`` is added to ours.

    :raises MissingProgramsError: there is none of that name.
    :raises DiskFullError: it found no room to write.
    :raises ProgramFailedError: it ended with another fault.
    """
    name = str(command[0])
    try:
        ended = subprocess.run(  # noqa: S603 - a list of arguments, no shell
            [str(each) for each in command],
            input=given,
            capture_output=True,
            check=False,
            cwd=folder,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "PATH": SEARCHED, "LC_ALL": "C", "TZ": "UTC0", **(environment or {})},
        )
    except FileNotFoundError as error:
        raise MissingProgramsError((name,), (PACKAGES.get(name, name),)) from error
    if ended.returncode:
        detail = ended.stderr.strip() or ended.stdout.strip() or f"it ended with {ended.returncode}"
        if _NO_ROOM in detail:
            raise DiskFullError(str(folder or Path.cwd()), f"{name}: {detail}")
        raise ProgramFailedError(name, detail)
    return ended.stdout
