# SPDX-License-Identifier: Apache-2.0
"""Cinder: boot volumes made from an image."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from amphora_image.clients.translate import retried, translated
from amphora_image.errors import AmphoraImageError, ResourceNotFoundError, VolumeFailedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from keystoneauth1.adapter import Adapter
    from oslo_config import cfg


class VolumeStore(Protocol):
    """What booting from a volume needs of Cinder."""

    def create(self, image_id: str, zone: str | None) -> str:
        """Make a volume from an image, wait until it is available, and give its id; leave nothing behind otherwise."""

    def delete(self, volume_id: str) -> None:
        """Delete a volume; one that is gone is success."""

    def image_of(self, volume_id: str) -> str | None:
        """Give the id of the image that a volume was made from, None where it cannot be told."""


class CinderVolumes:
    """Cinder's v3 API. Thread-safe.

    ``group`` holds the size in GiB, the type and the times in seconds. All methods raise :class:`AuthenticationError`,
    :class:`AccessDeniedError`, :class:`ServiceUnavailableError` or :class:`RequestRefusedError`.
    """

    def __init__(
        self,
        adapter: Adapter,
        group: cfg.ConfigOpts.GroupAttr,
        *,
        deadline_seconds: float = 60,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._adapter = adapter
        self._group = group
        self._deadline_seconds = deadline_seconds
        self._sleep = sleep

    def create(self, image_id: str, zone: str | None) -> str:
        """Make a volume from an image, wait until it is available, and give its id.

        :raises VolumeFailedError: Cinder could not, or not in time; the volume is deleted again.
        """
        wanted = {
            "size": self._group.volume_size,
            "volume_type": self._group.volume_type,
            "availability_zone": zone or self._group.availability_zone,
            "imageRef": image_id,
        }
        body = {"volume": {name: value for name, value in wanted.items() if value is not None}}
        with translated("Cinder", "create a volume"):
            volume_id = str(self._adapter.post("/volumes", json=body).json()["volume"]["id"])
        try:
            self._wait(volume_id, image_id)
        except BaseException:
            self.delete(volume_id)
            raise
        return volume_id

    def delete(self, volume_id: str) -> None:
        """Delete a volume; one that is gone is success."""

        def once() -> None:
            with translated("Cinder", "delete a volume"):
                self._adapter.delete(f"/volumes/{volume_id}")

        try:
            retried(once, deadline_seconds=self._deadline_seconds, sleep=self._sleep)
        except ResourceNotFoundError:
            return

    def image_of(self, volume_id: str) -> str | None:
        """Give the id of the image that a volume was made from, None where it cannot be told."""
        try:
            metadata = self._get(volume_id).get("volume_image_metadata") or {}
        except AmphoraImageError:
            return None
        return metadata.get("image_id")

    def _wait(self, volume_id: str, image_id: str) -> None:
        until = time.monotonic() + self._group.volume_create_timeout
        while (status := self._get(volume_id)["status"]) != "available":
            if status.startswith("error"):
                raise VolumeFailedError(image_id, f"volume {volume_id} is {status}")
            if time.monotonic() + self._group.volume_create_retry_interval > until:
                waited = self._group.volume_create_timeout
                raise VolumeFailedError(image_id, f"volume {volume_id} is still {status} after {waited} s")
            self._sleep(self._group.volume_create_retry_interval)

    def _get(self, volume_id: str) -> dict[str, Any]:
        def once() -> dict[str, Any]:
            with translated("Cinder", "read a volume"):
                volume: dict[str, Any] = self._adapter.get(f"/volumes/{volume_id}").json()["volume"]
                return volume

        return retried(once, deadline_seconds=self._deadline_seconds, sleep=self._sleep)
