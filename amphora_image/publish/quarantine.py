# SPDX-License-Identifier: Apache-2.0
"""Taking an image out of use for good: its tags go to their former holders, then it is hidden."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from amphora_image.clients.glance_tags import is_movable
from amphora_image.errors import EmptyTagError, ResourceNotFoundError
from amphora_image.publish.ensure import Holding
from amphora_image.publish.entry import KEPT_FOR, QUARANTINE, QUARANTINED, check_reason
from amphora_image.publish.history import former_of, objection, observe

if TYPE_CHECKING:
    from amphora_image.clients.glance_tags import Value
    from amphora_image.models import ImageRecord
    from amphora_image.publish.history import Seen
    from amphora_image.publish.promote import Promoter, Promotion


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """What was done: ``moved`` tags went to their former holders, ``emptied`` ones lead to no image any more.

    ``reason`` is that of the first time, which is kept. ``changed`` is False when nothing was left to do.
    """

    image_id: str
    reason: str
    moved: tuple[Promotion, ...]
    emptied: tuple[str, ...]
    changed: bool


def quarantine(promoter: Promoter, image_id: str, *, reason: str, leave_empty: bool = False) -> Quarantine:
    """Give each tag of an image to its former holder, then hide the image and take all its tags away.

    Servers that run the image are left alone. Doing it again changes nothing, and finishes what was begun.

    :raises ConfigurationError: the reason is too long.
    :raises ResourceNotFoundError: there is no such image.
    :raises EmptyTagError: for some tag no other image may be booted, and not ``leave_empty``; nothing was changed.
    :raises OvertakenError: another promotion of the same moment holds one of the tags.
    :raises PromotionBusyError: the lock was not free in time.
    :raises AmphoraImageError: Glance refuses or gives no answer; the same call again finishes what was begun.
    """
    reason = check_reason(reason)
    with promoter.lock():
        record = promoter.store.get(image_id)
        if record is None:
            raise ResourceNotFoundError("image", image_id)
        heirs, emptied = _heirs(promoter, record)
        if emptied and not leave_empty:
            raise EmptyTagError(image_id, emptied)
        moved = tuple(promoter.move(seen, heir, QUARANTINE, reason) for seen, heir in heirs)
        ensurer = promoter.ensurer()
        done = ensurer.ensure(image_id, _out_of_use(promoter, record, reason))
        return Quarantine(
            image_id=image_id,
            reason=_reason_of(done) or reason,
            moved=moved,
            emptied=emptied,
            changed=ensurer.changes > 0 or any(one.changed for one in moved),
        )


def _heirs(promoter: Promoter, record: ImageRecord) -> tuple[list[tuple[Seen, str]], tuple[str, ...]]:
    """Say which tags go to which image, and which would be left empty.

    A tag that leads to another image anyway, or to none now, is in neither.
    """
    heirs: list[tuple[Seen, str]] = []
    emptied: list[str] = []
    if objection(record, promoter.rules):
        return [], ()
    for tag in record.tags:
        seen = observe(promoter.store, tag, promoter.rules.owner)
        if seen.winner(promoter.rules, without=record.id):
            continue
        former = former_of(seen.entries, record.id)
        heir = None if former is None else seen.records.get(former) or promoter.store.get(former)
        if heir is None or objection(heir, promoter.rules) or not is_movable(tag):
            emptied.append(tag)
        else:
            heirs.append((seen, heir.id))
    return heirs, tuple(emptied)


def _reason_of(record: ImageRecord) -> str:
    """Give the reason that is kept on an image, empty where somebody wrote another note by hand."""
    try:
        return str(json.loads(record.properties[QUARANTINED])["why"])
    except (ValueError, KeyError, TypeError):
        return ""


def _out_of_use(promoter: Promoter, before: ImageRecord, reason: str) -> Holding:
    """Hide an image, say why, take its tags, and end a protection that is ours: all in one request."""
    at = promoter.pace.now().astimezone(UTC).isoformat(timespec="seconds")
    note = json.dumps({"at": at, "by": promoter.by, "why": reason, "tags": before.tags[:20]})

    def values(record: ImageRecord) -> dict[str, Value]:
        wanted: dict[str, Value] = {}
        if record.tags:
            wanted["tags"] = []
        if not record.hidden:
            wanted["os_hidden"] = True
        if QUARANTINED not in record.properties:
            wanted[QUARANTINED] = note
        if KEPT_FOR in record.properties:
            wanted |= {KEPT_FOR: None, "protected": False}
        return wanted

    return Holding(values, lambda record: not values(record))
