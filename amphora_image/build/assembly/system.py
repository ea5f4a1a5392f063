# SPDX-License-Identifier: Apache-2.0
"""The root file system as a tree: which kernel it has, and what it has to know of the disk it will be on.

The tree holds what packages of others put there. Nothing is followed that could lead out of it: the names written to
are made anew, in folders that are none but folders.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.errors import UnbootableSystemError

if TYPE_CHECKING:
    from pathlib import Path

#: As diskimage-builder names it, for elements that write it into files of theirs.
ROOT_LABEL = "cloudimg-rootfs"

#: Where systemd's own tools keep what a kernel shall be started with; an element may write it.
_COMMAND_LINE = ("etc", "kernel", "cmdline")
_MENU = """# Written when the disk was assembled.
set timeout={timeout}
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
menuentry '{title}' {{
    linux {kernel} root=UUID={uuid} ro {options}
    initrd {initrd}
}}
"""


@dataclass(frozen=True, slots=True)
class BootOptions:
    """How the system is started: what the kernel is told besides its root, and how long GRUB waits for somebody."""

    kernel_options: str = "console=tty0 console=ttyS0,115200"
    timeout_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel and its initial RAM disk, as paths in the system."""

    image: str
    initrd: str


def find_kernel(tree: Path) -> Kernel:
    """Find the newest kernel in ``/boot`` that has an initial RAM disk.

    :raises UnbootableSystemError: there is none.
    """
    boot = _folder(tree, "boot")
    versions = [path.name.partition("-")[2] for path in boot.glob("vmlinuz-*") if not path.is_symlink()]
    for version in sorted(versions, key=_natural, reverse=True):
        for name in (f"initrd.img-{version}", f"initramfs-{version}.img"):
            if (boot / name).is_file():
                return Kernel(f"/boot/vmlinuz-{version}", f"/boot/{name}")
    found = f"a kernel ({', '.join(versions)}) and no initial RAM disk for it" if versions else "no kernel"
    raise UnbootableSystemError(f"its /boot has {found}")


def make_bootable(tree: Path, uuid: str, options: BootOptions) -> None:
    """Write ``/etc/fstab`` and ``/boot/grub/grub.cfg`` for a root of that UUID; other file systems in fstab stay.

    :raises UnbootableSystemError: there is no kernel, or a folder is not one.
    """
    kernel = find_kernel(tree)
    fstab = _folder(tree, "etc") / "fstab"
    lines = fstab.read_text(encoding="utf-8").splitlines() if fstab.is_file() and not fstab.is_symlink() else []
    kept = [line for line in lines if line.split()[1:2] != ["/"] and "UNCONFIGURED" not in line]
    _write(fstab, "\n".join([f"LABEL={ROOT_LABEL} / ext4 defaults,errors=remount-ro 0 1", *kept, ""]))
    file = tree.joinpath(*_COMMAND_LINE)
    own = file.read_text(encoding="utf-8").split() if _inside(tree, *_COMMAND_LINE) else []
    menu = _MENU.format(
        timeout=options.timeout_seconds,
        title="amphora",
        kernel=kernel.image,
        initrd=kernel.initrd,
        uuid=uuid,
        options=" ".join([*options.kernel_options.split(), *own]),
    )
    _write(_folder(tree, "boot", "grub", make=True) / "grub.cfg", menu)


def _inside(tree: Path, *names: str) -> bool:
    """Tell whether there is a plain file of that path, which leads through no symlink."""
    path = tree
    for name in names:
        path = path / name
        if path.is_symlink():
            return False
    return path.is_file()


def _folder(tree: Path, *names: str, make: bool = False) -> Path:
    path = tree
    for name in names:
        path = path / name
        if make and not path.exists() and not path.is_symlink():
            path.mkdir()
            path.chmod(0o755)
        if path.is_symlink() or not path.is_dir():
            raise UnbootableSystemError(f"its /{'/'.join(names)} is no folder")
    return path


def _write(path: Path, text: str) -> None:
    """Make a file anew: where a symlink was, it is replaced and not followed."""
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)


def _natural(version: str) -> list[tuple[int, str]]:
    """Give a key by which 6.10 is newer than 6.9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", version)]
