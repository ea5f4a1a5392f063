# SPDX-License-Identifier: Apache-2.0
"""The attributes of Octavia's own Nova driver: what wraps or tests that one finds them on ours too."""

from __future__ import annotations

from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from oslo_config import cfg
from stevedore.driver import DriverManager

from amphora_image.clients.nova import NovaServers
from amphora_image.drivers.runtime import shared

if TYPE_CHECKING:
    from amphora_image.drivers.runtime import Runtime

CONF = cfg.CONF


class StockAttributes:
    """Novaclient's managers and Octavia's other drivers, each made when it is first used; any may be replaced."""

    @cached_property
    def _nova_client(self) -> Any:
        return self._runtime.nova

    @cached_property
    def manager(self) -> Any:
        """Give novaclient's servers."""
        return self._nova_client.servers

    @cached_property
    def server_groups(self) -> Any:
        """Give novaclient's server groups."""
        return self._nova_client.server_groups

    @cached_property
    def flavor_manager(self) -> Any:
        """Give novaclient's flavors."""
        return self._nova_client.flavors

    @cached_property
    def availability_zone_manager(self) -> Any:
        """Give novaclient's availability zones."""
        return self._nova_client.availability_zones

    @cached_property
    def volume_driver(self) -> Any:
        """Load the volume driver that octavia.conf names."""
        return load("octavia.volume.drivers", CONF.controller_worker.volume_driver)

    @property
    def _runtime(self) -> Runtime:
        return shared(CONF)

    @property
    def _servers(self) -> NovaServers:
        """Bind our client to the managers above, whoever put them there."""
        client = SimpleNamespace(
            client=self._nova_client.client,
            servers=self.manager,
            server_groups=self.server_groups,
            flavors=self.flavor_manager,
            availability_zones=self.availability_zone_manager,
        )
        return NovaServers(client, deadline_seconds=CONF.amphora_image.retry_deadline_seconds)


def load(namespace: str, name: str) -> Any:
    """Load one of Octavia's drivers by its name."""
    return DriverManager(namespace=namespace, name=name, invoke_on_load=True).driver
