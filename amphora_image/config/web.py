# SPDX-License-Identifier: Apache-2.0
"""The options of images on web servers, as data, and the value that they are read into at each reading."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oslo_config import cfg, types

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

IMAGE_HTTP = "image_http"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class _Network(types.String):
    """A network, such as 10.1.0.0/16, or one address."""

    def __init__(self) -> None:
        super().__init__(type_name="network")

    def __call__(self, value: object) -> str:
        """Check one.

        :raises ValueError: it is none.
        """
        return str(ipaddress.ip_network(str(super().__call__(value)).strip()))


_IMAGE_HTTP = [
    cfg.ListOpt(
        "allowed_addresses",
        item_type=_Network(),
        default=[],
        mutable=True,
        help="Networks that images may be read from although they are not public, for example 10.1.0.0/16. Public "
        "addresses are allowed by default, all others (private, loopback, link-local and the like) are not.",
    ),
    cfg.ListOpt(
        "denied_addresses",
        item_type=_Network(),
        default=[],
        mutable=True,
        help="Networks that images are never read from; this comes before allowed_addresses.",
    ),
    cfg.ListOpt(
        "allowed_ports",
        item_type=types.Port(min=1),
        default=[80, 443],
        mutable=True,
        help="Ports that images may be read from; empty: all.",
    ),
    cfg.BoolOpt(
        "allow_unpinned_http",
        default=False,
        mutable=True,
        help="Read http:// without a pin too. Whoever is on the way then chooses the bytes.",
    ),
    cfg.IntOpt(
        "max_size_bytes",
        default=32 * 1024**3,
        min=1,
        mutable=True,
        help="The largest image that is read; a larger one is refused, before it is read where the server says its size.",
    ),
    cfg.StrOpt(
        "credentials_file",
        default="",
        mutable=True,
        help="Ini with the credentials of web servers, one section for each HOST or HOST:PORT. Others must not be able to "
        "read the file. They are sent to that host alone, and only over https.",
    ),
    cfg.StrOpt(
        "netrc_file",
        default="",
        mutable=True,
        help="A netrc with user names and passwords, used for hosts that credentials_file does not have. Others must not "
        "be able to read it.",
    ),
    cfg.FloatOpt(
        "connect_deadline_seconds", default=10, min=0.01, mutable=True, help="How long a connection may take, TLS too."
    ),
    cfg.FloatOpt(
        "read_deadline_seconds", default=30, min=0.01, mutable=True, help="How long a server may send nothing at all."
    ),
    cfg.FloatOpt(
        "retry_deadline_seconds",
        default=60,
        min=0,
        mutable=True,
        help="How long to try again while no further byte comes: after a connection fault, 408, 429 or 5xx.",
    ),
    cfg.FloatOpt(
        "total_deadline_seconds",
        default=3600,
        min=0.01,
        mutable=True,
        help="How long reading an image may take in all.",
    ),
    cfg.StrOpt(
        "minimum_tls_version",
        default="1.2",
        choices=["1.2", "1.3"],
        mutable=True,
        help="The oldest TLS that is spoken.",
    ),
    cfg.StrOpt(
        "ca_certificates_file",
        default="",
        mutable=True,
        help="CA certificates to verify web servers with, in place of the system's.",
    ),
    cfg.StrOpt("client_certificate_file", default="", mutable=True, help="Certificate to show to servers that ask."),
    cfg.StrOpt(
        "client_key_file", default="", mutable=True, help="Its key, where client_certificate_file does not hold it too."
    ),
]

#: group → options; ours alone.
WEB_OPTIONS: Mapping[str, Sequence[cfg.Opt]] = {IMAGE_HTTP: _IMAGE_HTTP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How TLS is spoken; an empty path means that there is no such file."""

    minimum_version: str
    ca_certificates_file: str
    client_certificate_file: str
    client_key_file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRules:
    """``[image_http]`` as it is at one moment. Times are in seconds, no ports mean all."""

    allowed_addresses: tuple[Network, ...]
    denied_addresses: tuple[Network, ...]
    allowed_ports: frozenset[int]
    allow_unpinned_http: bool
    max_size_bytes: int
    credentials_file: str
    netrc_file: str
    connect_deadline_seconds: float
    read_deadline_seconds: float
    retry_deadline_seconds: float
    total_deadline_seconds: float
    tls: Tls

    @classmethod
    def of(cls, conf: cfg.ConfigOpts) -> WebRules:
        """Read the options as they are now: a change counts from the next reading on."""
        group = conf[IMAGE_HTTP]
        return cls(
            allowed_addresses=tuple(map(ipaddress.ip_network, group.allowed_addresses)),
            denied_addresses=tuple(map(ipaddress.ip_network, group.denied_addresses)),
            allowed_ports=frozenset(group.allowed_ports),
            allow_unpinned_http=group.allow_unpinned_http,
            max_size_bytes=group.max_size_bytes,
            credentials_file=group.credentials_file,
            netrc_file=group.netrc_file,
            connect_deadline_seconds=group.connect_deadline_seconds,
            read_deadline_seconds=group.read_deadline_seconds,
            retry_deadline_seconds=group.retry_deadline_seconds,
            total_deadline_seconds=group.total_deadline_seconds,
            tls=Tls(
                minimum_version=group.minimum_tls_version,
                ca_certificates_file=group.ca_certificates_file,
                client_certificate_file=group.client_certificate_file,
                client_key_file=group.client_key_file,
            ),
        )
