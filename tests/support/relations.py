# SPDX-License-Identifier: Apache-2.0
"""Relations as a client of Glance writes and reads them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.cloud import User

PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
OLD_PATCH = {"Content-Type": "application/openstack-images-v2.0-json-patch"}
KEYS = ("nova_installation_uuid", "instance_id", "relation_kind")


def parts(kind: str = "boot", installation: str | None = None, instance: str | None = None) -> dict[str, str]:
    """Make a relation, of ids that nothing else has where none are given."""
    return dict(zip(KEYS, (installation or str(uuid.uuid4()), instance or str(uuid.uuid4()), kind), strict=True))


def adding(what: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Make a JSON patch that adds properties."""
    return [{"op": "add", "path": f"/{key}", "value": value} for key, value in what.items()]


def relations(user: User, image_id: str) -> list[dict[str, str]]:
    """Give an image's relations as the user sees them."""
    answer = user.image.get(f"/v2/images/{image_id}/relations")
    assert answer.status_code == 200, answer.text
    return [{key: each[key] for key in KEYS} for each in answer.json()["relations"]]


def images(user: User, query: str) -> list[str]:
    """Follow a list to its last page, and give the ids in their order."""
    found, path = [], f"/v2/images?{query}"
    while path:
        answer = user.image.get(path)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [each["id"] for each in page["images"]]
        path = page.get("next")
    return found
