# SPDX-License-Identifier: Apache-2.0
"""A Glance in memory, as moving tags needs it, that loses updates as the real one does.

Each change reads the whole record and saves the whole record, and between the two ``between`` is called, so that
another change of the same moment can be put there.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from amphora_image.errors import QuotaExceededError, RequestRefusedError, ResourceNotFoundError
from amphora_image.models import ImageRecord

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_ATTRIBUTES = {"os_hidden": "hidden", "protected": "protected", "tags": "tags"}


class FakeTags:
    """Keeps records; ``requests`` lists what was asked, ``faults`` are raised one by one, None lets a request pass.

    ``between`` is called with ``ask`` before a request, and with ``save`` and ``saved`` before and after it saves a
    record. ``max_tags`` and ``max_properties`` are the
    quotas of one image.
    """

    def __init__(self, between: Callable[[str], None] = lambda _: None) -> None:
        self.records: dict[str, ImageRecord] = {}
        self.requests: list[str] = []
        self.faults: list[Exception | None] = []
        self.between = between
        self.max_tags = self.max_properties = 128

    def add(self, name: str, *tags: str, minutes: float = 0, **fields: object) -> ImageRecord:
        """Add an active image of project ``ours``, made ``minutes`` after the epoch."""
        given = {"owner": "ours", "status": "active", "visibility": "private", **fields}
        made = ImageRecord(
            id=str(uuid.UUID(int=len(self.records) + 1)),
            name=name,
            tags=tags,
            created_at=EPOCH + timedelta(minutes=minutes),
            **given,
        )
        self.records[made.id] = made
        return made

    def set(self, image_id: str, **fields: object) -> None:
        """Change a record behind everyone's back."""
        self.records[image_id] = replace(self.records[image_id], **fields)

    def with_tag(self, tag: str) -> list[ImageRecord]:
        """Give what has a tag, without a request."""
        return [one for one in self.records.values() if tag in one.tags]

    def get(self, image_id: str) -> ImageRecord | None:
        self._ask(f"get {image_id}")
        return self.records.get(image_id)

    def holders(self, tag: str, owner: str | None) -> list[ImageRecord]:
        self._ask(f"holders {tag}")
        return [one for one in self.records.values() if tag in one.tags and owner in {None, one.owner}]

    def with_property(self, name: str, value: str, owner: str | None) -> list[ImageRecord]:
        self._ask(f"with {name}")
        return [
            one for one in self.records.values() if one.properties.get(name) == value and owner in {None, one.owner}
        ]

    def tag(self, image_id: str, tag: str) -> None:
        self._ask(f"tag {image_id} {tag}")
        read = self._read(image_id)
        self._save(replace(read, tags=tuple(sorted({*read.tags, tag}))))

    def untag(self, image_id: str, tag: str) -> None:
        self._ask(f"untag {image_id} {tag}")
        read = self.records.get(image_id)
        if read is not None and tag in read.tags:
            self._save(replace(read, tags=tuple(one for one in read.tags if one != tag)))

    def change(self, image_id: str, values: dict) -> None:
        self._ask(f"change {image_id} {' '.join(sorted(values))}")
        read = self._read(image_id)
        properties, attributes = dict(read.properties), {}
        for name, value in values.items():
            if name in _ATTRIBUTES:
                attributes[_ATTRIBUTES[name]] = tuple(value) if name == "tags" else value
            elif value is not None:
                properties[name] = value
            elif properties.pop(name, None) is None:
                raise RequestRefusedError(
                    "Glance", f"change image {image_id}", f"HTTP 409 Property {name} does not exist."
                )
        self._save(replace(read, properties=properties, **attributes))

    def _ask(self, request: str) -> None:
        self.between("ask")
        self.requests.append(request)
        if self.faults and (fault := self.faults.pop(0)) is not None:
            raise fault

    def _read(self, image_id: str) -> ImageRecord:
        if image_id not in self.records:
            raise ResourceNotFoundError("image", image_id)
        return self.records[image_id]

    def _save(self, record: ImageRecord) -> None:
        if len(record.tags) > self.max_tags or len(record.properties) > self.max_properties:
            raise QuotaExceededError("Glance", "the limit has been exceeded")
        self.between("save")
        self.records[record.id] = record
        self.between("saved")
