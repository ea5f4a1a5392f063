# SPDX-License-Identifier: Apache-2.0
"""Errors of booting and plugging a server, and of the sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.errors.base import AmphoraImageError, RetryableError, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(eq=False)
class PortInUseError(AmphoraImageError):
    """The port is plugged into something else."""

    port_id: str

    def __str__(self) -> str:
        return f"port {self.port_id} is in use elsewhere; detach it there, or give another port"


@dataclass(eq=False)
class NoResourcesError(AmphoraImageError):
    """The host has no resource left for a port (no PCI device, the port cannot be bound)."""

    port_id: str
    detail: str

    def __str__(self) -> str:
        return (
            f"port {self.port_id} cannot be plugged: {one_line(self.detail)}; free a device on the host or use another"
        )


@dataclass(eq=False)
class AmbiguousBuildError(RetryableError):
    """Nova may or may not have made the server: the answer to our POST was lost."""

    server_name: str
    detail: str

    def __str__(self) -> str:
        return (
            f"whether Nova made server {self.server_name!r} is not known, its answer was lost: {one_line(self.detail)}; "
            f"look for that name with `amphora-image server orphans`, or `openstack server list --name` where it holds no "
            f"UUID, and delete what nobody uses"
        )


@dataclass(eq=False)
class ServerFailedError(AmphoraImageError):
    """The server exists and cannot become ACTIVE."""

    server_id: str
    status: str
    fault: str

    def __str__(self) -> str:
        return (
            f"server {self.server_id} is {self.status}: {one_line(self.fault) or 'Nova gives no reason'}; "
            f"see Nova's logs for that id, then delete it and build again"
        )


@dataclass(eq=False)
class VolumeFailedError(AmphoraImageError):
    """Cinder could not make a boot volume from the image; what was begun is deleted."""

    image_id: str
    detail: str

    def __str__(self) -> str:
        return f"no boot volume could be made from image {self.image_id}: {one_line(self.detail)}; see Cinder's logs"


@dataclass(eq=False)
class SandboxError(AmphoraImageError):
    """The local cloud could not be started, found or stopped; ``log_lines`` are the failing service's last."""

    problem: str
    remedy: str
    log_lines: Sequence[str] = ()

    def __str__(self) -> str:
        return f"{one_line(self.problem)}; {self.remedy}"
