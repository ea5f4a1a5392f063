# SPDX-License-Identifier: Apache-2.0
"""Image to server: one POST to Nova, from the image itself or from a volume made of it."""

from __future__ import annotations

import logging
import string
import time
from dataclasses import dataclass
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Protocol

import tenacity

from amphora_image.adopt import Lost, is_unique, look_for
from amphora_image.clients.translate import retried
from amphora_image.errors import (
    AmbiguousBuildError,
    AmphoraImageError,
    ResourceNotFoundError,
    ServerFailedError,
    ServiceUnavailableError,
)
from amphora_image.models import Image, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from random import Random

    from amphora_image.clients.cinder import VolumeStore
    from amphora_image.models import FoundServer
    from amphora_image.sharing import PairedBuild

LOG = logging.getLogger(__name__)


class ServerStore(Protocol):
    """What booting needs of Nova."""

    def create(self, name: str, **arguments: Any) -> str:
        """Make a server and give its id; ``arguments`` are those of novaclient's ``servers.create``."""

    def find(self, name: str) -> Sequence[FoundServer]:
        """List our project's servers with exactly that name, and how long ago each was made, by Nova's own clock."""

    def get(self, server_id: str, management_networks: Collection[str] = ()) -> Server:
        """Give a server.

        :raises ResourceNotFoundError: there is no such server.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class BootRequest:
    """What a server is to be, apart from its image.

    ``files`` maps a path on the config drive to the file's text (Nova takes at most 5 files of 10 KiB each by
    default); ``user_data`` is text. ``zone`` is Nova's availability zone, ``volume_zone`` Cinder's. ``pair`` tells which
    other request is to boot the same image; where it is not given, the server group does.
    """

    name: str
    flavor_id: str | None = None
    key_name: str | None = None
    security_groups: Sequence[str] | None = None
    network_ids: tuple[str, ...] = ()
    port_ids: tuple[str, ...] = ()
    files: Mapping[str, Any] | None = None
    user_data: Any = None
    server_group_id: str | None = None
    zone: str | None = None
    volume_zone: str | None = None
    pair: PairedBuild | None = None


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long, in seconds, a request that was not accepted is sent again, and a lost server is looked for."""

    retry_seconds: float = 60
    ambiguous_build_seconds: float = 30


class Booter:
    """Boot images. Thread-safe.

    ``volumes`` is given where servers boot from a volume; None boots from the image.
    """

    def __init__(
        self,
        servers: ServerStore,
        volumes: VolumeStore | None = None,
        *,
        deadlines: Deadlines | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._servers = servers
        self._volumes = volumes
        self._deadlines = deadlines or Deadlines()
        self._sleep = sleep

    def boot(self, image: Image, request: BootRequest) -> Server:
        """Ask Nova for one server from ``image``; it is being built when this returns.

        What was made for a server that does not come to be is undone. After a lost answer the server is looked for and
        adopted when it is surely ours; otherwise nothing is touched.

        :raises ResourceNotFoundError: a flavor, network, port, key pair, group or zone is unknown.
        :raises QuotaExceededError: the project has no room left.
        :raises AmbiguousBuildError: the answer was lost; the text names the server to look for.
        :raises VolumeFailedError: no boot volume could be made.
        :raises AmphoraImageError: Nova refuses for another reason or cannot be reached.
        """
        source: dict[str, Any] = {"image": image.id, "block_device_mapping": {}}
        volume_id = None
        if self._volumes is not None:
            volume_id = self._volumes.create(image.id, request.volume_zone)
            # device name = vda; source volume, its own size; deleted together with the server
            source = {"image": None, "block_device_mapping": {"vda": f"{volume_id}:::true"}}
        try:
            server_id = self._create(request, source)
        except AmbiguousBuildError:
            if volume_id is not None:
                LOG.warning("Boot volume %s stays, for server %s may be there and use it", volume_id, request.name)
            raise
        except Exception:
            self._drop(volume_id)
            raise
        except BaseException:
            LOG.warning("Interrupted while Nova made server %s: look for that name, it may be there", request.name)
            raise
        return Server(
            id=server_id,
            name=request.name,
            status="BUILD",
            image_id=None if volume_id else image.id,
            flavor_id=request.flavor_id,
            zone=request.zone,
            volume_id=volume_id,
        )

    def _create(self, request: BootRequest, source: dict[str, Any]) -> str:
        """Send the POST; what became of one whose answer was lost is found out before anything else is done."""
        lost = Lost(name=request.name, image_id=source["image"], flavor_id=request.flavor_id, began=time.monotonic())

        def once() -> str:
            try:
                return self._servers.create(request.name, **source, **_arguments(request))
            except AmbiguousBuildError as error:
                return self._find_out(lost, error, self._deadlines.ambiguous_build_seconds)
            except ServiceUnavailableError as error:
                # Not accepted, as far as it can be told; a proxy may say 503 of what got through, so look once.
                return self._find_out(lost, error, 0)

        if not is_unique(request.name):
            return once()
        return retried(
            once, deadline_seconds=self._deadlines.retry_seconds, only=ServiceUnavailableError, sleep=self._sleep
        )

    def _find_out(self, lost: Lost, error: AmphoraImageError, deadline_seconds: float) -> str:
        """Give the id of the server that a lost request made after all, or raise ``error`` again.

        :raises AmbiguousBuildError: Nova refuses to tell.
        """
        try:
            server_id = look_for(self._servers, lost, deadline_seconds=deadline_seconds, sleep=self._sleep)
        except AmphoraImageError as refusal:
            raise AmbiguousBuildError(lost.name, f"{error}; and it cannot be looked for: {refusal}") from error
        if server_id is None:
            raise error
        LOG.warning(
            "Server %s is adopted for %s: it was made, but the answer was lost: %s", server_id, lost.name, error
        )
        return server_id

    def _drop(self, volume_id: str | None) -> None:
        """Delete the volume of a server that did not come to be, without hiding why it did not."""
        if volume_id is None or self._volumes is None:
            return
        try:
            self._volumes.delete(volume_id)
        except Exception as error:  # noqa: BLE001 - a host's own driver has errors of its own
            LOG.error("Boot volume %s is left behind: %s", volume_id, error)  # noqa: TRY400 - the build's error is raised


def wait_until_active(
    servers: ServerStore, server_id: str, *, deadline_seconds: float, sleep: Callable[[float], None] = time.sleep
) -> Server:
    """Look at a server until Nova is done with it, and give it ACTIVE.

    :raises ServerFailedError: it went to ERROR, or was not done within ``deadline_seconds``.
    :raises ResourceNotFoundError: it vanished.
    """
    try:
        server = _poll(lambda status: status == "BUILD", deadline_seconds, sleep)(servers.get, server_id)
    except tenacity.RetryError as error:
        raise ServerFailedError(server_id, "BUILD", f"not ACTIVE within {deadline_seconds:g} s") from error
    if server.status != "ACTIVE":
        raise ServerFailedError(server_id, server.status, server.fault or "")
    return server


def wait_until_gone(
    servers: ServerStore, server_id: str, *, deadline_seconds: float, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Look at a server until Nova has it no more.

    :raises ServerFailedError: it was still there after ``deadline_seconds``.
    """
    try:
        _poll(lambda status: status != "DELETED", deadline_seconds, sleep)(servers.get, server_id)
    except ResourceNotFoundError:
        return
    except tenacity.RetryError as error:
        raise ServerFailedError(server_id, "not gone", f"still there after {deadline_seconds:g} s") from error


def _poll(goes_on: Callable[[str], bool], deadline_seconds: float, sleep: Callable[[float], None]) -> tenacity.Retrying:
    """Ask again while the server's status ``goes_on``: after 0.2 s first, then ever more slowly, at most every 2 s."""
    return tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda server: goes_on(server.status)),
        wait=tenacity.wait_exponential(multiplier=0.2, max=2),
        stop=tenacity.stop_before_delay(deadline_seconds),
        sleep=sleep,
    )


def random_name(length: int, chance: Random | None = None) -> str:
    """Make a server name of ``length`` characters: an ``a`` and random capitals and digits."""
    chance = chance or SystemRandom()
    return "a" + "".join(chance.choices(string.ascii_uppercase + string.digits, k=length - 1))


def _arguments(request: BootRequest) -> dict[str, Any]:
    """Turn a request into what novaclient's ``servers.create`` takes."""
    nics = [{"net-id": network} for network in request.network_ids] + [{"port-id": port} for port in request.port_ids]
    return {
        "flavor": request.flavor_id,
        "key_name": request.key_name,
        "security_groups": request.security_groups,
        "nics": nics,
        "files": request.files,
        "userdata": request.user_data,
        "config_drive": True,
        "scheduler_hints": {"group": request.server_group_id} if request.server_group_id else None,
        "availability_zone": request.zone,
    }
