# SPDX-License-Identifier: Apache-2.0
"""Every error this library raises: one root, one class for each decision a caller can take.

An error's text is one line: what was wanted, what was found and, last, what to do about it; the fields stay on the
instance. Whether trying again can help is a type, :class:`RetryableError`, and not a list of codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def _one_line(text: object) -> str:
    """Fold white space, so that a foreign message cannot break a log line in two."""
    return " ".join(str(text).split())


class AmphoraImageError(Exception):
    """The root of all errors of this library; ``exit_code`` is what the command ends with."""

    exit_code = 1


class RetryableError(AmphoraImageError):
    """The same call may succeed later; nothing the caller passed was wrong."""

    exit_code = 6


@dataclass(eq=False)
class ConfigurationError(AmphoraImageError):
    """What the operator wrote, in a file or on the command line, cannot be used."""

    problem: str
    remedy: str
    exit_code = 2

    def __str__(self) -> str:
        return f"{_one_line(self.problem)}; {self.remedy}"


class NothingWantedError(ConfigurationError):
    """No option and no argument says which image is wanted."""

    def __init__(self) -> None:
        super().__init__(
            "no image is asked for: the build named no tag and every option that could is empty",
            "set [controller_worker] amp_image_tag (or [amphora_image] image_ref)",
        )


class NoOwnerError(ConfigurationError):
    """Nothing says whose images may be booted: no owner is set and the token has no project."""

    def __init__(self) -> None:
        super().__init__(
            "whose images to trust is not known: the token is not scoped to a project and no owner is set",
            "set [controller_worker] amp_image_owner_id, or project_name in [service_auth]",
        )


@dataclass(eq=False)
class InvalidReferenceError(AmphoraImageError):
    """A text is no image reference; raised before any request is sent."""

    text: str
    reason: str
    remedy: str = "write a tag as glance://tag/NAME and an image id as glance://UUID"
    exit_code = 2

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= 60 else f"{self.text[:57]}..."
        return f"{shown!r} is no image reference: {_one_line(self.reason)}; {self.remedy}"


@dataclass(eq=False)
class NoImageError(AmphoraImageError):
    """No image passes the rules for what was wanted; ``rejected`` has ``"<id> (<name>): <reason>"`` of each."""

    wanted: str
    owner: str
    rejected: Sequence[str] = ()
    exit_code = 4

    def __str__(self) -> str:
        found = "; ".join(map(_one_line, self.rejected)) or "there is none, or none that this user may see"
        return (
            f"no image may be booted for {self.wanted} (trusted owner: {self.owner}): {found}; "
            f"tag an active image of that owner, or name its id"
        )


@dataclass(eq=False)
class AuthenticationError(AmphoraImageError):
    """Keystone, or a service asking it, did not accept who we are (401)."""

    service: str
    detail: str
    exit_code = 5

    def __str__(self) -> str:
        return (
            f"{self.service} refused the credentials: {_one_line(self.detail)}; "
            f"check user, password and project in [service_auth] or the cloud's entry in clouds.yaml"
        )


@dataclass(eq=False)
class AccessDeniedError(AmphoraImageError):
    """We are known and may not do this (403)."""

    service: str
    action: str
    detail: str
    exit_code = 5

    def __str__(self) -> str:
        return (
            f"{self.service} does not allow this user to {self.action}: {_one_line(self.detail)}; "
            f"give the user the role that the service's policy asks for"
        )


@dataclass(eq=False)
class QuotaExceededError(AmphoraImageError):
    """The project's quota leaves no room for what was asked."""

    service: str
    detail: str

    def __str__(self) -> str:
        return f"{self.service} says the quota is used up: {_one_line(self.detail)}; delete servers or raise the quota"


@dataclass(eq=False)
class ServiceUnavailableError(RetryableError):
    """No usable answer within the deadline: no connection, 429, 5xx or not the service's format."""

    service: str
    detail: str

    def __str__(self) -> str:
        return (
            f"{self.service} gave no usable answer: {_one_line(self.detail)}; "
            f"check that the service runs and is reachable from here, then try again"
        )


@dataclass(eq=False)
class RequestRefusedError(AmphoraImageError):
    """A service understood the request and refuses it for good (400, 409 and the like)."""

    service: str
    action: str
    detail: str

    def __str__(self) -> str:
        return f"{self.service} refused to {self.action}: {_one_line(self.detail)}; correct what {self.service} names"


@dataclass(eq=False)
class ResourceNotFoundError(AmphoraImageError):
    """A server, flavor, network, port, key pair, zone, security group or volume does not exist (or is not ours to see)."""

    resource: str
    identifier: str
    option: str = ""

    def __str__(self) -> str:
        remedy = f"correct {self.option}, or the argument given in its place" if self.option else "check the name or id"
        return f"{self.resource} {self.identifier} does not exist or is not visible to this user; {remedy}"


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
            f"port {self.port_id} cannot be plugged: {_one_line(self.detail)}; free a device on the host or use another"
        )


@dataclass(eq=False)
class AmbiguousBuildError(RetryableError):
    """Nova may or may not have made the server: the answer to our POST was lost."""

    server_name: str
    detail: str

    def __str__(self) -> str:
        return (
            f"whether Nova made server {self.server_name!r} is not known, its answer was lost: {_one_line(self.detail)}; "
            f"look for that name with `openstack server list --name` and delete what nobody uses"
        )


@dataclass(eq=False)
class ServerFailedError(AmphoraImageError):
    """The server exists and cannot become ACTIVE."""

    server_id: str
    status: str
    fault: str

    def __str__(self) -> str:
        return (
            f"server {self.server_id} is {self.status}: {_one_line(self.fault) or 'Nova gives no reason'}; "
            f"see Nova's logs for that id, then delete it and build again"
        )


@dataclass(eq=False)
class VolumeFailedError(AmphoraImageError):
    """Cinder could not make a boot volume from the image; what was begun is deleted."""

    image_id: str
    detail: str

    def __str__(self) -> str:
        return f"no boot volume could be made from image {self.image_id}: {_one_line(self.detail)}; see Cinder's logs"


@dataclass(eq=False)
class SandboxError(AmphoraImageError):
    """The local cloud could not be started, found or stopped; ``log_lines`` are the failing service's last."""

    problem: str
    remedy: str
    log_lines: Sequence[str] = ()

    def __str__(self) -> str:
        return f"{_one_line(self.problem)}; {self.remedy}"
