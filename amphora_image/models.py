# SPDX-License-Identifier: Apache-2.0
"""The values that move through the library, one way: a candidate becomes an image, an image becomes a server."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_OLDEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An image as Glance lists it; whether it may be booted is not decided yet.

    ``size`` is in bytes, ``min_disk`` in GiB, ``min_ram`` in MiB (Glance's image schema, API v2). ``hash_algo`` and
    ``hash_value`` are Glance's ``os_hash_algo`` and ``os_hash_value``; ``virtual_size`` is that of the disk inside, in
    bytes, and ``architecture`` the property ``hw_architecture``. What Glance left out is None or empty.
    """

    id: str
    name: str = ""
    owner: str | None = None
    status: str = ""
    visibility: str = ""
    hidden: bool = False
    created_at: datetime | None = None
    size: int | None = None
    hash_algo: str | None = None
    hash_value: str | None = None
    disk_format: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    virtual_size: int | None = None
    architecture: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def age_key(self) -> tuple[float, str]:
        """Sort key: the newest first, then the lower id."""
        return (-(self.created_at or _OLDEST).timestamp(), self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord(Candidate):
    """All that Glance's API tells of one image; ``properties`` are those that are not part of its schema.

    ``stores`` are the ids of those that have its bytes, empty where Glance has but one.
    """

    container_format: str | None = None
    protected: bool = False
    stores: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image(Candidate):
    """A candidate that passed every rule, and ``chosen_by``: what was wanted and where that was written."""

    chosen_by: str

    @classmethod
    def of(cls, candidate: Candidate, chosen_by: str) -> Image:
        """Promote ``candidate`` to the image that was chosen by ``chosen_by``."""
        values = {each.name: getattr(candidate, each.name) for each in fields(Candidate)}
        return cls(**values, chosen_by=chosen_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """What a server is given: ``ram`` in MiB, ``disk`` in GiB (0: as large as the image).

    ``architecture`` is what the flavor's extra specs ask of the host, None where they ask nothing or were not read.
    """

    id: str
    name: str = ""
    ram: int = 0
    disk: int = 0
    architecture: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A Nova server that is, or will be, an amphora.

    ``status`` is Nova's (``BUILD``, ``ACTIVE``, ``ERROR`` and so on). ``image_id`` is None for a server that boots
    from a volume. ``management_ip`` is its first address on a boot network, known once the server is ACTIVE.
    """

    id: str
    name: str = ""
    status: str = ""
    image_id: str | None = None
    flavor_id: str | None = None
    zone: str | None = None
    management_ip: str | None = None
    volume_id: str | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundServer:
    """A server that was found in a list, and its age by Nova's own clock, so that clocks need not agree."""

    server: Server
    age_seconds: float
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerGroup:
    """A Nova server group: who is in it is kept apart, or together, by the scheduler."""

    id: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A port that is plugged into a server; ``ip_addresses`` are its fixed addresses."""

    port_id: str
    network_id: str
    ip_addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Amphora:
    """An amphora as Octavia lists it, or as what is known of its server; what is not known is None."""

    id: str
    status: str = ""
    server_id: str | None = None
    load_balancer_id: str | None = None
    image_id: str | None = None
    created_at: datetime | None = None
