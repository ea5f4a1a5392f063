# SPDX-License-Identifier: Apache-2.0
"""The compute driver under Octavia's contract: its data models, its exceptions and its own registered options.

What is asked of Nova, and which exception tells a refusal, follows ``octavia.compute.drivers.nova_driver`` of Octavia
19; which image is booted, what is tried again and what is undone is this library's. Octavia makes an object for each
task, in the worker, the health manager, housekeeping and the API: constructing one sends nothing.
"""

from __future__ import annotations

import logging
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import tenacity
from novaclient import exceptions as nova
from octavia.common import config as _octavia_options  # noqa: F401 - importing it registers Octavia's options
from octavia.common import constants, exceptions
from octavia.common import data_models as models
from octavia.compute import compute_base
from oslo_config import cfg

from amphora_image.boot import Booter, BootRequest, random_name
from amphora_image.config import register_own_opts
from amphora_image.config.options import AMPHORA_IMAGE
from amphora_image.drivers.octavia.attributes import StockAttributes, load
from amphora_image.drivers.octavia.operation import of_one_operation
from amphora_image.drivers.octavia.ports import attach
from amphora_image.drivers.octavia.views import Volumes, amphora_of
from amphora_image.drivers.runtime import made
from amphora_image.errors import ResourceNotFoundError
from amphora_image.models import Image
from amphora_image.sharing import PairedBuild

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

#: The one image driver in whose place this library resolves; any other that octavia.conf names is honoured.
_GLANCE_DRIVER = "image_glance_driver"


class OctaviaComputeDriver(StockAttributes, compute_base.ComputeBase):  # type: ignore[misc]  # Octavia has no type hints
    """Octavia's compute driver over the same resolver and booter as :class:`NovaComputeDriver`."""

    def __init__(self) -> None:
        super().__init__()
        _register()
        named = CONF.controller_worker.image_driver
        # Octavia's own over Glance would look for credentials here; in its place we resolve.
        self.image_driver = None if named == _GLANCE_DRIVER else load("octavia.image.drivers", named)

    def build(
        self,
        name: str = "amphora_name",
        amphora_flavor: str | None = None,
        image_tag: str | None = None,
        image_owner: str | None = None,
        key_name: str | None = None,
        sec_groups: Sequence[str] | None = None,
        network_ids: Sequence[str] | None = None,
        port_ids: Sequence[str] | None = None,
        config_drive_files: Mapping[str, Any] | None = None,
        user_data: Any = None,
        server_group_id: str | None = None,
        availability_zone: Mapping[str, str] | None = None,
    ) -> str:
        """Begin to build an amphora and give its compute id.

        :raises ComputeBuildException: no server was left behind, or the text names the one that may be.
        """
        length = CONF.nova.random_amphora_name_length
        request = BootRequest(
            name=random_name(length) if length else name,
            flavor_id=amphora_flavor,
            key_name=key_name,
            security_groups=sec_groups,
            network_ids=tuple(network_ids or ()),
            port_ids=tuple(port_ids or ()),
            files=config_drive_files,
            user_data=user_data,
            server_group_id=server_group_id,
            zone=(availability_zone or {}).get(constants.COMPUTE_ZONE, CONF.nova.availability_zone),
            pair=PairedBuild(server_group_id, name, partial(of_one_operation, name)),
        )
        volumes = Volumes(self.volume_driver, availability_zone) if _boots_from_volume() else None
        try:
            if self.image_driver is not None:
                image_id = self.image_driver.get_image_id_by_tag(image_tag, image_owner)
                image = Image(id=image_id, chosen_by=f"Octavia's {CONF.controller_worker.image_driver}")
                return Booter(self._servers, volumes).boot(image, request).id
            runtime = self._runtime
            booter = Booter(self._servers, volumes, deadlines=runtime.deadlines)
            wanted = runtime.policy.wanted(image_tag=image_tag, zone=request.zone)
            return runtime.build(wanted, request, owner=image_owner, booter=booter)[1].id
        except Exception as error:
            raise exceptions.ComputeBuildException(fault=error) from error

    def delete(self, compute_id: str) -> None:
        """Delete an amphora; one that is gone is success.

        :raises ComputeDeleteException: Nova refuses or gives no answer within the deadline.
        """
        if (runtime := made(CONF)) is not None:
            runtime.resolver.deleted(compute_id)
        try:
            gone = not self._servers.delete(compute_id)
        except Exception as error:
            raise exceptions.ComputeDeleteException(compute_msg=str(error)) from error
        if gone:
            LOG.warning("Server %s is not there, so it counts as deleted", compute_id)

    def status(self, compute_id: str) -> str:
        """Answer ``UP`` for an amphora whose server is ACTIVE, else ``DOWN``.

        :raises ComputeStatusException: Nova could not be asked.
        """
        try:
            amphora, _ = self.get_amphora(compute_id)
        except Exception as error:
            raise exceptions.ComputeStatusException from error
        return str(constants.UP if amphora and amphora.status == "ACTIVE" else constants.DOWN)

    def get_amphora(self, compute_id: str, management_network_id: str | None = None) -> tuple[models.Amphora, Any]:
        """Give the amphora as Nova sees it, and Nova's fault or None.

        What fails is asked again as ``[compute]`` says, but for a server that does not exist.

        :raises ComputeGetException: Nova has no such server, or gave no answer.
        """
        asked = tenacity.Retrying(
            retry=tenacity.retry_if_not_exception_type(nova.NotFound),
            stop=tenacity.stop_after_attempt(CONF.compute.max_retries),
            wait=tenacity.wait_fixed(CONF.compute.retry_interval),
            reraise=True,
        )
        try:
            return asked(lambda: self._translate_amphora(self.manager.get(compute_id), management_network_id))
        except Exception as error:
            raise exceptions.ComputeGetException from error

    def _translate_amphora(
        self, nova_response: Any, management_network_id: str | None = None
    ) -> tuple[models.Amphora, Any]:
        """Turn novaclient's server into Octavia's amphora, and give Nova's fault with it."""
        configured = CONF.controller_worker.amp_boot_network_list
        networks = [management_network_id] if management_network_id else configured
        amphora = amphora_of(nova_response, self._image_of(nova_response), networks)
        return amphora, getattr(nova_response, "fault", None)

    def _image_of(self, nova_response: Any) -> str | None:
        """Tell the image that a server was booted from, through its volume where it boots from one; None: unknown.

        Nova answers ``image == ""`` for a server on a volume, also when this process is told to boot from images.
        """
        if not _boots_from_volume():
            return nova_response.image.get("id") if nova_response.image else None
        try:
            volumes = self._nova_client.volumes.get_server_volumes(nova_response.id)
            image_id: str | None = self.volume_driver.get_image_from_volume(volumes[0].volumeId) if volumes else None
        except Exception as error:  # noqa: BLE001 - a volume that cannot be read must not hide a server that runs
            LOG.warning("The image behind the boot volume of server %s cannot be told: %s", nova_response.id, error)
            return None
        return image_id

    def create_server_group(self, name: str, policy: str) -> Any:
        """Make a server group and give novaclient's object, which has ``id``.

        :raises ServerGroupObjectCreateException: Nova refuses or cannot be reached.
        """
        try:
            return self.server_groups.create(name=name, policies=[policy])
        except Exception as error:
            raise exceptions.ServerGroupObjectCreateException from error

    def delete_server_group(self, server_group_id: str) -> None:
        """Delete a server group; one that is gone is success.

        :raises ServerGroupObjectDeleteException: Nova refuses or gives no answer within the deadline.
        """
        try:
            gone = not self._servers.delete_group(server_group_id)
        except Exception as error:
            raise exceptions.ServerGroupObjectDeleteException from error
        if gone:
            LOG.warning("Server group %s is not there, so it counts as deleted", server_group_id)

    def attach_network_or_port(
        self,
        compute_id: str,
        network_id: str | None = None,
        ip_address: str | None = None,
        port_id: str | None = None,
    ) -> Any:
        """Plug a port, or a new port on a network, into an amphora and give Nova's interface object.

        :raises NotFound: the instance, network or port does not exist; the text says which.
        :raises ComputePortInUseException: the port is plugged into something else.
        :raises ComputeNoResourcesException: the host cannot take the port.
        :raises ComputeUnknownException: anything else that is not Nova's own refusal.
        """
        return attach(self.manager, compute_id, net_id=network_id, fixed_ip=ip_address, port_id=port_id)

    def detach_port(self, compute_id: str, port_id: str) -> None:
        """Unplug a port; failing to is logged and not raised, since the amphora goes away next."""
        try:
            self._servers.detach(compute_id, port_id)
        except Exception as error:  # noqa: BLE001 - Octavia goes on whatever it is
            LOG.warning("Port %s stays plugged into server %s: %s", port_id, compute_id, error)

    def validate_flavor(self, flavor_id: str) -> None:
        """Return when Nova has the flavor.

        :raises InvalidSubresource: it has not.
        """
        try:
            self._servers.check_flavor(flavor_id)
        except ResourceNotFoundError as error:
            raise exceptions.InvalidSubresource(resource="Nova flavor", id=flavor_id) from error

    def validate_availability_zone(self, availability_zone: str) -> None:
        """Return when Nova has the availability zone.

        :raises InvalidSubresource: it has not.
        """
        try:
            self._servers.check_zone(availability_zone)
        except ResourceNotFoundError as error:
            raise exceptions.InvalidSubresource(resource="Nova availability zone", id=availability_zone) from error


@cache
def _register() -> None:
    """Add our options to Octavia's, once in a process: oslo.config forgets every value that it has read."""
    register_own_opts(CONF)
    CONF.set_default("check_fit", default=False, group=AMPHORA_IMAGE)  # a first build costs no more requests than said


def _boots_from_volume() -> bool:
    return bool(CONF.controller_worker.volume_driver != constants.VOLUME_NOOP_DRIVER)
