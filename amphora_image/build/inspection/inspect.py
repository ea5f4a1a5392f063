# SPDX-License-Identifier: Apache-2.0
"""Looking into a disk image: from its path to all that is known of it."""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from amphora_image.build.inspection import dpkg, rpm
from amphora_image.build.inspection.accounts import accounts_of, key_files
from amphora_image.build.inspection.boot import boot_of
from amphora_image.build.inspection.disk import Window, opened
from amphora_image.build.inspection.ext import Ext
from amphora_image.build.inspection.formats import open_disk
from amphora_image.build.inspection.mounts import Volume, mounted
from amphora_image.build.inspection.partitions import EFI_SYSTEM, Slice, Table, read_table
from amphora_image.build.inspection.privileged import privileged_files
from amphora_image.build.inspection.probe import UNREAD, probe
from amphora_image.build.inspection.report import Inspection, Package, Partition
from amphora_image.build.inspection.software import agent_of, haproxy_of, pip_packages
from amphora_image.build.inspection.structure import DamagedError, MissingDecoderError, UnsupportedError
from amphora_image.build.inspection.system import system_of
from amphora_image.build.inspection.units import enabled_units
from amphora_image.errors import ConfigurationError, UnreadableImageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from amphora_image.build.inspection.disk import File
    from amphora_image.build.inspection.formats import Disk
    from amphora_image.build.inspection.tree import Tree

_AGAIN = "compare it with its checksum, and download or build it again"
_BROKEN = (DamagedError, struct.error, RecursionError, MemoryError, OSError)


class Opened(NamedTuple):
    """An image that is being looked into: its file, its disk, and what is on it; the tree is of what its system mounts."""

    file: File
    disk: Disk
    table: Table
    volumes: list[Volume]
    tree: Tree


def inspect(path: Path) -> Inspection:
    """Look into an image, by reading no more of it than is needed.

    :raises UnusableFileError: there is no regular file that can be read.
    :raises UnreadableImageError: it is no disk image, damaged or cut off, or has nothing that can be read.
    :raises ConfigurationError: a library that it needs is not installed.
    """
    with opened_image(path) as image:
        return report_of(path, image)


@contextmanager
def opened_image(path: Path) -> Iterator[Opened]:
    """Open an image and read the names of all its files.

    :raises AmphoraImageError: as for :func:`inspect`.
    """
    with opened(path) as file:
        with telling(path):
            image = _open(file)
        yield image


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Tell by our errors, with the image's ``path``, how what is read from it turns out not to be readable.

    :raises UnreadableImageError: it is damaged, or of a kind that is not read.
    :raises ConfigurationError: a library that it needs is not installed.
    """
    try:
        yield
    except UnsupportedError as error:
        raise UnreadableImageError(str(path), str(error), error.remedy) from error
    except MissingDecoderError as error:
        raise ConfigurationError(f"{path}: {error}", "install amphora-image[build], which can unpack that") from error
    except _BROKEN as error:
        detail = str(error) if isinstance(error, DamagedError) else f"its structure is broken ({error!r})"
        raise UnreadableImageError(str(path), detail, _AGAIN) from error


def report_of(path: Path, image: Opened) -> Inspection:
    """Tell all that is known of an image that was opened.

    :raises UnreadableImageError: a part of it that is read only now is damaged.
    """
    with telling(path):
        return _report(path, image)


def _report(path: Path, image: Opened) -> Inspection:
    system_partition = next((each.system for each in image.volumes if each.type == EFI_SYSTEM), None)
    boot, warnings = boot_of(image.disk, image.table, system_partition)
    package_system, packages, missing = _packages(image.tree)
    warnings += [
        f"{each.place} was not unmounted: what its journal holds is not seen" for each in image.volumes if _dirty(each)
    ]
    warnings += missing
    system = system_of(image.tree)
    if system is None:
        warnings.append("no operating system was found: no file system has an os-release")
    return Inspection(
        path=str(path),
        format=image.disk.format,
        compression=image.disk.compression,
        size=image.file.size,
        allocated_size=image.file.allocated,
        virtual_size=image.disk.size,
        partition_table=image.table.kind,
        partitions=tuple(_partition(each) for each in image.volumes),
        boot=boot,
        system=system,
        package_system=package_system,
        packages=packages,
        pip_packages=pip_packages(image.tree),
        agent=agent_of(image.tree, packages),
        haproxy=haproxy_of(image.tree, packages),
        units=enabled_units(image.tree),
        accounts=accounts_of(image.tree),
        key_files=key_files(image.tree),
        privileged=privileged_files(image.tree),
        warnings=tuple(warnings),
    )


def _open(file: File) -> Opened:
    disk = open_disk(file)
    table = read_table(disk)
    whole = Slice(number=0, start=0, size=disk.size, type="")
    volumes = []
    for partition in table.partitions or (whole,):
        kind, system = probe(Window(disk, partition.start, partition.size))
        volumes.append(Volume(partition=partition, kind=kind, system=system))
    tree = mounted(volumes) if any(each.system for each in volumes) else None
    # What is readable may be the ESP alone, with the system on what is not.
    if tree is None or (system_of(tree) is None and any(each.kind in UNREAD for each in volumes)):
        _refuse(table, volumes)
    return Opened(file, disk, table, volumes, tree)


def _refuse(table: Table, volumes: list[Volume]) -> NoReturn:
    """Say why nothing can be read.

    :raises UnsupportedError: always.
    """
    kinds = ", ".join(each.kind for each in volumes if each.kind and not each.system)
    if table.kind is None and not kinds:
        raise UnsupportedError(
            "it has no partition table, and no file system that is known", "give the image of a whole disk"
        )
    where = "" if table.kind is None else " in its partitions"
    raise UnsupportedError(
        f"it has {kinds or 'nothing that is known'}{where}, and of file systems only ext2, ext3, ext4 and FAT are read",
        "inspect it in a machine that it was booted in",
    )


def _packages(tree: Tree) -> tuple[str | None, tuple[Package, ...] | None, list[str]]:
    """Read whichever package database there is; name the system, and say what is amiss."""
    packages = dpkg.packages_of(tree)
    if packages is not None:
        return "dpkg", packages, []
    packages = rpm.packages_of(tree)
    if packages is not None:
        return "rpm", packages, []
    other = rpm.other_database(tree)
    if other is not None:
        return "rpm", None, [f"the packages are not known: the rpm database is {other}, and only SQLite is read"]
    return None, None, ["the packages are not known: there is no database of dpkg or rpm"]


def _dirty(volume: Volume) -> bool:
    return isinstance(volume.system, Ext) and volume.system.needs_recovery


def _partition(volume: Volume) -> Partition:
    found = volume.partition
    return Partition(
        number=found.number,
        start=found.start,
        size=found.size,
        type=found.type,
        file_system=volume.kind,
        label=volume.system.label if volume.system else "",
        uuid=volume.system.uuid if volume.system else "",
    )
