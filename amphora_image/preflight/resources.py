# SPDX-License-Identifier: Apache-2.0
"""The checks of what a server is given besides its image: flavor, networks, security groups, key pair, zone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from amphora_image.config.options import CONTROLLER_WORKER, NOVA
from amphora_image.errors import ConfigurationError
from amphora_image.preflight.finding import ok, warning

if TYPE_CHECKING:
    from oslo_config import cfg

    from amphora_image.clients.neutron import NetworkStore
    from amphora_image.models import Flavor
    from amphora_image.preflight.finding import Finding


class ComputeStore(Protocol):
    """What the checks need of Nova."""

    def flavor(self, flavor_id: str) -> Flavor:
        """Give a flavor.

        :raises ResourceNotFoundError: Nova has no such flavor.
        """

    def check_key_pair(self, name: str) -> None:
        """Return when this user has the key pair.

        :raises ResourceNotFoundError: there is none, or it is another user's.
        """

    def check_zone(self, zone: str) -> None:
        """Return when Nova has the availability zone.

        :raises ResourceNotFoundError: it has not.
        """


def flavor_of(conf: cfg.ConfigOpts, servers: ComputeStore, flavor_id: str | None) -> Flavor:
    """Ask for the flavor, ``flavor_id`` or the configured one.

    :raises ConfigurationError: neither is set.
    :raises ResourceNotFoundError: Nova has no such flavor.
    """
    wanted = flavor_id or conf[CONTROLLER_WORKER].amp_flavor_id
    if not wanted:
        raise ConfigurationError("no flavor is set for amphorae", "set [controller_worker] amp_flavor_id")
    return servers.flavor(wanted)


def flavor(found: Flavor) -> Finding:
    """Tell the flavor."""
    return ok("flavor", f"flavor {found.id} ({found.name}) has {found.ram} MiB of memory and {found.disk} GiB of disk")


def no_networks() -> Finding:
    """Say that no network is configured."""
    detail = "[controller_worker] amp_boot_network_list is empty: Nova then plugs what the project has"
    return warning("network", detail, "set amp_boot_network_list to the management network's id")


def network(networks: NetworkStore, network_id: str) -> Finding:
    """Look for a network.

    :raises ResourceNotFoundError: there is none that we may see.
    """
    return ok("network", f"network {network_id} ({networks.network(network_id)}) exists")


def security_group(networks: NetworkStore, name_or_id: str) -> Finding:
    """Look for a security group.

    :raises ResourceNotFoundError: there is none that we may see.
    """
    name = networks.security_group(name_or_id)
    return ok("security group", f"security group {name_or_id} ({name}) exists")


def key_pair(conf: cfg.ConfigOpts, servers: ComputeStore) -> Finding:
    """Look for the key pair.

    :raises ResourceNotFoundError: there is none, or it is another user's.
    """
    name = conf[CONTROLLER_WORKER].amp_ssh_key_name
    if not name:
        return ok("key pair", "none is configured")
    servers.check_key_pair(name)
    return ok("key pair", f"key pair {name} exists")


def zone(conf: cfg.ConfigOpts, servers: ComputeStore, named: str | None) -> Finding:
    """Look for the availability zone.

    :raises ResourceNotFoundError: Nova has not got it.
    """
    wanted = named or conf[NOVA].availability_zone
    if not wanted:
        return ok("zone", "none is configured")
    servers.check_zone(wanted)
    return ok("zone", f"availability zone {wanted} exists")
