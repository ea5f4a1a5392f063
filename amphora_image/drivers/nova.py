# SPDX-License-Identifier: Apache-2.0
"""The compute driver over Nova, for any controller worker but Octavia's own contract."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from amphora_image.boot import BootRequest
from amphora_image.config import register_opts
from amphora_image.drivers.base import DOWN, UP, ComputeDriver
from amphora_image.drivers.runtime import shared
from amphora_image.errors import AmphoraImageError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amphora_image.drivers.runtime import Runtime
    from amphora_image.models import Interface, Server, ServerGroup

LOG = logging.getLogger(__name__)


class NovaComputeDriver(ComputeDriver):
    """Boots amphorae by Nova, from the image that policy chooses at the moment of each build.

    ``conf`` is the worker's configuration, oslo.config's global one by default.
    """

    def __init__(self, conf: cfg.ConfigOpts | None = None) -> None:
        self._conf = cfg.CONF if conf is None else conf
        register_opts(self._conf)

    @property
    def _runtime(self) -> Runtime:
        return shared(self._conf)

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
        """See :meth:`ComputeDriver.build`; what is left out is taken from ``[controller_worker]`` and ``[nova]``."""
        _check_contents(config_drive_files, user_data)
        runtime, zones = self._runtime, availability_zone or {}
        request = runtime.with_defaults(
            BootRequest(
                name=name,
                flavor_id=amphora_flavor,
                key_name=key_name,
                security_groups=tuple(sec_groups or ()),
                network_ids=tuple(network_ids or ()),
                port_ids=tuple(port_ids or ()),
                files=config_drive_files,
                user_data=user_data,
                server_group_id=server_group_id,
                zone=zones.get("compute_zone"),
                volume_zone=zones.get("volume_zone"),
            )
        )
        wanted = runtime.policy.wanted(image_tag=image_tag, zone=request.zone)
        _, server = runtime.build(wanted, request, owner=image_owner)
        return server.id

    def delete(self, compute_id: str) -> None:
        """See :meth:`ComputeDriver.delete`."""
        self._runtime.resolver.deleted(compute_id)
        if not self._runtime.servers.delete(compute_id):
            LOG.warning("Server %s is not there, so it counts as deleted", compute_id)

    def status(self, compute_id: str) -> str:
        """See :meth:`ComputeDriver.status`."""
        server, _ = self.get_amphora(compute_id)
        return UP if server.status == "ACTIVE" else DOWN

    def get_amphora(self, compute_id: str, management_network_id: str | None = None) -> tuple[Server, str | None]:
        """See :meth:`ComputeDriver.get_amphora`."""
        server = self._runtime.server(compute_id, management_network_id)
        return server, server.fault

    def create_server_group(self, name: str, policy: str) -> ServerGroup:
        """See :meth:`ComputeDriver.create_server_group`."""
        return self._runtime.servers.create_group(name, policy)

    def delete_server_group(self, server_group_id: str) -> None:
        """See :meth:`ComputeDriver.delete_server_group`."""
        if not self._runtime.servers.delete_group(server_group_id):
            LOG.warning("Server group %s is not there, so it counts as deleted", server_group_id)

    def attach_network_or_port(
        self,
        compute_id: str,
        network_id: str | None = None,
        ip_address: str | None = None,
        port_id: str | None = None,
    ) -> Interface:
        """See :meth:`ComputeDriver.attach_network_or_port`."""
        return self._runtime.servers.attach(compute_id, network_id=network_id, ip_address=ip_address, port_id=port_id)

    def detach_port(self, compute_id: str, port_id: str) -> None:
        """See :meth:`ComputeDriver.detach_port`."""
        try:
            self._runtime.servers.detach(compute_id, port_id)
        except AmphoraImageError as error:
            LOG.warning("Port %s stays plugged into server %s: %s", port_id, compute_id, error)

    def validate_flavor(self, flavor_id: str) -> None:
        """See :meth:`ComputeDriver.validate_flavor`."""
        self._runtime.servers.check_flavor(flavor_id)

    def validate_availability_zone(self, availability_zone: str) -> None:
        """See :meth:`ComputeDriver.validate_availability_zone`."""
        self._runtime.servers.check_zone(availability_zone)


def _check_contents(files: Any, user_data: Any) -> None:
    """Refuse what novaclient would stumble over half-way, before anything is looked up or sent.

    :raises ConfigurationError: something is neither text, nor bytes, nor a file.
    """
    if files and not isinstance(files, Mapping):
        raise ConfigurationError("config_drive_files is no mapping of paths to contents", "pass a dict")
    for name, content in {**(files or {}), "user_data": user_data or ""}.items():
        if not isinstance(content, str | bytes) and not hasattr(content, "read"):
            problem = f"the content of {name} is {type(content).__name__}, neither text nor a file"
            raise ConfigurationError(problem, "pass a str, bytes or a file object")
