# SPDX-License-Identifier: Apache-2.0
"""Reading images from Glance: one image by its id, the images on a tag.

Over keystoneauth's adapter and not glanceclient, which asks for the image schema first, drops Retry-After and puts
tags into paths unquoted (``doc/adr/0005``).
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, quote_plus, urlencode

from amphora_image.clients.rest import Rest
from amphora_image.errors import ConfigurationError, ResourceNotFoundError
from amphora_image.models import Candidate, ImageRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from keystoneauth1.adapter import Adapter

#: What an image's JSON has besides its own properties (``GET /v2/schemas/image``).
_SCHEMA = {
    *("checksum", "container_format", "created_at", "direct_url", "disk_format", "file", "id", "locations", "min_disk"),
    *("min_ram", "name", "os_hash_algo", "os_hash_value", "os_hidden", "owner", "protected", "schema", "self", "size"),
    *("status", "stores", "tags", "updated_at", "virtual_size", "visibility"),
}

#: Of the images that may be booted the newest first, an active one each.
_BOOTABLE = urlencode({"status": "active", "visibility": "all", "sort": "created_at:desc,id:asc", "limit": "25"})


class ImageStore(Protocol):
    """What resolving needs of Glance."""

    def get(self, image_id: str) -> Candidate | None:
        """Give the image with that id, None where there is none that we may see."""

    def bootable(self, tag: str, owner: str | None) -> Iterator[list[Candidate]]:
        """Give the active, visible images with ``tag`` (of ``owner``), the newest first, in pages; one request each."""

    def everything(self, tag: str) -> list[Candidate]:
        """List every image with ``tag`` that we may see, whatever its status and owner, hidden ones too."""


class GlanceImages:
    """Glance's v2 image API, read only. Thread-safe.

    All methods raise :class:`AuthenticationError`, :class:`AccessDeniedError`, :class:`ServiceUnavailableError` (after
    the deadline) or :class:`RequestRefusedError`.
    """

    def __init__(self, adapter: Adapter, *, deadline_seconds: float = 60) -> None:
        self._rest = Rest(adapter, "Glance", deadline_seconds=deadline_seconds)

    def get(self, image_id: str) -> Candidate | None:
        """Give the image with that id, None where there is none that we may see."""
        action = f"read image {image_id}"
        try:
            return self._rest.read(f"/v2/images/{quote(image_id, safe='')}", action, candidate_of)
        except ResourceNotFoundError:
            return None

    def bootable(self, tag: str, owner: str | None) -> Iterator[list[Candidate]]:
        """Give the active, visible images with ``tag`` (of ``owner``), the newest first, in pages.

        The first page is one request; a further one is sent only when the caller goes on. Glance leaves out hidden
        images and, without ``owner``, lists all that the user's token may see, community images among them.
        """
        yield from self._pages(tag, _BOOTABLE if owner is None else f"{_BOOTABLE}&owner={quote_plus(owner)}")

    def everything(self, tag: str) -> list[Candidate]:
        """List every image with ``tag`` that we may see, whatever its status and owner, hidden ones too."""
        found: dict[str, Candidate] = {}
        for hidden in ("false", "true"):
            for page in self._pages(tag, f"visibility=all&os_hidden={hidden}&limit=100"):
                found |= {one.id: one for one in page}
        return list(found.values())

    def existing(self, ids: Collection[str]) -> set[str]:
        """Tell which of these ids are of images that we may see, hidden and deactivated ones too; at most 100."""
        query = {"id": f"in:{','.join(ids)}", "visibility": "all", "member_status": "all", "limit": str(len(ids))}
        found: set[str] = set()
        for hidden in ("false", "true") if ids else ():
            path = f"/v2/images?{urlencode({**query, 'os_hidden': hidden})}"
            found |= {one.id for one in self._rest.read(path, "list images by id", _page_of)[0]}
        return found

    def _pages(self, tag: str, query: str) -> Iterator[list[Candidate]]:
        """Follow a list page by page, with the images that carry ``tag`` to the letter; ``query`` asks for the rest.

        Glance strips the tag that it filters by, and on MySQL compares it without regard to case: so one with outer
        white space is looked for in all images, and what comes back is compared again.
        """
        if tag == tag.strip():
            query = f"tag={quote_plus(tag)}&{query}"
        action, path = f"list the images with tag {tag!r}", f"/v2/images?{query}"
        while path:
            try:
                page, path = self._rest.read(path, action, _page_of)
            except ResourceNotFoundError as error:
                problem = "the endpoint that is used for Glance has no /v2/images"
                raise ConfigurationError(problem, "correct endpoint or region_name in [glance]") from error
            yield [one for one in page if tag in one.tags]


def _page_of(body: Any) -> tuple[list[Candidate], str]:
    """Read one page of ``GET /v2/images`` and the path of the next, empty after the last."""
    return [candidate_of(record) for record in body["images"]], body.get("next") or ""


def candidate_of(record: dict[str, Any]) -> Candidate:
    """Read one image of Glance's JSON (``GET /v2/schemas/image``); what is left out stays None or empty.

    :raises KeyError: the record has no id.
    :raises ValueError: created_at is no ISO 8601 time.
    """
    created = record.get("created_at")
    return Candidate(
        id=str(record["id"]),
        name=record.get("name") or "",
        owner=record.get("owner"),
        status=record.get("status") or "",
        visibility=record.get("visibility") or "",
        hidden=bool(record.get("os_hidden")),
        created_at=datetime.fromisoformat(created).astimezone(UTC) if created else None,
        size=record.get("size"),
        hash_algo=record.get("os_hash_algo"),
        hash_value=record.get("os_hash_value"),
        disk_format=record.get("disk_format"),
        min_disk=record.get("min_disk") or 0,
        min_ram=record.get("min_ram") or 0,
        virtual_size=record.get("virtual_size"),
        architecture=record.get("hw_architecture"),
        tags=tuple(sorted(record.get("tags") or ())),
    )


def record_of(body: dict[str, Any]) -> ImageRecord:
    """Read all of one image from Glance's JSON.

    :raises KeyError: the record has no id.
    :raises ValueError: created_at is no ISO 8601 time.
    """
    candidate = candidate_of(body)
    known = {each.name: getattr(candidate, each.name) for each in fields(Candidate)}
    return ImageRecord(
        **known,
        container_format=body.get("container_format"),
        protected=bool(body.get("protected")),
        stores=tuple(filter(None, (body.get("stores") or "").split(","))),
        properties={name: str(value) for name, value in body.items() if name not in _SCHEMA},
    )
