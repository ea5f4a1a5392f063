# SPDX-License-Identifier: Apache-2.0
"""Which of a disk's file systems is the root, and which ones its fstab mounts below it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.build.inspection.system import OS_RELEASE
from amphora_image.build.inspection.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amphora_image.build.inspection.file_system import FileSystem
    from amphora_image.build.inspection.partitions import Slice

_DEVICE = re.compile(r"/dev/(?:[a-z]+|nvme[0-9]+n[0-9]+p)([0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A partition, or a whole disk, and what is in it; ``system`` is None where that is not read."""

    partition: Slice
    kind: str
    system: FileSystem | None

    @property
    def type(self) -> str:
        """The partition's type."""
        return self.partition.type

    @property
    def place(self) -> str:
        """What to call it in a sentence."""
        return f"partition {self.partition.number}" if self.partition.number else "the disk"


def mounted(volumes: Sequence[Volume]) -> Tree:
    """Read the file system that has an os-release, or else the first that can be read, and what its fstab names."""
    read = []
    for tree in (Tree(each.system) for each in volumes if each.system is not None):
        if any(map(tree.find, OS_RELEASE)):
            for path, system in sorted(_mounts(tree, volumes), key=lambda mount: mount[0]):
                tree.mount(path, system)
            return tree
        read.append(tree)
    return read[0]


def _mounts(tree: Tree, volumes: Sequence[Volume]) -> list[tuple[str, FileSystem]]:
    found = []
    for line in (tree.text("/etc/fstab") or "").splitlines():
        fields = line.split()
        if len(fields) < 3 or not re.fullmatch("/[^#]+", fields[1]):
            continue
        system = next((each.system for each in volumes if each.system and _is(each, fields[0])), None)
        if system is not None:
            found.append((fields[1].rstrip("/"), system))
    return found


def _is(volume: Volume, device: str) -> bool:
    """Tell whether that is how an fstab names the volume."""
    name, equals, value = device.replace('"', "").partition("=")
    if equals:
        system = volume.system
        known = {
            "LABEL": system.label if system else "",
            "UUID": system.uuid if system else "",
            "PARTUUID": volume.partition.uuid or "",
        }
        return bool(value) and known.get(name, "").lower() == value.lower()
    match = _DEVICE.fullmatch(device)
    return match is not None and int(match[1]) == volume.partition.number
