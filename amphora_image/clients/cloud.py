# SPDX-License-Identifier: Apache-2.0
"""A session from clouds.yaml or OS_* variables, for commands; a driver never imports this."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openstack.config

from amphora_image.config.options import AMPHORA_IMAGE, CINDER, GLANCE, NEUTRON, NOVA
from amphora_image.errors import ConfigurationError

if TYPE_CHECKING:
    from keystoneauth1.session import Session
    from oslo_config import cfg

_SERVICE_TYPES = {GLANCE: "image", NOVA: "compute", CINDER: "block-storage", NEUTRON: "network"}


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
    for group, service_type in _SERVICE_TYPES.items():
        conf.set_override("region_name", region.get_region_name(service_type), group)
        conf.set_override("endpoint_type", region.get_interface(service_type) or "public", group)
        conf.set_override("endpoint", region.get_endpoint(service_type), group)
        conf.set_override("service_name", region.get_service_name(service_type), group)
        conf.set_override("ca_certificates_file", None, group)
        conf.set_override("insecure", False, group)
    if session.timeout is None:
        session.timeout = float(conf[AMPHORA_IMAGE].request_timeout_seconds)
    return session
