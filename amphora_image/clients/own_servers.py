# SPDX-License-Identifier: Apache-2.0
"""Whether somebody else's token shows a server: asked of Nova with that token, where its own catalogue says Nova is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from amphora_image.clients.rest import Rest
from amphora_image.errors import ResourceNotFoundError, ServiceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMPUTE = "compute"
_INTERFACES = ("internalURL", "publicURL")


def endpoints(catalogue: str) -> list[str]:
    """Give the addresses of every Nova in a token's catalogue, one a region, as keystonemiddleware hands it on.

    :raises ServiceUnavailableError: it has none.
    """
    try:
        found = list(_endpoints(catalogue))
    except (ValueError, TypeError, AttributeError) as error:
        raise ServiceUnavailableError("Keystone", "the catalogue in the token cannot be read") from error
    if not found:
        raise ServiceUnavailableError("Nova", "the token has no catalogue, or one without Nova")
    return found


def _endpoints(catalogue: str) -> Iterator[str]:
    for service in json.loads(catalogue or "[]"):
        for endpoint in service.get("endpoints", ()) if service.get("type") == _COMPUTE else ():
            if urls := [endpoint[name] for name in _INTERFACES if endpoint.get(name)]:
                yield urls[0]


def shows(token: str, catalogue: str, server_id: str, *, deadline_seconds: float) -> bool:
    """Tell whether the token's owner may see the server, in any region.

    :raises AmphoraImageError: Nova did not say.
    """
    for endpoint in endpoints(catalogue):
        session = Session(timeout=deadline_seconds)
        try:
            nova = Rest(
                Adapter(session, auth=Token(endpoint, token), service_type=_COMPUTE, endpoint_override=endpoint),
                "Nova",
                deadline_seconds=deadline_seconds,
            )
            if nova.read(f"/servers/{server_id}", f"read server {server_id}", lambda body: "server" in body):
                return True
        except ResourceNotFoundError:
            continue
        finally:
            session.session.close()
    return False
