# SPDX-License-Identifier: Apache-2.0
"""Nova's flavors, key pairs and zones and Neutron's networks in memory, with a fault to order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amphora_image.errors import ResourceNotFoundError

if TYPE_CHECKING:
    from amphora_image.models import Flavor


class FakeResources:
    """Has what it is given; while ``fault`` is set, every request raises it. ``requests`` counts them."""

    def __init__(self, *names: str, flavor: Flavor | None = None) -> None:
        self.names = set(names)
        self.flavors = {flavor.id: flavor} if flavor else {}
        self.fault: Exception | None = None
        self.requests = 0

    def flavor(self, flavor_id: str) -> Flavor:
        self._find("flavor", flavor_id, self.flavors)
        return self.flavors[flavor_id]

    def check_key_pair(self, name: str) -> None:
        self._find("key pair", name, self.names)

    def check_zone(self, zone: str) -> None:
        self._find("availability zone", zone, self.names)

    def network(self, network_id: str) -> str:
        self._find("network", network_id, self.names)
        return f"name of {network_id}"

    def security_group(self, name_or_id: str) -> str:
        self._find("security group", name_or_id, self.names)
        return f"name of {name_or_id}"

    def _find(self, kind: str, name: str, among: object) -> None:
        self.requests += 1
        if self.fault:
            raise self.fault
        if name not in among:
            raise ResourceNotFoundError(kind, name, "the option")
