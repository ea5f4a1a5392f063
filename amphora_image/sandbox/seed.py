# SPDX-License-Identifier: Apache-2.0
"""What a new cloud is filled with, through the services' own APIs, and what its catalogue says."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keystoneauth1 import exceptions, session
from keystoneauth1.identity import v3

from amphora_image.errors import SandboxError
from amphora_image.sandbox import catalogue
from amphora_image.sandbox.logs import FAILURE_LINES, tail

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from amphora_image.sandbox.layout import Layout
    from amphora_image.sandbox.progress import Deadline
    from amphora_image.sandbox.state import State

#: The projects of the users that have one by that name; everybody else is in ``service``.
PROJECTS = {"admin": "admin", "demo": "demo"}
SERVICE_PROJECT = "service"

_DOMAIN = "default"
_ROLES = ("creator", "load-balancer_admin")
_SERVICE_USERS = ("glance", "placement", "nova", "neutron", "octavia")
_INTERFACES = ("public", "internal")
_FLAVOR = {"name": "amphora", "ram": 1024, "disk": 2, "vcpus": 1}
_NETWORK = {"name": "lb-mgmt-net"}
_SUBNET = {"cidr": "172.31.0.0/20", "ip_version": 4, "enable_dhcp": False, "gateway_ip": None}
_TENANT_NETWORK = {"name": "tenant-net", "shared": True}
_TENANT_SUBNET = {"cidr": "10.9.0.0/24", "ip_version": 4, "enable_dhcp": False}
_TIMEOUT_SECONDS = 60.0
_SHORTEST_SECONDS = 0.1


@dataclass(frozen=True)
class Clients:
    """The ways into one cloud, for requests that have to be answered by the deadline."""

    layout: Layout
    state: State
    deadline: Deadline

    def of(self, user: str) -> Client:
        """Give the requests of one user."""
        return Client(self, user)


class Client:
    """One user's requests to the cloud; every answer that is no success becomes an error of ours."""

    def __init__(self, clients: Clients, user: str) -> None:
        state = clients.state
        auth = v3.Password(
            auth_url=catalogue.find("keystone").url(state.ports),
            username=user,
            password=state.passwords[user],
            project_name=PROJECTS.get(user, SERVICE_PROJECT),
            user_domain_id=_DOMAIN,
            project_domain_id=_DOMAIN,
        )
        self._session = session.Session(auth=auth)
        # Proxies of the caller's environment have no business between two programs on loopback.
        self._session.session.trust_env = False
        self._clients = clients

    def call(self, service: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send one request and give the body of its answer, None if it is empty.

        :param path: what follows the endpoint in the catalogue, from the slash on.
        :raises SandboxError: the service refused it, or did not answer by the deadline.
        """
        url = catalogue.find(service).url(self._clients.state.ports) + path
        with self._guarded(service, f"{method} {path}"):
            answer = self._session.request(url, method, json=body, headers={"Accept": "application/json"})
        return answer.json() if answer.content else None

    def project_id(self) -> str:
        """Give the id of the project that this user is in.

        :raises SandboxError: Keystone refused the user, or did not answer by the deadline.
        """
        with self._guarded("keystone", "a request for a token"):
            return str(self._session.get_project_id())

    @contextmanager
    def _guarded(self, service: str, request: str) -> Iterator[None]:
        # The session's own timeout, for it holds for the token too that a request may need first.
        self._session.timeout = max(_SHORTEST_SECONDS, min(_TIMEOUT_SECONDS, self._clients.deadline.remaining()))
        try:
            yield
        except exceptions.ClientException as error:
            log = tail(self._clients.layout.log(service), FAILURE_LINES)
            raise SandboxError(
                f"{service} did not accept {request}: {error}", f"see the log of {service}", log
            ) from error


def identity(clients: Clients) -> None:
    """Fill a new Keystone with roles, projects, users and the catalogue; the projects' ids go into the state.

    :raises SandboxError: Keystone refused something.
    """
    admin, state = clients.of("admin"), clients.state
    roles = {role["name"]: role["id"] for role in admin.call("keystone", "GET", "/roles")["roles"]}
    for name in _ROLES:
        roles[name] = _create(admin, "role", {"name": name})
    state.ids["project.admin"] = admin.project_id()
    for name in (SERVICE_PROJECT, "demo"):
        state.ids[f"project.{name}"] = _create(admin, "project", {"name": name, "domain_id": _DOMAIN})
    correct_catalogue(clients)
    for name in (*_SERVICE_USERS, "demo"):
        project_id = state.ids[f"project.{PROJECTS.get(name, SERVICE_PROJECT)}"]
        user_id = _create(
            admin,
            "user",
            {
                "name": name,
                "password": state.passwords[name],
                "domain_id": _DOMAIN,
                "default_project_id": project_id,
            },
        )
        for role in ("member",) if name == "demo" else ("admin", "service"):
            admin.call("keystone", "PUT", f"/projects/{project_id}/users/{user_id}/roles/{roles[role]}")


def correct_catalogue(clients: Clients) -> None:
    """Make the catalogue say where the services are now; what is right already is left alone.

    :raises SandboxError: Keystone refused something.
    """
    admin, ports = clients.of("admin"), clients.state.ports
    services = {each["type"]: each["id"] for each in admin.call("keystone", "GET", "/services")["services"]}
    endpoints = {
        (each["service_id"], each["interface"]): each
        for each in admin.call("keystone", "GET", "/endpoints")["endpoints"]
    }
    for service in catalogue.services(clients.state.extras):
        service_id = services.get(service.service_type) or _create(
            admin, "service", {"name": service.name, "type": service.service_type}
        )
        url = service.url(ports)
        for interface in _INTERFACES:
            known = endpoints.get((service_id, interface))
            if known is None:
                wanted = {"service_id": service_id, "interface": interface, "url": url, "region_id": catalogue.REGION}
                _create(admin, "endpoint", wanted)
            elif known["url"] != url:
                admin.call("keystone", "PATCH", f"/endpoints/{known['id']}", {"endpoint": {"url": url}})


def resources(clients: Clients) -> None:
    """Make what every load balancer's server needs: a flavor and a network; their ids go into the state.

    :raises SandboxError: Nova or Neutron refused something.
    """
    state, octavia = clients.state, clients.of("octavia")
    flavor = clients.of("admin").call("nova", "POST", "/flavors", {"flavor": _FLAVOR})
    state.ids["flavor"] = flavor["flavor"]["id"]
    state.ids["network"], _ = _make_network(octavia, _NETWORK, _SUBNET)


def tenant_network(clients: Clients) -> None:
    """Make the network that everybody may have load balancers' addresses on; its ids go into the state.

    :raises SandboxError: Neutron refused something.
    """
    ids = clients.state.ids
    ids["tenant-network"], ids["tenant-subnet"] = _make_network(clients.of("admin"), _TENANT_NETWORK, _TENANT_SUBNET)


def _make_network(client: Client, network: Mapping[str, Any], subnet: Mapping[str, Any]) -> tuple[str, str]:
    made = client.call("neutron", "POST", "/v2.0/networks", {"network": network})["network"]
    body = {"name": made["name"], "network_id": made["id"], **subnet}
    return made["id"], client.call("neutron", "POST", "/v2.0/subnets", {"subnet": body})["subnet"]["id"]


def _create(client: Client, kind: str, body: Mapping[str, Any]) -> str:
    return str(client.call("keystone", "POST", f"/{kind}s", {kind: body})[kind]["id"])
