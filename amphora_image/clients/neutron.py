# SPDX-License-Identifier: Apache-2.0
"""Neutron: whether the networks and security groups that amphorae are to have are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote, urlencode

from keystoneauth1.adapter import Adapter

from amphora_image.clients.session import service_session
from amphora_image.clients.translate import retried, translated
from amphora_image.errors import ResourceNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from keystoneauth1.session import Session
    from oslo_config import cfg


T = TypeVar("T")

_VERSION = "/v2.0"


class NetworkStore(Protocol):
    """What a check before the switch needs of Neutron."""

    def network(self, network_id: str) -> str:
        """Give the name of a network.

        :raises ResourceNotFoundError: there is none that we may see.
        """

    def security_group(self, name_or_id: str) -> str:
        """Give the name of a security group, which Nova takes by name too.

        :raises ResourceNotFoundError: there is none that we may see, or several of that name.
        """


def connect(session: Session, conf: cfg.ConfigOpts) -> Adapter:
    """Bind ``session`` to the Neutron that ``[neutron]`` names, by Octavia's older option names or its newer ones."""
    group = conf.neutron
    if group.cafile and not group.ca_certificates_file:
        conf.set_default("ca_certificates_file", group.cafile, "neutron")
    return Adapter(
        service_session(session, group),
        service_type="network",
        interface=group.valid_interfaces or group.endpoint_type,
        service_name=group.service_name or None,
        endpoint_override=group.endpoint_override or group.endpoint or None,
        region_name=group.region_name or None,
    )


class NeutronNetworks:
    """Neutron's API v2.0, read only.

    All methods raise :class:`AuthenticationError`, :class:`AccessDeniedError`, :class:`ServiceUnavailableError` (after
    the deadline) or :class:`RequestRefusedError`, besides what each one names.
    """

    def __init__(self, adapter: Adapter, *, deadline_seconds: float = 60) -> None:
        self._adapter = adapter
        self._deadline_seconds = deadline_seconds

    def network(self, network_id: str) -> str:
        """Give the name of a network.

        :raises ResourceNotFoundError: there is none that we may see.
        """
        path, action = f"/networks/{quote(network_id, safe='')}", "read a network"
        try:
            return self._read(path, action, lambda body: _name_of(body["network"]))
        except ResourceNotFoundError as error:
            option = "[controller_worker] amp_boot_network_list"
            raise ResourceNotFoundError("network", network_id, option) from error

    def security_group(self, name_or_id: str) -> str:
        """Give the name of a security group, which Nova takes by name too.

        :raises ResourceNotFoundError: there is none that we may see, or several of that name.
        """
        path, action = "/security-groups", "read a security group"
        try:
            return self._read(
                f"{path}/{quote(name_or_id, safe='')}", action, lambda body: _name_of(body["security_group"])
            )
        except ResourceNotFoundError as error:
            query = urlencode({"name": name_or_id})
            named = self._read(
                f"{path}?{query}", action, lambda body: [_name_of(one) for one in body["security_groups"]]
            )
            if len(named) != 1:
                kind = "security group" if not named else f"one security group (but {len(named)})"
                option = "[controller_worker] amp_secgroup_list"
                raise ResourceNotFoundError(kind, name_or_id, option) from error
            return named[0]

    def _read(self, path: str, action: str, decode: Callable[[Any], T]) -> T:
        """GET ``path`` and decode its JSON, trying again what is transient."""

        def once() -> T:
            with translated("Neutron", action):
                # A catalogue may name the root of the API or its version.
                versioned = str(self._adapter.get_endpoint() or "").rstrip("/").endswith(_VERSION)
                where = path if versioned else f"{_VERSION}{path}"
                return decode(self._adapter.get(where, timeout=self._deadline_seconds / 3).json())

        return retried(once, deadline_seconds=self._deadline_seconds)


def _name_of(record: dict[str, Any]) -> str:
    return str(record.get("name") or "")
