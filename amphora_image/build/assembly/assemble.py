# SPDX-License-Identifier: Apache-2.0
"""A tree becomes a disk."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from amphora_image.build.assembly.bootloader import FIRMWARE, make_core, write_bios
from amphora_image.build.assembly.converting import FORMATS as CONVERTED
from amphora_image.build.assembly.converting import convert
from amphora_image.build.assembly.filesystems import RootFileSystem, make_esp
from amphora_image.build.assembly.layout import MIB, Amount, Identities, Layout, check_size
from amphora_image.build.assembly.system import BootOptions, find_kernel, make_bootable
from amphora_image.build.programs import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

FORMATS = ("qcow2", "raw", "vhd")
ARCHITECTURES = tuple(FIRMWARE)

_EPOCH_SPACE = uuid.UUID("6d1fd0f5-1b66-4a43-a3f1-0a3d6bb1a0c7")
_PROGRAMS = ("debugfs", "dumpe2fs", "grub-mkimage", "mcopy", "mke2fs", "mkfs.vfat", "sfdisk")


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The disk that is wanted: ``size`` in bytes, ``format`` one of :data:`FORMATS`, ``compression`` that of qcow2.

    With ``epoch``, seconds since 1970, the same tree gives the same bytes.
    """

    size: int = 2048 * MIB
    format: str = "qcow2"
    compression: str = "zlib"
    architecture: str = "amd64"
    boot: BootOptions = field(default_factory=BootOptions)
    epoch: int | None = None

    def identities(self) -> Identities:
        """Give what the disk will be known by: something nobody has yet, unless the epoch says it."""
        return Identities(uuid.uuid4() if self.epoch is None else uuid.uuid5(_EPOCH_SPACE, str(self.epoch)))


def programs_for(disk: Disk) -> tuple[tuple[str, ...], Mapping[Path, str]]:
    """Name the programs that assembling takes, and the files, by the package they come in."""
    programs = _PROGRAMS if disk.format == "raw" else (*_PROGRAMS, "qemu-img")
    return programs, {firmware.folder: firmware.package for firmware in FIRMWARE[disk.architecture]}


def assemble(
    tree: Path, output: Path, disk: Disk, *, folder: Path, phase: Callable[[str], object] = lambda _name: None
) -> None:
    """Make ``output``, a disk that boots by BIOS and UEFI, of the root file system ``tree``.

    What the system has to know of its disk is written into the tree. ``folder`` is an empty one, for what is made on the
    way; whoever gave it removes it. ``phase`` is told what is done now. Owners and rights are those of the tree, so that
    root alone can read all of it.

    :raises DiskTooSmallError: the tree does not fit; before anything is made.
    :raises UnbootableSystemError: the tree has no kernel.
    :raises DiskFullError: there is no room for the disk.
    :raises ProgramFailedError: a program failed otherwise.
    """
    tree, output, folder = tree.absolute(), output.absolute(), folder.absolute()  # programs run in other folders
    find_kernel(tree)
    check_size(disk.size, Amount.of(tree))
    identities, layout = disk.identities(), Layout(disk.size)
    phase("partitioning the disk")
    raw = output if disk.format == "raw" else folder / "disk.raw"
    with raw.open("wb") as file:
        file.truncate(disk.size)
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", raw, given=layout.table(identities))
    phase("making the root file system")
    make_bootable(tree, identities.of("root"), disk.boot)
    RootFileSystem(tree, identities, disk.epoch).make(raw, layout.root)
    phase("making it bootable")
    _add_boot_loaders(raw, folder, disk, identities)
    if disk.format in CONVERTED:
        phase(f"writing {disk.format}")
        reproducible = disk.epoch is not None
        convert(raw, output, disk.format, compression=disk.compression, reproducible=reproducible)
        raw.unlink()


def _add_boot_loaders(raw: Path, folder: Path, disk: Disk, identities: Identities) -> None:
    layout, loaders = Layout(disk.size), dict[str, bytes]()
    for firmware in FIRMWARE[disk.architecture]:
        core = make_core(firmware, folder, identities.of("root"))
        if firmware.loader:
            loaders[firmware.loader] = core
        else:
            write_bios(raw, core, layout.bios)
    esp = folder / "esp.img"
    with esp.open("wb") as file:
        file.truncate(layout.esp.size)
    make_esp(esp, identities, loaders, disk.epoch)
    with raw.open("r+b") as file:
        file.seek(layout.esp.begin)
        file.write(esp.read_bytes())
