# SPDX-License-Identifier: Apache-2.0
"""``glance://``: an image in Glance, by its id; a tag is resolved before."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from amphora_image.clients.glance import GlanceImages
from amphora_image.clients.image_data import ImageData
from amphora_image.clients.session import adapter
from amphora_image.config.options import AMPHORA_IMAGE, GLANCE
from amphora_image.errors import (
    DigestMismatchError,
    PinAlgorithmError,
    SourceNotFoundError,
    SourceRefusedError,
)
from amphora_image.reference import IdReference, Pin
from amphora_image.reference.pin import HEX_DIGITS
from amphora_image.services.base import ImageInfo
from amphora_image.services.digest import Expected, verified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amphora_image.clients.glance import ImageStore
    from amphora_image.models import Candidate
    from amphora_image.reference import Reference
    from amphora_image.services.registry import Surroundings


class GlanceService:
    """Reads images from Glance, and compares them with the digest that Glance keeps. Thread-safe.

    All methods raise :class:`SourceNotFoundError`, :class:`SourceRefusedError` (it is not active, or has no digest) or
    what the clients raise.
    """

    def __init__(self, images: ImageStore, data: ImageData) -> None:
        self._images = images
        self._data = data

    def stat(self, reference: Reference) -> ImageInfo:
        """Ask Glance for the image's record."""
        record = self._record(_own(reference))
        properties = {"name": record.name, "min_disk": str(record.min_disk), "min_ram": str(record.min_ram)}
        if record.architecture:
            properties["hw_architecture"] = record.architecture
        return ImageInfo(
            size=record.size,
            disk_format=record.disk_format,
            digests={record.hash_algo: record.hash_value.lower()} if record.hash_algo and record.hash_value else {},
            modified_at=record.created_at,
            etag=record.hash_value,
            properties=properties,
        )

    @contextmanager
    def read(self, reference: Reference) -> Iterator[Iterator[bytes]]:
        """Open the image for one reading; in its last step the bytes are compared with Glance's digest.

        :raises PinAlgorithmError: the pin is another digest than the one that Glance keeps.
        :raises DigestMismatchError: the pin is not Glance's, or the bytes are not what Glance says.
        """
        own = _own(reference)
        record = self._record(own)
        expected = Expected(own, size=record.size, stated=_stated(own, record))
        with self._data.opened(own.image_id) as blocks, verified(blocks, expected) as stream:
            yield stream

    def _record(self, reference: IdReference) -> Candidate:
        record = self._images.get(reference.image_id)
        if record is None:
            raise SourceNotFoundError(reference.shown, "Glance has none with that id, or none that this user may see")
        if record.status != "active":
            raise SourceRefusedError(
                reference.shown, f"its status is {record.status}, not active", "name an image that is active"
            )
        return record


def make(surroundings: Surroundings) -> GlanceService:
    """Make the service of ``glance``, for the entry points.

    :raises ConfigurationError: there are no credentials.
    """
    conf = surroundings.conf
    seconds = float(conf[AMPHORA_IMAGE].retry_deadline_seconds)
    bound = adapter(surroundings.session(), conf[GLANCE], "image")
    images = GlanceImages(bound, deadline_seconds=seconds)
    return GlanceService(images, ImageData(bound, deadline_seconds=seconds))


def _own(reference: Reference) -> IdReference:
    if not isinstance(reference, IdReference):
        raise TypeError(f"{reference.shown} is no image's id in Glance")
    return reference


def _stated(reference: IdReference, record: Candidate) -> Pin:
    """Give the digest that Glance keeps; with a pin it has to be that one."""
    kept = record.hash_algo if record.hash_value and record.hash_algo in HEX_DIGITS else None
    if isinstance(reference.pin, Pin) and reference.pin.algorithm != kept:
        raise PinAlgorithmError(reference.shown, reference.pin.algorithm, kept or "")
    if kept is None or not record.hash_value:
        remedy = "publish it again, so that it can be verified"
        raise SourceRefusedError(reference.shown, "Glance keeps no sha256 or sha512 of it", remedy)
    stated = Pin(kept, record.hash_value)
    if reference.pin not in {None, stated}:
        raise DigestMismatchError(reference.shown, str(reference.pin), str(stated))
    return stated
