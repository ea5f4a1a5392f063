# SPDX-License-Identifier: Apache-2.0
"""The services of a sandbox as data: what is started, under which name the cloud knows it, and on how many threads."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from amphora_image.errors import SandboxError
from amphora_image.sandbox.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REGION = "RegionOne"
POSTGRES = "postgres"
#: Glance keeps which instance belongs to which image, by our filter in its pipeline.
RELATIONS = "relations"


@dataclass(frozen=True)
class Service:
    """One API: ``wsgi`` is the module that holds its application, ``path`` what follows the port in the catalogue.

    ``arguments`` are those of its command line, from which some services learn where their files are.
    """

    name: str
    title: str
    distribution: str
    service_type: str
    path: str
    wsgi: str
    environ: Mapping[str, str]
    threads: int
    arguments: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The installed release."""
        return metadata.version(self.distribution)

    def url(self, ports: Mapping[str, int]) -> str:
        """Give the URL that stands in Keystone's catalogue."""
        return f"http://{HOST}:{ports[self.name]}{self.path}"


@dataclass(frozen=True)
class Program:
    """A program that a distribution brings; it runs once ``ready`` stands in its log, and may use a UDP port."""

    name: str
    title: str
    distribution: str
    arguments: tuple[str, ...]
    ready: str
    uses_port: bool = False

    @property
    def version(self) -> str:
        """The installed release."""
        return metadata.version(self.distribution)


@dataclass(frozen=True)
class Extra:
    """What a sandbox has beyond the plain cloud, if it is asked for; it has a database of its name."""

    service: Service | None = None
    programs: tuple[Program, ...] = ()


# The names of the variables, and that Nova and Neutron take a list of files, are each service's own convention; what
# is in braces is filled in when the service starts. The longest to import comes first: on two cores that shortens the start.
SERVICES: tuple[Service, ...] = (
    Service(
        "keystone", "Keystone", "keystone", "identity", "/v3", "keystone.wsgi.api",
        {"OS_KEYSTONE_CONFIG_DIR": "{etc}/keystone"}, 12,
    ),
    Service(
        "nova", "Nova", "nova", "compute", "/v2.1", "nova.wsgi.osapi_compute",
        {"OS_NOVA_CONFIG_DIR": "{etc}/nova", "OS_NOVA_CONFIG_FILES": "{paste};nova.conf", "OS_NOVA_DISABLE_EVENTLET_PATCHING": "1"}, 24,
    ),
    Service(
        "neutron", "Neutron", "neutron", "network", "", "neutron.wsgi.api",
        {"OS_NEUTRON_CONFIG_DIR": "{etc}/neutron", "OS_NEUTRON_CONFIG_FILES": "neutron.conf"}, 12,
    ),
    Service(
        "glance", "Glance", "glance", "image", "", "glance.wsgi.api",
        {"OS_GLANCE_CONFIG_DIR": "{etc}/glance"}, 12,
    ),
    Service(
        "placement", "Placement", "openstack-placement", "placement", "", "placement.wsgi.api",
        {"OS_PLACEMENT_CONFIG_DIR": "{etc}/placement"}, 12,
    ),
)  # fmt: skip

# The later file wins; the sandbox writes the first anew at each start and never touches the second again.
_OCTAVIA = ("--config-file", "{etc}/octavia/octavia.conf", "--config-file", "{etc}/octavia/local.conf")

EXTRAS: Mapping[str, Extra] = {
    "octavia": Extra(
        Service("octavia", "Octavia", "octavia", "load-balancer", "", "octavia.wsgi.api", {}, 12, _OCTAVIA),
        (
            Program(
                "octavia-health-manager", "Health manager", "octavia", _OCTAVIA, "attempting to listen", uses_port=True
            ),
            Program("octavia-housekeeping", "Housekeeping", "octavia", _OCTAVIA, "Starting house keeping"),
        ),
    ),
    RELATIONS: Extra(),
}


def check(extras: Iterable[str]) -> None:
    """Refuse what no sandbox can have.

    :raises SandboxError: there is no extra of one of these names.
    """
    for name in extras:
        if name not in EXTRAS:
            raise SandboxError(f"a sandbox has no {name!r} to be brought up with", f"use one of {', '.join(EXTRAS)}")


def services(extras: Iterable[str]) -> tuple[Service, ...]:
    """Give the APIs of a cloud with these extras."""
    return (*SERVICES, *(service for name in extras if (service := EXTRAS[name].service)))


def programs(extras: Iterable[str]) -> tuple[Program, ...]:
    """Give the programs that run beside the APIs."""
    return tuple(program for name in extras for program in EXTRAS[name].programs)


def names(extras: Iterable[str]) -> tuple[str, ...]:
    """Give the names of all that runs, PostgreSQL first."""
    extras = tuple(extras)
    return (POSTGRES, *(each.name for each in services(extras)), *(each.name for each in programs(extras)))


def described(name: str) -> Service | Program:
    """Give the API or program of that name.

    :raises KeyError: there is none.
    """
    known: tuple[Service | Program, ...] = (*services(EXTRAS), *programs(EXTRAS))
    return {each.name: each for each in known}[name]


def find(name: str) -> Service:
    """Give the API of that name.

    :raises KeyError: there is none.
    """
    return {service.name: service for service in services(EXTRAS)}[name]
