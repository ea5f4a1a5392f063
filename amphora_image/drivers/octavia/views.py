# SPDX-License-Identifier: Apache-2.0
"""Octavia's volume driver behind our port, and novaclient's server as Octavia's amphora."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from octavia.common import constants
from octavia.common import data_models as models

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOG = logging.getLogger(__name__)


class Volumes:
    """Octavia's volume driver behind our port; ``profile`` is the availability zone's, which the driver reads itself."""

    def __init__(self, driver: Any, profile: Mapping[str, str] | None) -> None:
        self._driver = driver
        self._profile = profile

    def create(self, image_id: str, zone: str | None) -> str:  # noqa: ARG002 - the profile has it
        """Make a volume from an image and give its id."""
        return str(self._driver.create_volume_from_image(image_id, self._profile))

    def delete(self, volume_id: str) -> None:
        """Delete a volume."""
        self._driver.delete_volume(volume_id)

    def image_of(self, volume_id: str) -> str | None:
        """Give the id of the image that a volume was made from."""
        image_id: str | None = self._driver.get_image_from_volume(volume_id)
        return image_id


def amphora_of(server: Any, image_id: str | None, networks: Sequence[str]) -> models.Amphora:
    """Turn novaclient's server into Octavia's amphora; its address is looked for only once it is ACTIVE.

    That is the one address that it has, else the first one on ``networks``, on any where none is named.
    """
    return models.Amphora(
        compute_id=server.id,
        status=server.status,
        lb_network_ip=_address_of(server, networks) if server.status == constants.ACTIVE else None,
        cached_zone=getattr(server, "OS-EXT-AZ:availability_zone", None),
        image_id=image_id,
        compute_flavor=server.flavor.get("id"),
    )


def _address_of(server: Any, networks: Sequence[str]) -> str | None:
    """Give the management address; a server with one address has it on the network that it was booted on.

    Nova tells the addresses with the server, but by a network's name and not its id, so that of several only its list
    of interfaces can tell the right one.
    """
    told = [one for each in getattr(server, "addresses", {}).values() for one in each]
    if len(told) == 1 and told[0].get("OS-EXT-IPS:type") == "fixed":
        return str(told[0]["addr"])
    return _address_on(networks, server)


def _address_on(networks: Sequence[str], server: Any) -> str | None:
    """Give a server's first address on one of ``networks``, on any where none is named; None when it has none yet."""
    try:
        for interface in server.interface_list():
            if interface.fixed_ips and (not networks or interface.net_id in networks):
                return str(interface.fixed_ips[0]["ip_address"])
    except Exception as error:  # noqa: BLE001 - Octavia asks again until there is an address
        LOG.warning("The interfaces of server %s cannot be listed: %s", server.id, error)
    return None
