# SPDX-License-Identifier: Apache-2.0
"""The checks over a configuration and its real services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amphora_image.clients.neutron import NeutronNetworks, connect
from amphora_image.clients.session import project_id
from amphora_image.config.options import AMPHORA_IMAGE
from amphora_image.preflight.run import Asked, Cloud, Preflight

if TYPE_CHECKING:
    from oslo_config import cfg

    from amphora_image.drivers.runtime import Runtime


def shorten(conf: cfg.ConfigOpts, deadline_seconds: int) -> None:
    """Wait for each service no longer than that, whatever ``conf`` grants to builds."""
    conf.set_override("retry_deadline_seconds", deadline_seconds, AMPHORA_IMAGE)
    conf.set_override("request_timeout_seconds", max(1, deadline_seconds // 3), AMPHORA_IMAGE)


def open_preflight(
    service: Runtime, *, overview: Runtime | None = None, is_service: bool = True, asked: Asked | None = None
) -> Preflight:
    """Make the checks of the configuration of ``service``; nothing is sent yet.

    ``overview`` has another user's credentials, who may see more; ``is_service`` tells whether ``service`` has those of
    ``[service_auth]``.
    """
    conf = service.conf
    seconds = float(conf[AMPHORA_IMAGE].retry_deadline_seconds)
    cloud = Cloud(
        project_id=lambda: project_id(service.session, deadline_seconds=seconds),
        resolver=service.resolver,
        servers=service.servers,
        networks=NeutronNetworks(connect(service.session, conf), deadline_seconds=seconds),
        overview=overview.images if overview else None,
        is_service=is_service,
    )
    return Preflight(conf, cloud, asked)
