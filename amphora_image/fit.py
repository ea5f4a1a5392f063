# SPDX-License-Identifier: Apache-2.0
"""Whether an image fits a flavor: what Nova would refuse, or could never start, told before Nova is asked.

Pure. The rules are those of ``nova/compute/api.py``, ``_validate_flavor_image_nostatus``, and of its ImagePropertiesFilter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amphora_image.models import Candidate, Flavor

_GIB = 1024**3
#: Other names of an architecture → Nova's (``nova/objects/fields.py``, ``Architecture.canonicalize``).
_ALIASES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64", "i386": "i686", "i486": "i686", "i586": "i686"}


def objection(image: Candidate, flavor: Flavor) -> str | None:
    """Say why ``image`` cannot run on ``flavor``, or None when it can, as far as both tell.

    A flavor whose disk is 0 GiB takes the image's own size, so no disk is too small then. For a server that boots from
    a volume give a flavor with the volume's size for its disk.
    """
    if image.min_ram > flavor.ram:
        return f"it needs {image.min_ram} MiB of memory (min_ram), and flavor {flavor.id} has {flavor.ram}"
    if flavor.disk and image.min_disk > flavor.disk:
        return f"it needs a disk of {image.min_disk} GiB (min_disk), and flavor {flavor.id} has {flavor.disk}"
    unpacked = max(image.virtual_size or 0, image.size or 0)
    if flavor.disk and unpacked > flavor.disk * _GIB:
        return f"its disk is {unpacked / _GIB:.1f} GiB large, and flavor {flavor.id} has {flavor.disk}"
    of_image, of_flavor = canonical(image.architecture), canonical(flavor.architecture)
    if of_image and of_flavor and of_image != of_flavor:
        return f"it is for {of_image} (hw_architecture), and flavor {flavor.id} for {of_flavor}"
    return None


def canonical(architecture: str | None) -> str:
    """Give Nova's name of an architecture; empty for none."""
    name = (architecture or "").strip().lower()
    return _ALIASES.get(name, name)
