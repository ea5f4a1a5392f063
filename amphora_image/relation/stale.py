# SPDX-License-Identifier: Apache-2.0
"""Which amphorae do not run what a tag means now: pure, and how to know of them where there is no Octavia."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.models import Amphora
from amphora_image.relation.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from amphora_image.models import FoundServer
    from amphora_image.relation.client import InstanceAwareImageService

STALE, UNKNOWN = "stale", "unknown"

#: Octavia's, of amphorae that have no image yet, or need none any more.
_PASSING = frozenset({"BOOTING", "PENDING_CREATE", "PENDING_DELETE", "DELETED"})


@dataclass(frozen=True, slots=True)
class Finding:
    """An amphora that is stale, or of which that cannot be told, and why."""

    amphora: Amphora
    state: str
    reason: str


def judge(amphorae: Iterable[Amphora], image_id: str) -> list[Finding]:
    """Give the amphorae that do not run ``image_id``, and those of which it is not known; the others are well."""
    findings = []
    for each in amphorae:
        if each.status in _PASSING or each.image_id == image_id:
            continue
        if each.image_id:
            findings.append(Finding(each, STALE, f"it runs {each.image_id}, and {image_id} is wanted"))
        else:
            findings.append(Finding(each, UNKNOWN, "what it was booted from is not recorded"))
    return findings


def amphorae_by_relations(servers: Iterable[FoundServer], related: InstanceAwareImageService) -> list[Amphora]:
    """Give our project's servers as amphorae, with the image that Glance relates each boot to; one request a server.

    The image of a server that has several such relations is the one that Nova names, if it is among them.
    """
    found = []
    for each in servers:
        images = [image.id for image in related.images(each.server.id, Kind.BOOT)]
        image_id = each.server.image_id if each.server.image_id in images else next(iter(images), None)
        found.append(
            Amphora(id=each.server.name, server_id=each.server.id, image_id=image_id, created_at=each.created_at)
        )
    return found
