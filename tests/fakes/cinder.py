# SPDX-License-Identifier: Apache-2.0
"""A Cinder in memory: the port that booting from a volume needs, with faults to order."""

from __future__ import annotations

import uuid


class FakeVolumes:
    """Keeps volumes by id with the image they were made from; ``faults`` are raised by the next create or delete."""

    def __init__(self) -> None:
        self.volumes: dict[str, str] = {}
        self.zones: list[str | None] = []
        self.create_faults: list[Exception] = []
        self.delete_faults: list[Exception] = []

    def create(self, image_id: str, zone: str | None) -> str:
        self.zones.append(zone)
        if self.create_faults:
            raise self.create_faults.pop(0)
        volume_id = str(uuid.uuid4())
        self.volumes[volume_id] = image_id
        return volume_id

    def delete(self, volume_id: str) -> None:
        if self.delete_faults:
            raise self.delete_faults.pop(0)
        self.volumes.pop(volume_id, None)

    def image_of(self, volume_id: str) -> str | None:
        return self.volumes.get(volume_id)
