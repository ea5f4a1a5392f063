# SPDX-License-Identifier: Apache-2.0
"""What Nova means when it refuses: read from the words of ``nova/exception.py``, where no code tells it apart."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

import requests
from novaclient import exceptions as nova
from urllib3.exceptions import NewConnectionError

from amphora_image.clients.translate import from_status, translated
from amphora_image.errors import NoResourcesError, PortInUseError, ResourceNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from amphora_image.errors import AmphoraImageError, RequestRefusedError

#: What Nova says when something that a new server needs does not exist → its kind, and the option that may name it.
_UNKNOWN = (
    (
        re.compile(r"Flavor (?P<id>\S+) could not be found|Invalid flavorRef"),
        "flavor",
        "[controller_worker] amp_flavor_id",
    ),
    (re.compile(r"Invalid key_name"), "key pair", "[controller_worker] amp_ssh_key_name"),
    (re.compile(r"Network (?P<id>\S+) could not be found"), "network", "[controller_worker] amp_boot_network_list"),
    (re.compile(r"availability zone is not available"), "availability zone", "[nova] availability_zone"),
    (
        re.compile(r"Unable to find security_group with name or id '(?P<id>[^']*)'"),
        "security group",
        "[controller_worker] amp_secgroup_list",
    ),
    (re.compile(r"Port id (?P<id>\S+) could not be found"), "port", ""),
    (re.compile(r"Instance group (?P<id>\S+) could not be found"), "server group", ""),
    (re.compile(r"Can not find requested image|Image (?P<id>\S+) could not be found"), "image", ""),
)
_ARGUMENTS = {"flavor": "flavor", "key pair": "key_name", "availability zone": "availability_zone", "image": "image"}

_NOT_ACCEPTED = {429, 503}


@contextlib.contextmanager
def asked_nova(action: str) -> Iterator[None]:
    """Do what :func:`~amphora_image.clients.translate.translated` does, for novaclient's errors too.

    :raises AmphoraImageError: the one that says what to do.
    """
    with translated("Nova", action):
        try:
            yield
        except nova.ClientException as error:
            raise from_status("Nova", action, error) from error


def build_refusal(error: RequestRefusedError, arguments: Mapping[str, Any]) -> AmphoraImageError:
    """Say which thing that a build named does not exist; ``error`` itself when Nova means something else."""
    for words, resource, option in _UNKNOWN:
        if found := words.search(error.detail):
            named = found.groupdict().get("id") or arguments.get(_ARGUMENTS.get(resource, ""))
            return ResourceNotFoundError(resource, str(named or "named in the request").rstrip("."), option)
    return error


def attach_refusal(error: nova.ClientException, named: Mapping[str, str | None]) -> AmphoraImageError | None:
    """Say why a port could not be plugged; None when Nova means something else.

    ``named`` gives the id behind each of the words Instance, Network and Port.
    """
    text = str(error)
    # Of a network that does not exist Nova knows no better than a 500 with the name of Neutron's exception.
    if isinstance(error, nova.NotFound) or "NotFoundClient" in text:
        resource = next((word for word in named if word in text), "Instance")
        return ResourceNotFoundError(resource, named[resource] or "named in the request")
    if isinstance(error, nova.Conflict) and named["Port"] and "in use" in text:
        return PortInUseError(named["Port"])
    if "Failed to claim PCI device" in text or "PortBindingFailed" in text:
        return NoResourcesError(named["Port"] or named["Network"] or "", text)
    return None


def was_not_accepted(error: BaseException | None) -> bool:
    """Tell whether a POST that failed with ``error`` surely made nothing: no connection, 429 or 503."""
    if getattr(error, "http_status", getattr(error, "code", None)) in _NOT_ACCEPTED:
        return True
    return any(
        isinstance(one, requests.exceptions.ConnectTimeout)
        or isinstance(getattr(one, "reason", None), NewConnectionError)
        for one in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
