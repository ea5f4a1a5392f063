# SPDX-License-Identifier: Apache-2.0
"""A Glance in memory: it is the port that resolving needs, with faults to order."""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from amphora_image.models import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class FakeImages:
    """Keeps candidates; ``requests`` lists what was asked, ``faults`` are raised one by one by the next requests."""

    def __init__(self, *candidates: Candidate, page_images: int = 25) -> None:
        self.candidates = {one.id: one for one in candidates}
        self.requests: list[str] = []
        self.faults: list[Exception] = []
        self.answering = threading.Event()
        self.answering.set()
        self._page_images = page_images

    def add(self, name: str, *tags: str, minutes: float = 0, **fields: object) -> Candidate:
        """Add an active image of project ``ours``, made ``minutes`` after the epoch."""
        given = {"owner": "ours", "status": "active", "visibility": "private", **fields}
        made = Candidate(
            id=str(uuid.uuid4()), name=name, tags=tags, created_at=EPOCH + timedelta(minutes=minutes), **given
        )
        self.candidates[made.id] = made
        return made

    def change(self, image_id: str, **fields: object) -> None:
        self.candidates[image_id] = replace(self.candidates[image_id], **fields)

    def get(self, image_id: str) -> Candidate | None:
        self._ask(f"get {image_id}")
        return self.candidates.get(image_id)

    def bootable(self, tag: str, owner: str | None) -> Iterator[list[Candidate]]:
        found = [
            one
            for one in sorted(self.candidates.values(), key=lambda one: one.age_key)
            if tag in one.tags and one.status == "active" and not one.hidden and owner in {None, one.owner}
        ]
        for start in range(0, max(len(found), 1), self._page_images):
            self._ask(f"list {tag}")
            yield found[start : start + self._page_images]

    def everything(self, tag: str) -> list[Candidate]:
        self._ask(f"everything {tag}")
        return [one for one in self.candidates.values() if tag in one.tags]

    def _ask(self, request: str) -> None:
        self.requests.append(request)
        self.answering.wait(10)
        if self.faults:
            raise self.faults.pop(0)
