# SPDX-License-Identifier: Apache-2.0
"""A compute driver that boots nothing: for trying a worker without a cloud."""

from __future__ import annotations

import logging
import threading
import uuid
from typing import TYPE_CHECKING, Any

from amphora_image.drivers.base import DOWN, UP, ComputeDriver
from amphora_image.errors import ResourceNotFoundError
from amphora_image.models import Interface, Server, ServerGroup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oslo_config import cfg

LOG = logging.getLogger(__name__)

#: An address of TEST-NET-1 (RFC 5737), which nothing answers at.
_ADDRESS = "192.0.2.1"


class NoopComputeDriver(ComputeDriver):
    """Remembers what it was asked to build, for as long as the object lives, and talks to nobody. Thread-safe."""

    def __init__(self, conf: cfg.ConfigOpts | None = None) -> None:
        self._conf = conf
        self._lock = threading.Lock()
        self._servers: dict[str, Server] = {}

    def build(
        self,
        name: str = "amphora_name",
        amphora_flavor: str | None = None,
        image_tag: str | None = None,
        image_owner: str | None = None,
        key_name: str | None = None,
        sec_groups: Sequence[str] | None = None,
        network_ids: Sequence[str] | None = None,
        port_ids: Sequence[str] | None = None,
        config_drive_files: Mapping[str, Any] | None = None,
        user_data: Any = None,
        server_group_id: str | None = None,
        availability_zone: Mapping[str, str] | None = None,
    ) -> str:
        """Make up a server that is ACTIVE at once."""
        plugged = (key_name, sec_groups, network_ids, port_ids, server_group_id)
        LOG.debug("No-op build of %s by tag %s of %s: %s", name, image_tag, image_owner, plugged)
        LOG.debug("No-op build of %s: %d files, user data: %s", name, len(config_drive_files or ()), bool(user_data))
        zone = (availability_zone or {}).get("compute_zone")
        server = Server(
            id=str(uuid.uuid4()),
            name=name,
            status="ACTIVE",
            flavor_id=amphora_flavor,
            zone=zone,
            management_ip=_ADDRESS,
        )
        with self._lock:
            self._servers[server.id] = server
        return server.id

    def delete(self, compute_id: str) -> None:
        """Forget a server."""
        with self._lock:
            self._servers.pop(compute_id, None)

    def status(self, compute_id: str) -> str:
        """Answer ``UP`` for a server that was built and not deleted."""
        with self._lock:
            return UP if compute_id in self._servers else DOWN

    def get_amphora(self, compute_id: str, management_network_id: str | None = None) -> tuple[Server, str | None]:
        """Give back what was made up."""
        LOG.debug("No-op look at %s on network %s", compute_id, management_network_id)
        with self._lock:
            if compute_id not in self._servers:
                raise ResourceNotFoundError("server", compute_id)
            return self._servers[compute_id], None

    def create_server_group(self, name: str, policy: str) -> ServerGroup:
        """Make up a server group."""
        LOG.debug("No-op server group %s with policy %s", name, policy)
        return ServerGroup(id=str(uuid.uuid4()), name=name)

    def delete_server_group(self, server_group_id: str) -> None:
        """Do nothing."""
        LOG.debug("No-op delete of server group %s", server_group_id)

    def attach_network_or_port(
        self,
        compute_id: str,
        network_id: str | None = None,
        ip_address: str | None = None,
        port_id: str | None = None,
    ) -> Interface:
        """Make up an interface."""
        LOG.debug("No-op plug of port %s, network %s into %s", port_id, network_id, compute_id)
        return Interface(
            port_id=port_id or str(uuid.uuid4()),
            network_id=network_id or str(uuid.uuid4()),
            ip_addresses=(ip_address or _ADDRESS,),
        )

    def detach_port(self, compute_id: str, port_id: str) -> None:
        """Do nothing."""
        LOG.debug("No-op unplug of port %s from %s", port_id, compute_id)

    def validate_flavor(self, flavor_id: str) -> None:
        """Accept every flavor."""
        LOG.debug("No-op check of flavor %s", flavor_id)

    def validate_availability_zone(self, availability_zone: str) -> None:
        """Accept every zone."""
        LOG.debug("No-op check of zone %s", availability_zone)
