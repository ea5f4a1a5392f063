# SPDX-License-Identifier: Apache-2.0
"""A Nova in memory, as far as booting needs one, with faults to order."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from amphora_image.errors import ResourceNotFoundError
from amphora_image.models import FoundServer, Server

if TYPE_CHECKING:
    from collections.abc import Collection

    from amphora_image.models import Flavor


class FakeServers:
    """Keeps servers; ``created`` has the arguments of each create, ``faults`` are raised by the next ones,
    ``find_faults`` by the next looks for a name.

    With ``accepts_before_fault`` a create that fails has made its server all the same.

    A server becomes ACTIVE after it was looked at ``looks`` times, or ``ends_as`` something else.
    """

    def __init__(self, *, looks: int = 1, ends_as: str = "ACTIVE") -> None:
        self.created: list[dict[str, Any]] = []
        self.faults: list[Exception] = []
        self.find_faults: list[Exception] = []
        self.accepts_before_fault = False
        self.age_seconds = 0.0
        self.found: list[str] = []
        self.servers: dict[str, Server] = {}
        self._looks = looks
        self._ends_as = ends_as

    def create(self, name: str, **arguments: Any) -> str:
        self.created.append({"name": name, **arguments})
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None and not self.accepts_before_fault:
            raise fault
        made = {"image_id": arguments["image"], "flavor_id": arguments.get("flavor")}
        server = Server(id=str(uuid.uuid4()), name=name, status="BUILD", **made)
        self.servers[server.id] = server
        if fault is not None:
            raise fault
        return server.id

    def find(self, name: str) -> list[FoundServer]:
        self.found.append(name)
        if self.find_faults:
            raise self.find_faults.pop(0)
        return [
            FoundServer(server=one, age_seconds=self.age_seconds) for one in self.servers.values() if one.name == name
        ]

    def get(self, server_id: str, management_networks: Collection[str] = ()) -> Server:  # noqa: ARG002 - the port has it
        if server_id not in self.servers:
            raise ResourceNotFoundError("server", server_id)
        self._looks -= 1
        if self._looks <= 0:
            self.servers[server_id] = replace(self.servers[server_id], status=self._ends_as, fault="as ordered")
        return self.servers[server_id]


class FakeFlavors:
    """Gives ``now`` under any id, or raises it; ``asked`` has the ids."""

    def __init__(self, now: Flavor | Exception) -> None:
        self.now = now
        self.asked: list[str] = []

    def flavor(self, flavor_id: str) -> Flavor:
        self.asked.append(flavor_id)
        if isinstance(self.now, Exception):
            raise self.now
        return self.now
