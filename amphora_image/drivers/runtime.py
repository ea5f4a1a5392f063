# SPDX-License-Identifier: Apache-2.0
"""What all drivers of a process share: one session, the clients over it, the resolver and the booter."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from amphora_image.boot import Booter, Deadlines, random_name
from amphora_image.clients.cinder import CinderVolumes
from amphora_image.clients.glance import GlanceImages
from amphora_image.clients.nova import NovaServers, connect
from amphora_image.clients.rest import Rest
from amphora_image.clients.session import adapter, load_session
from amphora_image.config.options import (
    AMPHORA_IMAGE,
    CINDER,
    CONTROLLER_WORKER,
    GLANCE,
    NOVA,
    VOLUME_CINDER_DRIVER,
    VOLUME_NOOP_DRIVER,
)
from amphora_image.config.policy import Policy
from amphora_image.config.relation import RELATION
from amphora_image.errors import ConfigurationError, InvalidRelationError, ResourceNotFoundError
from amphora_image.fit import FitCheck
from amphora_image.relation.client import InstanceAwareImageService
from amphora_image.relation.recorder import Recorder
from amphora_image.relation.values import parse_uuid
from amphora_image.resolve import resolver_of
from amphora_image.sharing import PairedBuild
from amphora_image.trail import recorded

if TYPE_CHECKING:
    from keystoneauth1.session import Session
    from oslo_config import cfg

    from amphora_image.boot import BootRequest
    from amphora_image.config.policy import Wanted
    from amphora_image.models import Image, Server

LOG = logging.getLogger(__name__)

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
        self.images = GlanceImages(adapter(self.session, conf[GLANCE], "image"), deadline_seconds=seconds)
        self.nova = connect(self.session, conf[NOVA])
        self.servers = NovaServers(self.nova, deadline_seconds=seconds)
        self.volumes: CinderVolumes | None = None
        if conf[CONTROLLER_WORKER].volume_driver == VOLUME_CINDER_DRIVER:
            block_storage = adapter(self.session, conf[CINDER], "block-storage")
            self.volumes = CinderVolumes(block_storage, conf[CINDER], deadline_seconds=seconds)
        # Once is enough to ask for a flavor: what cannot be read is left to Nova.
        self.fit = FitCheck(NovaServers(self.nova, deadline_seconds=0))
        self.resolver = resolver_of(conf, self.session)
        self.deadlines = Deadlines(seconds, float(conf[AMPHORA_IMAGE].ambiguous_build_deadline_seconds))
        self.booter = Booter(self.servers, self.volumes, deadlines=self.deadlines)
        # Without an installation nobody could tell whose servers they are, and nothing is recorded.
        installation = _installation(conf[RELATION].nova_installation_uuid)
        self.related = self.related_of(installation)
        self.recorder = Recorder(self.related.record, installation) if installation else None

    def related_of(self, installation: str) -> InstanceAwareImageService:
        """Give Glance's images as those of an installation's instances; of all installations for an empty one."""
        seconds = float(self.conf[AMPHORA_IMAGE].retry_deadline_seconds)
        glance = Rest(adapter(self.session, self.conf[GLANCE], "image"), "Glance", deadline_seconds=seconds)
        return InstanceAwareImageService(glance, installation)

    @property
    def policy(self) -> Policy:
        """The policy as the configuration says it now."""
        return Policy.of(self.conf)

    def build(
        self, wanted: Wanted, request: BootRequest, *, owner: str | None = None, booter: Booter | None = None
    ) -> tuple[Image, Server]:
        """Resolve once, boot once, and log both in one line; ``owner`` is the build's own argument.

        ``booter`` boots in place of our own: a host's, over its own clients.

        :raises AmphoraImageError: no server was left behind, but for :class:`AmbiguousBuildError`, which names it.
        """
        if request.pair is None and request.server_group_id:
            request = replace(request, pair=PairedBuild(request.server_group_id))
        with recorded() as trail:
            image, server = self._build(wanted, request, owner, booter or self.booter)
        self.resolver.booted(request.pair, server.id)
        if self.recorder is not None:
            self.recorder.booted(server.id, image.id)
        LOG.info(
            "Amphora %s is server %s, from image %s (%s) of project %s, %s %s, chosen by %s; %s",
            *(request.name, server.id, image.id, image.name, image.owner, image.hash_algo, image.hash_value),
            *(image.chosen_by, trail),
        )
        return image, server

    def _build(self, wanted: Wanted, request: BootRequest, owner: str | None, booter: Booter) -> tuple[Image, Server]:
        try:
            image = self._resolve(wanted, request, owner)
            try:
                return image, self._boot(image, request, booter)
            except ResourceNotFoundError as error:
                if error.resource != "image":
                    raise
                # Deleted between look-up and boot: one new look-up, then the next image or the same error.
                self.resolver.boot_failed(request.pair)
                image = self._resolve(wanted, request, owner)
                LOG.warning("%s; now %s", error, image.id)
                return image, self._boot(image, request, booter)
        except Exception:
            self.resolver.boot_failed(request.pair)
            raise

    def _resolve(self, wanted: Wanted, request: BootRequest, owner: str | None) -> Image:
        return self.resolver.resolve(wanted, self.policy, owner=owner, build=request.pair)

    def _boot(self, image: Image, request: BootRequest, booter: Booter) -> Server:
        """Boot what fits, as far as that is to be checked."""
        if self.conf[AMPHORA_IMAGE].check_fit and request.flavor_id:
            from_volume = self.conf[CONTROLLER_WORKER].volume_driver != VOLUME_NOOP_DRIVER
            self.fit.check(image, request.flavor_id, volume_gib=self.conf[CINDER].volume_size if from_volume else None)
        return booter.boot(image, request)

    def server(self, server_id: str, management_network_id: str | None = None) -> Server:
        """Give a server with the image it was booted from, found through its volume where it boots from one.

        :raises ResourceNotFoundError: there is no such server.
        """
        configured = self.conf[CONTROLLER_WORKER].amp_boot_network_list
        server = self.servers.get(server_id, [management_network_id] if management_network_id else configured)
        if server.volume_id and self.volumes is not None:
            return replace(server, image_id=self.volumes.image_of(server.volume_id))
        return server

    def with_defaults(self, request: BootRequest) -> BootRequest:
        """Fill what ``request`` leaves out from ``[controller_worker]`` and ``[nova]``.

        :raises ConfigurationError: neither names a flavor.
        """
        worker, nova = self.conf[CONTROLLER_WORKER], self.conf[NOVA]
        flavor_id = request.flavor_id or worker.amp_flavor_id
        if not flavor_id:
            raise ConfigurationError("no flavor is given for the amphora", "set [controller_worker] amp_flavor_id")
        networks = request.network_ids or (() if request.port_ids else tuple(worker.amp_boot_network_list))
        length = nova.random_amphora_name_length
        return replace(
            request,
            name=random_name(length) if length else request.name,
            flavor_id=flavor_id,
            key_name=request.key_name or worker.amp_ssh_key_name or None,
            security_groups=request.security_groups or tuple(worker.amp_secgroup_list) or None,
            network_ids=networks,
            zone=request.zone or nova.availability_zone,
        )


def _installation(text: str) -> str:
    """Read ``[relation] nova_installation_uuid``; it may be empty.

    :raises ConfigurationError: it is no UUID.
    """
    try:
        return parse_uuid(text, "nova_installation_uuid") if text else ""
    except InvalidRelationError as error:
        remedy = "let `amphora-image installation-uuid generate` make one"
        raise ConfigurationError(f"[relation] {error.problem}", remedy) from error


def made(conf: cfg.ConfigOpts) -> Runtime | None:
    """Give the process's runtime for ``conf`` if there is one; it is not made for what nobody has asked of it."""
    return _SHARED.get(id(conf))


def shared(conf: cfg.ConfigOpts) -> Runtime:
    """Give the process's one runtime for ``conf``, made when it is first needed.

    :raises ConfigurationError: there are no credentials, or they are incomplete.
    """
    with _LOCK:
        if id(conf) not in _SHARED:
            _SHARED[id(conf)] = Runtime(conf)
        return _SHARED[id(conf)]
