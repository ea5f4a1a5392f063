# SPDX-License-Identifier: Apache-2.0
"""Octavia's amphorae, from the listing that its API has for administrators."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from keystoneauth1 import exceptions as ksa
from keystoneauth1.adapter import Adapter

from amphora_image.clients.rest import Rest
from amphora_image.clients.translate import translated
from amphora_image.models import Amphora

if TYPE_CHECKING:
    from keystoneauth1.session import Session
    from oslo_config import cfg

_PATH = "/v2.0/octavia/amphorae"
_LIMIT = 1000


class OctaviaAmphorae:
    """Octavia in the cloud of ``session``, in the region and by the interface that ``group``, Nova's, names."""

    def __init__(self, session: Session, group: cfg.ConfigOpts.GroupAttr, *, deadline_seconds: float = 60) -> None:
        self._adapter = Adapter(
            session,
            service_type="load-balancer",
            interface=group.endpoint_type,
            region_name=group.region_name or None,
        )
        self._rest = Rest(self._adapter, "Octavia", deadline_seconds=deadline_seconds)

    def is_there(self) -> bool:
        """Tell whether the catalogue has an Octavia.

        :raises AmphoraImageError: Keystone did not say.
        """
        with translated("Keystone", "find Octavia"):
            try:
                return self._adapter.get_endpoint() is not None
            except ksa.CatalogException:
                return False

    def everything(self) -> list[Amphora]:
        """List all amphorae; page by page where Octavia limits a list.

        :raises AccessDeniedError: we are no administrator of Octavia.
        """
        found: list[Amphora] = []
        path: str | None = f"{_PATH}?limit={_LIMIT}"
        while path:
            page, path = self._rest.read(path, "list amphorae", _page_of)
            found += page
        return found


def _page_of(body: Any) -> tuple[list[Amphora], str | None]:
    """Read a page, and the path of the next one, which Octavia gives as a whole URL."""
    links = {each["rel"]: each["href"] for each in body.get("amphorae_links") or ()}
    following = f"{_PATH}?{urlsplit(links['next']).query}" if "next" in links else None
    return [_amphora(each) for each in body["amphorae"]], following


def _amphora(record: dict[str, Any]) -> Amphora:
    created = record.get("created_at")
    return Amphora(
        id=record["id"],
        status=record.get("status") or "",
        server_id=record.get("compute_id"),
        load_balancer_id=record.get("loadbalancer_id"),
        image_id=record.get("image_id"),
        created_at=datetime.fromisoformat(created).replace(tzinfo=UTC) if created else None,
    )
