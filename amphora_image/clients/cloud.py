# SPDX-License-Identifier: Apache-2.0
"""A session from clouds.yaml or OS_* variables, for commands; a driver never imports this."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openstack.config

from amphora_image.clients.session import SERVICE_TYPES, find_elsewhere
from amphora_image.config.options import AMPHORA_IMAGE
from amphora_image.errors import ConfigurationError

if TYPE_CHECKING:
    from keystoneauth1.session import Session
    from oslo_config import cfg


def cloud_session(name: str | None, conf: cfg.ConfigOpts) -> Session:
    """Make a session for the cloud ``name``, or for the one that OS_* variables describe; nothing is sent.

    The cloud's region, interface and endpoints replace those in ``conf``, which belong to ``[service_auth]``'s cloud.

    :raises ConfigurationError: there is no such cloud, or its entry is incomplete.
    """
    try:
        region = openstack.config.OpenStackConfig().get_one(cloud=name)
        session: Session = region.get_session()
    except Exception as error:  # openstacksdk lets through whatever it stumbles over in the user's file
        raise ConfigurationError(
            f"the cloud {name or 'that OS_* variables describe'} cannot be used: {error}",
            "correct clouds.yaml or the variables; `amphora-image sandbox env --format clouds` shows a whole entry",
        ) from error
    for group, service_type in SERVICE_TYPES.items():
        place = {
            "region_name": region.get_region_name(service_type),
            "endpoint_type": region.get_interface(service_type) or "public",
            "endpoint": region.get_endpoint(service_type),
            "service_name": region.get_service_name(service_type),
        }
        find_elsewhere(conf, group, place)
    if session.timeout is None:
        session.timeout = float(conf[AMPHORA_IMAGE].request_timeout_seconds)
    return session
