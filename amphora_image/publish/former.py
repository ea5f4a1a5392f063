# SPDX-License-Identifier: Apache-2.0
"""What earlier runs of the same publication left: a whole image to go on with, and half ones to remove."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.publish.body import digest
from amphora_image.publish.leftovers import PUBLISHER, Fate, fate
from amphora_image.publish.verify import BY_GLANCE, BY_NOBODY, BY_PLUGIN, SHA512, VERIFIED

if TYPE_CHECKING:
    from amphora_image.clients.glance_import import ImageImports
    from amphora_image.models import ImageRecord
    from amphora_image.publish.order import Order
    from amphora_image.publish.progress import Progress
    from amphora_image.publish.source import Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """``whole`` was made of the very bytes, whose hash is ``sha512``; ``removed`` were half made by a run that ended.

    ``verified_by`` says by what that is known. ``found`` are half made too, by a run that may still go on.
    """

    whole: ImageRecord | None = None
    sha512: str = ""
    verified_by: str = BY_GLANCE
    removed: tuple[str, ...] = ()
    found: tuple[str, ...] = ()


class Former:
    """Looks at the images of one name through ``imports``."""

    def __init__(self, imports: ImageImports, progress: Progress) -> None:
        self._imports = imports
        self._progress = progress

    def clear(self, order: Order, load: Load, owner: str) -> Found:
        """Remove what a crash left half made, and find the image that is whole, if there is one.

        Only images of ``owner`` with the order's name and our mark are removed, and only when whoever left it has surely
        ended. What holds a tag is never removed.

        :raises AmphoraImageError: Glance refuses, or the source cannot be read.
        """
        ours = [each for each in self._imports.named(order.name, owner) if PUBLISHER in each.properties or _made(each)]
        fates = {each.id: _fate(each) for each in ours}
        whole, sha512 = self._whole([each for each in ours if fates[each.id] is not Fate.RUNS], order, load)
        ended = [
            each.id
            for each in ours
            if PUBLISHER in each.properties and fates[each.id] is Fate.ENDED and each is not whole and not each.tags
        ]
        for image_id in ended:
            self._progress.begin(f"deleting image {image_id}, left half made")
            self._imports.delete(image_id)
        left = (each for each in ours if PUBLISHER in each.properties and each is not whole and each.id not in ended)
        by = BY_GLANCE if whole is None else _known_by(whole, sha512)
        found = tuple(each.id for each in left)
        return Found(whole=whole, sha512=sha512, verified_by=by, removed=tuple(ended), found=found)

    def _whole(self, images: list[ImageRecord], order: Order, load: Load) -> tuple[ImageRecord | None, str]:
        """Find the newest image with these bytes; they are hashed only where one may have them."""
        kept = [each for each in images if _may_be(each, load)]
        converted = [each for each in images if order.accept_conversion and _may_come_of(each, load)]
        images = [*kept, *converted]
        if not images:
            return None, ""
        sha512 = order.sha512 or ""
        if load.source is not None:
            self._progress.begin("comparing with an image of that name", load.source.size)
            sha512 = load.source.sha512 or digest(load.source)
        same = [each for each in kept if each.hash_value == sha512]
        same += [each for each in converted if _converted_of(each) == sha512]
        return min(same, key=lambda each: each.age_key, default=None), sha512


def _made(image: ImageRecord) -> bool:
    """Tell whether we made it: somebody else's may have been given for other reasons, and is not taken for ours."""
    return SHA512 in image.properties


def _fate(image: ImageRecord) -> Fate:
    return fate(image.properties[PUBLISHER]) if PUBLISHER in image.properties else Fate.ENDED


def _may_be(image: ImageRecord, load: Load) -> bool:
    """Tell whether an image may have the bytes to publish, by what costs nothing to know."""
    return (
        image.status == "active"
        and image.hash_algo == "sha512"
        and image.disk_format == load.disk_format
        and (load.source is None or image.size == load.source.size)
    )


def _may_come_of(image: ImageRecord, load: Load) -> bool:
    """Tell whether Glance may have made an image of another format or size of the bytes to publish."""
    resized = load.source is not None and image.size != load.source.size
    changed = image.disk_format != load.disk_format or resized
    return image.status == "active" and changed and bool(_converted_of(image))


def _converted_of(image: ImageRecord) -> str:
    """Give the hash of the bytes that an image was made of, empty where that is not known.

    The plug-in says it, or whoever completed the image: before that, its property is what was hoped for.
    """
    told = image.properties.get(SHA512, "") if PUBLISHER not in image.properties else ""
    return image.properties.get(VERIFIED) or told


def _known_by(whole: ImageRecord, sha512: str) -> str:
    if whole.hash_value == sha512:
        return BY_GLANCE
    return BY_PLUGIN if whole.properties.get(VERIFIED) == sha512 else BY_NOBODY
