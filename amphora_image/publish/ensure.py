# SPDX-License-Identifier: Apache-2.0
"""Changes that are seen through: each is read back, and sent again when another change at the same moment undid it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from amphora_image.clients.translate import retried
from amphora_image.errors import RequestRefusedError, ResourceNotFoundError, ServiceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from amphora_image.clients.glance_tags import TagStore, Value
    from amphora_image.models import ImageRecord


class Change(Protocol):
    """What shall hold of one image, and how to bring it about."""

    def holds(self, record: ImageRecord) -> bool:
        """Tell whether nothing is left to do."""

    def send(self, store: TagStore, record: ImageRecord) -> None:
        """Ask for it; asking twice does what asking once does."""


@dataclass(frozen=True)
class Tagged:
    """The image has the tag."""

    tag: str

    def holds(self, record: ImageRecord) -> bool:
        """Tell whether nothing is left to do."""
        return self.tag in record.tags

    def send(self, store: TagStore, record: ImageRecord) -> None:
        """Ask for it; asking twice does what asking once does."""
        store.tag(record.id, self.tag)


@dataclass(frozen=True)
class Untagged:
    """The image has not the tag; ``allowed`` raises where that is not to be asked for."""

    tag: str
    allowed: Callable[[ImageRecord], None]

    def holds(self, record: ImageRecord) -> bool:
        """Tell whether nothing is left to do."""
        return self.tag not in record.tags

    def send(self, store: TagStore, record: ImageRecord) -> None:
        """Ask for it; asking twice does what asking once does."""
        self.allowed(record)
        store.untag(record.id, self.tag)


@dataclass(frozen=True)
class Holding:
    """The image has the values that ``values`` gives for it, and ``done`` holds."""

    values: Callable[[ImageRecord], Mapping[str, Value]]
    done: Callable[[ImageRecord], bool]

    def holds(self, record: ImageRecord) -> bool:
        """Tell whether nothing is left to do."""
        return self.done(record)

    def send(self, store: TagStore, record: ImageRecord) -> None:
        """Ask for it; asking twice does what asking once does."""
        try:
            store.change(record.id, self.values(record))
        except RequestRefusedError as error:
            if "HTTP 409" not in error.detail:  # what was to be removed is gone already, as reading back will show
                raise


class Ensurer:
    """Sees changes of one operation through, within ``deadline_seconds`` each; ``changes`` counts what was sent."""

    def __init__(
        self, store: TagStore, *, deadline_seconds: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._store = store
        self._deadline_seconds = deadline_seconds
        self._sleep = sleep
        self.changes = 0

    def ensure(self, image_id: str, change: Change) -> ImageRecord:
        """Bring ``change`` about on an image unless it holds, and give the record in which it was seen to hold.

        :raises ResourceNotFoundError: the image is gone.
        :raises AmphoraImageError: Glance refuses, or it did not hold within the deadline.
        """

        def once() -> ImageRecord:
            record = self._read(image_id)
            if change.holds(record):
                return record
            self.changes += 1
            change.send(self._store, record)
            record = self._read(image_id)
            if change.holds(record):
                return record
            raise ServiceUnavailableError("Glance", f"a change of image {image_id} was undone by another one")

        return retried(once, deadline_seconds=self._deadline_seconds, sleep=self._sleep)

    def _read(self, image_id: str) -> ImageRecord:
        record = self._store.get(image_id)
        if record is None:
            raise ResourceNotFoundError("image", image_id)
        return record
