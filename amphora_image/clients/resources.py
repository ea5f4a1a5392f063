# SPDX-License-Identifier: Apache-2.0
"""What Nova has besides servers: flavors, zones, key pairs and server groups; and how it is asked for anything."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, TypeVar

from novaclient import exceptions as nova

from amphora_image.clients.refusals import asked_nova
from amphora_image.clients.translate import retried
from amphora_image.errors import AccessDeniedError, ResourceNotFoundError
from amphora_image.models import Flavor, ServerGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

#: Where a flavor's extra specs tell the architecture: a trait, or a capability whose value may have an operator before.
_TRAIT = re.compile(r"trait:(?:HW|COMPUTE)_ARCH_(?P<name>\w+)")
_CAPABILITY = "capabilities:cpu_info:arch"


class NovaResources:
    """What a server is made of and kept by. Thread-safe.

    ``client`` is novaclient's. Reads are tried again within ``deadline_seconds``; what changes something is sent once.
    All methods raise :class:`AuthenticationError`, :class:`AccessDeniedError`, :class:`ServiceUnavailableError` or
    :class:`RequestRefusedError`, besides what each one names.
    """

    def __init__(self, client: Any, *, deadline_seconds: float = 60) -> None:
        self._client = client
        self._deadline_seconds = deadline_seconds

    def create_group(self, name: str, policy: str) -> ServerGroup:
        """Make a server group with one scheduling policy (``anti-affinity`` and the like)."""
        with asked_nova("create a server group"):
            raw = self._client.server_groups.create(name=name, policies=[policy])
            return ServerGroup(id=raw.id, name=raw.name)

    def delete_group(self, group_id: str) -> bool:
        """Delete a server group; False when there was none."""
        return self._remove("delete a server group", lambda: self._client.server_groups.delete(group_id))

    def check_flavor(self, flavor_id: str) -> None:
        """Return when Nova has the flavor.

        :raises ResourceNotFoundError: it has not.
        """
        self._read("read a flavor", lambda: self._client.flavors.get(flavor_id), ("flavor", flavor_id))

    def flavor(self, flavor_id: str) -> Flavor:
        """Give a flavor, with the architecture that its extra specs ask for if this user may read those.

        :raises ResourceNotFoundError: Nova has no such flavor.
        """
        wanted = ("flavor", flavor_id, "[controller_worker] amp_flavor_id")
        raw = self._read("read a flavor", lambda: self._client.flavors.get(flavor_id), wanted)
        specs: dict[str, str] = {}
        with contextlib.suppress(AccessDeniedError):
            specs = self._read("read a flavor's extra specs", raw.get_keys, wanted)
        return Flavor(id=raw.id, name=raw.name, ram=raw.ram, disk=raw.disk, architecture=_architecture(specs))

    def check_key_pair(self, name: str) -> None:
        """Return when this user has the key pair.

        :raises ResourceNotFoundError: there is none, or it is another user's.
        """
        wanted = ("key pair", name, "[controller_worker] amp_ssh_key_name")
        self._read("read a key pair", lambda: self._client.keypairs.get(name), wanted)

    def check_zone(self, zone: str) -> None:
        """Return when Nova has the availability zone.

        :raises ResourceNotFoundError: it has not.
        """
        zones = self._read("list zones", lambda: self._client.availability_zones.list(detailed=False), ("zones", ""))
        if zone not in {one.zoneName for one in zones}:
            raise ResourceNotFoundError("availability zone", zone)

    def _read(self, action: str, call: Callable[[], T], wanted: tuple[str, ...]) -> T:
        """Run a GET, again while it fails for passing reasons; a 404 names what was ``wanted``."""

        def once() -> T:
            with asked_nova(action):
                try:
                    return call()
                except nova.NotFound as error:
                    raise ResourceNotFoundError(*wanted) from error

        return retried(once, deadline_seconds=self._deadline_seconds)

    def _remove(self, action: str, call: Callable[[], Any]) -> bool:
        """Run a DELETE; it is idempotent, so a lost answer is asked for again. False: there was nothing."""

        def once() -> bool:
            with asked_nova(action):
                try:
                    call()
                except nova.NotFound:
                    return False
                return True

        return retried(once, deadline_seconds=self._deadline_seconds)


def _architecture(specs: Mapping[str, str]) -> str | None:
    """Read from a flavor's extra specs which architecture its hosts must have; None where it asks for none."""
    for name, value in specs.items():
        if (trait := _TRAIT.fullmatch(name)) and value == "required":
            return trait["name"].lower()
    return (specs.get(_CAPABILITY) or "").rpartition(" ")[2] or None
