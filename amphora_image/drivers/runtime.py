# SPDX-License-Identifier: Apache-2.0
"""What all drivers of a process share: one session, the clients over it, the resolver and the booter."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from amphora_image.boot import Booter
from amphora_image.clients.cinder import CinderVolumes
from amphora_image.clients.glance import GlanceImages
from amphora_image.clients.nova import NovaServers, connect
from amphora_image.clients.session import adapter, load_session, project_id
from amphora_image.config.options import (
    AMPHORA_IMAGE,
    CINDER,
    CONTROLLER_WORKER,
    GLANCE,
    NOVA,
    VOLUME_CINDER_DRIVER,
)
from amphora_image.config.policy import Policy
from amphora_image.resolve import Resolver

if TYPE_CHECKING:
    from keystoneauth1.session import Session
    from oslo_config import cfg

_LOCK = threading.Lock()
#: id(conf) → what belongs to it; the runtime keeps its conf alive, so that no id is used twice.
_SHARED: dict[int, Runtime] = {}


class Runtime:
    """The clients and decisions over one configuration and one session; making it sends nothing. Thread-safe.

    :raises ConfigurationError: there are no credentials, or they are incomplete.
    """

    def __init__(self, conf: cfg.ConfigOpts, session: Session | None = None) -> None:
        self.conf = conf
        self.session = load_session(conf) if session is None else session
        seconds = float(conf[AMPHORA_IMAGE].retry_deadline_seconds)
        images = GlanceImages(adapter(self.session, conf[GLANCE], "image"), deadline_seconds=seconds)
        self.servers = NovaServers(connect(self.session, conf[NOVA]), deadline_seconds=seconds)
        self.volumes: CinderVolumes | None = None
        if conf[CONTROLLER_WORKER].volume_driver == VOLUME_CINDER_DRIVER:
            block_storage = adapter(self.session, conf[CINDER], "block-storage")
            self.volumes = CinderVolumes(block_storage, conf[CINDER], deadline_seconds=seconds)
        self.resolver = Resolver(images, lambda: project_id(self.session))
        self.booter = Booter(self.servers, self.volumes)

    @property
    def policy(self) -> Policy:
        """The policy as the configuration says it now."""
        return Policy.of(self.conf)


def shared(conf: cfg.ConfigOpts) -> Runtime:
    """Give the process's one runtime for ``conf``, made when it is first needed.

    :raises ConfigurationError: there are no credentials, or they are incomplete.
    """
    with _LOCK:
        if id(conf) not in _SHARED:
            _SHARED[id(conf)] = Runtime(conf)
        return _SHARED[id(conf)]
