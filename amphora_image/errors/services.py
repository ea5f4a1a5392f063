# SPDX-License-Identifier: Apache-2.0
"""Errors that the services answer with, or by not answering."""

from __future__ import annotations

from dataclasses import dataclass

from amphora_image.errors.base import AmphoraImageError, RetryableError, one_line


@dataclass(eq=False)
class AuthenticationError(AmphoraImageError):
    """Keystone, or a service asking it, did not accept who we are (401)."""

    service: str
    detail: str
    exit_code = 5

    def __str__(self) -> str:
        return (
            f"{self.service} refused the credentials: {one_line(self.detail)}; "
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
            f"{self.service} does not allow this user to {self.action}: {one_line(self.detail)}; "
            f"give the user the role that the service's policy asks for"
        )


@dataclass(eq=False)
class QuotaExceededError(AmphoraImageError):
    """The project's quota leaves no room for what was asked."""

    service: str
    detail: str

    def __str__(self) -> str:
        return f"{self.service} says the quota is used up: {one_line(self.detail)}; delete what nobody needs, or raise the quota"


@dataclass(eq=False)
class ServiceUnavailableError(RetryableError):
    """No usable answer within the deadline: no connection, 429, 5xx or not the service's format."""

    service: str
    detail: str

    def __str__(self) -> str:
        return (
            f"{self.service} gave no usable answer: {one_line(self.detail)}; "
            f"check that the service runs and is reachable from here, then try again"
        )


@dataclass(eq=False)
class RequestRefusedError(AmphoraImageError):
    """A service understood the request and refuses it for good (400, 409 and the like)."""

    service: str
    action: str
    detail: str

    def __str__(self) -> str:
        return f"{self.service} refused to {self.action}: {one_line(self.detail)}; correct what {self.service} names"


@dataclass(eq=False)
class ResourceNotFoundError(AmphoraImageError):
    """A server, flavor, network, port, key pair, zone, security group or volume does not exist (or is not ours to see)."""

    resource: str
    identifier: str
    option: str = ""

    def __str__(self) -> str:
        remedy = f"correct {self.option}, or the argument given in its place" if self.option else "check the name or id"
        return f"{self.resource} {self.identifier} does not exist or is not visible to this user; {remedy}"
