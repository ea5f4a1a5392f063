# SPDX-License-Identifier: Apache-2.0
"""The services of a sandbox as data: what is started, under which name the cloud knows it, and on how many threads."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from amphora_image.sandbox.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Mapping

REGION = "RegionOne"
POSTGRES = "postgres"


@dataclass(frozen=True)
class Service:
    """One API: ``wsgi`` is the module that holds its application, ``path`` what follows the port in the catalogue."""

    name: str
    title: str
    distribution: str
    service_type: str
    path: str
    wsgi: str
    environ: Mapping[str, str]
    threads: int

    @property
    def version(self) -> str:
        """The installed release."""
        return metadata.version(self.distribution)

    def url(self, ports: Mapping[str, int]) -> str:
        """Give the URL that stands in Keystone's catalogue."""
        return f"http://{HOST}:{ports[self.name]}{self.path}"


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

NAMES: tuple[str, ...] = (POSTGRES, *(service.name for service in SERVICES))


def find(name: str) -> Service:
    """Give the service of that name.

    :raises KeyError: there is none.
    """
    return {service.name: service for service in SERVICES}[name]
