# SPDX-License-Identifier: Apache-2.0
"""Nova: servers and the ports that are plugged into them.

Microversion 2.15, as Octavia: later ones drop the injected files (2.57), a server's flavor id (2.47) and the
``policies`` of a server group (2.64).
"""

from __future__ import annotations

import contextlib
import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from novaclient import client
from novaclient import exceptions as nova

from amphora_image.clients.refusals import asked_nova, attach_refusal, build_refusal, was_not_accepted
from amphora_image.clients.resources import NovaResources
from amphora_image.clients.session import service_session
from amphora_image.clients.translate import retried
from amphora_image.errors import (
    AmbiguousBuildError,
    PortInUseError,
    RequestRefusedError,
    ResourceNotFoundError,
    ServiceUnavailableError,
)
from amphora_image.models import FoundServer, Interface, Server
from amphora_image.trail import note_request

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from keystoneauth1.session import Session
    from oslo_config import cfg

T = TypeVar("T")

MICROVERSION = "2.15"
_PAGE_SERVERS = 500


def connect(session: Session, group: cfg.ConfigOpts.GroupAttr) -> Any:
    """Make novaclient's client for the endpoint that ``[nova]`` names; nothing is sent."""
    made = client.Client(
        MICROVERSION,
        session=service_session(session, group),
        service_name=group.service_name or None,
        endpoint_override=group.endpoint or None,
        region_name=group.region_name or None,
        endpoint_type=group.endpoint_type,
    )
    for manager in (made.servers, made.server_groups, made.flavors, made.keypairs, made.availability_zones):
        manager.completion_cache = _no_completion_cache
    return made


def _no_completion_cache(*_: Any, **__: Any) -> contextlib.AbstractContextManager[None]:
    """Stand in for novaclient's file in HOME for a shell's completion, whose failure would lose a server just made."""
    return contextlib.nullcontext()


class NovaServers(NovaResources):
    """Nova's compute API, as far as amphorae need it; see :class:`NovaResources` for how it asks. Thread-safe."""

    def create(self, name: str, **arguments: Any) -> str:
        """Send one POST for a server and give its id; ``arguments`` are novaclient's.

        :raises ResourceNotFoundError: a flavor, network, port, key pair, group or zone is unknown to Nova.
        :raises QuotaExceededError: the project has no room left.
        :raises AmbiguousBuildError: the answer was lost, so the server may exist.
        """
        try:
            with asked_nova("create a server"):
                made = self._client.servers.create(name=name, **arguments)
                ids = getattr(made, "request_ids", None)
                note_request(", ".join(ids) if isinstance(ids, list) else None)
                return str(made.id)
        except RequestRefusedError as error:
            raise build_refusal(error, arguments) from error
        except ServiceUnavailableError as error:
            if error.service != "Nova" or was_not_accepted(error.__cause__):
                raise
            raise AmbiguousBuildError(name, error.detail) from error

    def get(self, server_id: str, management_networks: Collection[str] = ()) -> Server:
        """Give a server; its interfaces are asked for only once it is ACTIVE, since it has none before.

        :raises ResourceNotFoundError: there is no such server; this is not tried again.
        """
        raw = self._read("read a server", lambda: self._client.servers.get(server_id), ("server", server_id))
        management_ip = None
        if raw.status == "ACTIVE":
            plugged = (one for one in self.interfaces(server_id) if one.ip_addresses)
            wanted = (one for one in plugged if not management_networks or one.network_id in management_networks)
            management_ip = next((one.ip_addresses[0] for one in wanted), None)
        image, fault = raw.image or {}, getattr(raw, "fault", None) or {}
        volumes = getattr(raw, "os-extended-volumes:volumes_attached", None) or []
        return Server(
            id=raw.id,
            name=raw.name,
            status=raw.status,
            image_id=image.get("id"),
            flavor_id=raw.flavor.get("id"),
            zone=getattr(raw, "OS-EXT-AZ:availability_zone", None) or None,
            management_ip=management_ip,
            volume_id=volumes[0]["id"] if volumes and not image else None,
            fault=fault.get("message"),
        )

    def find(self, name: str) -> list[FoundServer]:
        """List our project's servers with exactly that name, and how long ago each was made, by Nova's own clock.

        One request, which is not sent again. Novaclient's list is not used: it drops the header that says what time it
        is at Nova.
        """
        query = urlencode({"name": f"^{re.escape(name)}$"})
        with asked_nova("list servers"):
            response, body = self._client.client.get(f"/servers/detail?{query}")
            now = parsedate_to_datetime(response.headers["Date"])
            return [_found(raw, now) for raw in body["servers"] if raw["name"] == name]

    def everything(self, *, all_projects: bool = False) -> list[FoundServer]:
        """List all servers of our project, and how long ago each was made, by Nova's own clock; page by page.

        :param all_projects: list those of all projects, as only an administrator may.
        :raises ServiceUnavailableError: a page could not be read within the deadline.
        :raises AccessDeniedError: we may not list other projects' servers.
        """
        found: list[FoundServer] = []
        more = {"all_tenants": "1"} if all_projects else {}
        while page := self._page({**more, **({"marker": found[-1].server.id} if found else {})}):
            found += page
        return found

    def _page(self, more: Mapping[str, str]) -> list[FoundServer]:
        """Read one page of servers, the oldest first; ``more`` says of whom, and after which."""
        query = {"limit": str(_PAGE_SERVERS), "sort_key": "created_at", "sort_dir": "asc"}
        path = f"/servers/detail?{urlencode(query | dict(more))}"

        def once() -> list[FoundServer]:
            with asked_nova("list servers"):
                response, body = self._client.client.get(path)
                now = parsedate_to_datetime(response.headers["Date"])
                return [_found(raw, now) for raw in body["servers"]]

        return retried(once, deadline_seconds=self._deadline_seconds)

    def delete(self, server_id: str) -> bool:
        """Delete a server; False when there was none."""
        return self._remove("delete a server", lambda: self._client.servers.delete(server=server_id))

    def create_image(self, server_id: str, name: str, properties: Mapping[str, str]) -> str:
        """Ask for an image of a server and give its id; it is being made when this returns. One POST, not sent again.

        Of a server that boots from a volume it is an image without bytes, whose snapshots Cinder keeps.

        :raises ResourceNotFoundError: there is no such server.
        """
        with asked_nova("make an image of a server"):
            try:
                return str(self._client.servers.create_image(server_id, name, dict(properties)))
            except nova.NotFound as error:
                raise ResourceNotFoundError("server", server_id) from error

    def interfaces(self, server_id: str) -> list[Interface]:
        """List the ports that are plugged into a server.

        :raises ResourceNotFoundError: there is no such server.
        """
        found = self._read(
            "list interfaces", lambda: self._client.servers.interface_list(server_id), ("server", server_id)
        )
        return [_interface(one) for one in found]

    def attach(
        self,
        server_id: str,
        *,
        network_id: str | None = None,
        ip_address: str | None = None,
        port_id: str | None = None,
    ) -> Interface:
        """Plug a port, or a new port on a network, into a server; a port that is plugged there already is success.

        :raises ResourceNotFoundError: the server, network or port does not exist; ``resource`` says which.
        :raises PortInUseError: the port is plugged into something else.
        :raises NoResourcesError: the host cannot take the port.
        """
        try:
            with asked_nova("plug a port"):
                try:
                    raw = self._client.servers.interface_attach(
                        server=server_id, net_id=network_id, fixed_ip=ip_address, port_id=port_id
                    )
                except nova.ClientException as error:
                    named = {"Instance": server_id, "Network": network_id, "Port": port_id}
                    raise attach_refusal(error, named) or error from error
                return _interface(raw)
        except PortInUseError:
            for plugged in self.interfaces(server_id):
                if plugged.port_id == port_id:
                    return plugged
            raise

    def detach(self, server_id: str, port_id: str) -> bool:
        """Unplug a port from a server; False when it was not plugged there."""
        return self._remove(
            "unplug a port", lambda: self._client.servers.interface_detach(server=server_id, port_id=port_id)
        )


def _interface(raw: Any) -> Interface:
    """Read one of novaclient's interfaces."""
    addresses = tuple(one["ip_address"] for one in raw.fixed_ips or ())
    return Interface(port_id=raw.port_id, network_id=raw.net_id, ip_addresses=addresses)


def _found(raw: dict[str, Any], now: datetime) -> FoundServer:
    """Read one server of Nova's JSON; ``now`` is the time at Nova."""
    server = Server(
        id=raw["id"],
        name=raw["name"],
        status=raw["status"],
        image_id=(raw["image"] or {}).get("id"),
        flavor_id=raw["flavor"]["id"],
    )
    created = datetime.fromisoformat(raw["created"])
    return FoundServer(server=server, age_seconds=(now - created).total_seconds(), created_at=created)
