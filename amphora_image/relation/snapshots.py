# SPDX-License-Identifier: Apache-2.0
"""Snapshots and backups of servers: made by Nova, related in Glance, and rotated by what is related."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Protocol

from amphora_image.errors import ConfigurationError, SnapshotFailedError
from amphora_image.relation.keys import NOVA_KIND
from amphora_image.relation.values import Kind, Relation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from amphora_image.clients.glance_import import ImageImports
    from amphora_image.models import ImageRecord
    from amphora_image.relation.client import InstanceAwareImageService

LOG = logging.getLogger(__name__)

_ACTIVE = "active"
_BEING_MADE = frozenset({"queued", "saving", "importing", "uploading"})
_POLL_SECONDS = 1.0


class ImageMaker(Protocol):
    """What is needed of Nova."""

    def create_image(self, server_id: str, name: str, properties: Mapping[str, str]) -> str: ...  # noqa: D102 - NovaServers has the contract


class Snapshots:
    """Makes images of the servers of ``related``'s installation, and deletes backups that are too many.

    ``images`` are Glance's, as the same user sees them.

    :raises ConfigurationError: ``related`` is of no installation.
    """

    def __init__(
        self,
        servers: ImageMaker,
        related: InstanceAwareImageService,
        images: ImageImports,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not related.installation:
            raise ConfigurationError(
                "no installation is named, so nobody could tell whose server it is",
                "set [relation] nova_installation_uuid; `amphora-image installation-uuid generate` makes one",
            )
        self._servers = servers
        self._related = related
        self._images = images
        self._sleep = sleep

    def take(self, server_id: str, name: str, kind: Kind) -> str:
        """Ask Nova for an image of a server, relate it, and give its id; it is being made when this returns.

        Works for servers that boot from a volume too. An image that cannot be related is deleted again.

        :raises ResourceNotFoundError: there is no such server.
        :raises AccessDeniedError: we may not record relations, and this Glance does not record this Nova's by itself.
        """
        image_id = self._servers.create_image(server_id, name, {NOVA_KIND: kind.value})
        relation = Relation(
            installation=self._related.installation, instance_id=server_id, image_id=image_id, kind=kind
        )
        try:
            if all(each.relation != relation for each in self._related.relations(image_id)):
                self._related.record(relation)
        except BaseException:
            self._images.delete(image_id)
            raise
        return image_id

    def wait(self, server_id: str, image_id: str, *, deadline_seconds: float) -> None:
        """Return when the image is active.

        :raises SnapshotFailedError: it is gone, was not active within ``deadline_seconds``, or will not be.
        """
        end = time.monotonic() + deadline_seconds
        while True:
            image = self._images.record(image_id)
            status = image.status if image else "deleted"
            if status == _ACTIVE:
                return
            if status not in _BEING_MADE:
                raise SnapshotFailedError(server_id, image_id, f"it is {status}")
            if time.monotonic() >= end:
                raise SnapshotFailedError(server_id, image_id, f"it was still {status} after {deadline_seconds:g} s")
            self._sleep(_POLL_SECONDS)

    def rotate(self, server_id: str, keep: int) -> list[str]:
        """Delete a server's backups but for the ``keep`` newest, and give the ids of those that were deleted.

        Only what is usable counts. An image that is related to anything but this server's backup is left alone,
        as is one that is protected.
        """
        usable = [one for one in self._related.images(server_id, Kind.BACKUP) if one.status == _ACTIVE]
        surplus = (one.id for one in usable[keep:] if self._is_only_of(server_id, one))
        return [image_id for image_id in surplus if self._images.delete(image_id)]

    def _is_only_of(self, server_id: str, image: ImageRecord) -> bool:
        """Tell whether an image is this server's backup and nothing else, and may be deleted."""
        if image.protected:
            LOG.warning("Backup %s of server %s is protected, and kept", image.id, server_id)
            return False
        ours = (self._related.installation, server_id, Kind.BACKUP)
        others = [
            each
            for each in self._related.everywhere().relations(image.id)
            if (each.relation.installation, each.relation.instance_id, each.relation.kind) != ours
        ]
        if others:
            LOG.warning("Backup %s of server %s is related to others too, and kept", image.id, server_id)
        return not others
