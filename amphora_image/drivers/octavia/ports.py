# SPDX-License-Identifier: Apache-2.0
"""Plugging a port, with the exceptions that Octavia's callers tell apart."""

from __future__ import annotations

from typing import Any

from novaclient import exceptions as nova
from octavia.common import exceptions

from amphora_image.clients.refusals import attach_refusal
from amphora_image.errors import NoResourcesError


def attach(manager: Any, compute_id: str, **wanted: str | None) -> Any:
    """Plug what is ``wanted`` (``net_id``, ``fixed_ip``, ``port_id``) into a server and give Nova's interface object.

    ``manager`` is novaclient's servers.

    :raises NotFound: the instance, network or port does not exist; the text says which.
    :raises ComputePortInUseException: the port is plugged into something else.
    :raises ComputeNoResourcesException: the host cannot take the port.
    :raises ComputeUnknownException: anything else that is not Nova's own refusal.
    """
    port_id = wanted["port_id"]
    named = {"Instance": compute_id, "Network": wanted["net_id"], "Port": port_id}
    try:
        return manager.interface_attach(server=compute_id, **wanted)
    except nova.Conflict as error:
        if not port_id:
            raise exceptions.ComputeUnknownException(exc=str(error)) from error
        return _attached_already(manager, compute_id, port_id)
    except nova.NotFound as error:
        resource = next((word for word in named if word in str(error)), str(error))
        raise exceptions.NotFound(resource=resource, id=named.get(resource, compute_id)) from error
    except nova.ClientException as error:
        if isinstance(attach_refusal(error, named), NoResourcesError):
            raise exceptions.ComputeNoResourcesException(str(error), exc=str(error)) from error
        raise
    except Exception as error:
        raise exceptions.ComputeUnknownException(exc=str(error)) from error


def _attached_already(manager: Any, compute_id: str, port_id: str) -> Any:
    """Give the interface of a port that Nova says is in use, when it is this server's."""
    try:
        interfaces = manager.interface_list(compute_id)
    except Exception as error:
        raise exceptions.ComputeUnknownException(exc=str(error)) from error
    for interface in interfaces:
        if interface.id == port_id:
            return interface
    raise exceptions.ComputePortInUseException(port=port_id)
