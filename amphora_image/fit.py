# SPDX-License-Identifier: Apache-2.0
"""Whether an image fits a flavor: what Nova would refuse, or could never start, told before Nova is asked.

The rules are those of ``nova/compute/api.py``, ``_validate_flavor_image_nostatus``, and of its ImagePropertiesFilter.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from amphora_image.errors import AmphoraImageError, ImageMisfitError, ResourceNotFoundError, RetryableError

if TYPE_CHECKING:
    from amphora_image.models import Candidate, Flavor

LOG = logging.getLogger(__name__)

#: More flavors than a fleet of amphorae has; the one that was read first makes room.
_KEPT_FLAVORS = 64
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


class FlavorStore(Protocol):
    """What the check needs of Nova."""

    def flavor(self, flavor_id: str) -> Flavor:
        """Give a flavor.

        :raises ResourceNotFoundError: Nova has no such flavor.
        """


class FitCheck:
    """Refuse an image that its flavor cannot run. Each flavor is asked for once in a process. Thread-safe.

    What is kept never refuses. Nova has no call that changes a flavor's memory or disk, but its extra specs may change
    and its id may be used again, so a flavor is read anew before a refusal. One that has shrunk since is left to Nova,
    which judges for itself in any case.
    """

    def __init__(self, flavors: FlavorStore) -> None:
        self._flavors = flavors
        self._kept: dict[str, Flavor] = {}

    def check(self, image: Candidate, flavor_id: str, *, volume_gib: int | None = None) -> None:
        """Return when ``image`` fits, or when Nova refuses to tell the flavor: the build then goes on without the check.

        ``volume_gib`` is the boot volume's size, None where the server boots from the image itself.

        :raises ImageMisfitError: it does not fit.
        :raises ResourceNotFoundError: there is no such flavor.
        :raises RetryableError: Nova does not answer, so that it would not boot anything either.
        """
        kept = self._kept.get(flavor_id)
        if kept is not None and _misfit(image, kept, volume_gib) is None:
            return
        try:
            flavor = self._flavors.flavor(flavor_id)
        except (ResourceNotFoundError, RetryableError):
            raise
        except AmphoraImageError as error:
            LOG.warning("Whether image %s fits flavor %s is left to Nova: %s", image.id, flavor_id, error)
            return
        self._keep(flavor_id, flavor)
        if reason := _misfit(image, flavor, volume_gib):
            raise ImageMisfitError(f"{image.id} ({image.name})", flavor_id, reason)

    def _keep(self, flavor_id: str, flavor: Flavor) -> None:
        kept = {**self._kept, flavor_id: flavor}
        self._kept = dict([*kept.items()][-_KEPT_FLAVORS:])


def _misfit(image: Candidate, flavor: Flavor, volume_gib: int | None) -> str | None:
    return objection(image, flavor if volume_gib is None else replace(flavor, disk=volume_gib))
