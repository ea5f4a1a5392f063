# SPDX-License-Identifier: Apache-2.0
"""The contract of a compute driver: ten methods, named and shaped as Octavia 19 calls them.

A driver is made without arguments by stevedore, once for each task; constructing one does no input or output, and one
object may be used by many threads.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from amphora_image.models import Interface, Server, ServerGroup

UP = "UP"
DOWN = "DOWN"


class ComputeDriver(abc.ABC):
    """What a controller worker asks of compute. Errors are those of :mod:`amphora_image.errors`."""

    @abc.abstractmethod
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
        """Begin to build an amphora and give its compute id.

        ``config_drive_files`` maps paths to contents (text or a file). ``availability_zone`` is Octavia's profile: its
        keys ``compute_zone`` and ``volume_zone`` count.

        :raises AmphoraImageError: no server was left behind, but for :class:`AmbiguousBuildError`, which names it.
        """

    @abc.abstractmethod
    def delete(self, compute_id: str) -> None:
        """Delete an amphora; one that is gone is success."""

    @abc.abstractmethod
    def status(self, compute_id: str) -> str:
        """Answer ``UP`` for an amphora whose server is ACTIVE, else ``DOWN``."""

    @abc.abstractmethod
    def get_amphora(self, compute_id: str, management_network_id: str | None = None) -> tuple[Server, str | None]:
        """Give the amphora's server and Nova's fault message, or None.

        :raises ResourceNotFoundError: there is no such server; at once, since asking again cannot help.
        """

    @abc.abstractmethod
    def create_server_group(self, name: str, policy: str) -> ServerGroup:
        """Make a server group with one scheduling policy."""

    @abc.abstractmethod
    def delete_server_group(self, server_group_id: str) -> None:
        """Delete a server group; one that is gone is success."""

    @abc.abstractmethod
    def attach_network_or_port(
        self,
        compute_id: str,
        network_id: str | None = None,
        ip_address: str | None = None,
        port_id: str | None = None,
    ) -> Interface:
        """Plug a port, or a new port on a network, into an amphora; what is plugged already is success.

        :raises ResourceNotFoundError: the server, network or port does not exist; ``resource`` says which.
        :raises PortInUseError: the port is plugged into something else.
        :raises NoResourcesError: the host cannot take the port.
        """

    @abc.abstractmethod
    def detach_port(self, compute_id: str, port_id: str) -> None:
        """Unplug a port; failing to is logged and not raised, since the amphora goes away next."""

    @abc.abstractmethod
    def validate_flavor(self, flavor_id: str) -> None:
        """Return when the flavor exists.

        :raises ResourceNotFoundError: it does not.
        """

    @abc.abstractmethod
    def validate_availability_zone(self, availability_zone: str) -> None:
        """Return when the zone exists.

        :raises ResourceNotFoundError: it does not.
        """
