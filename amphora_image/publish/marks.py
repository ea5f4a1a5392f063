# SPDX-License-Identifier: Apache-2.0
"""The changes of properties and protection that go with a tag's move, as values to be seen through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amphora_image.publish.ensure import Holding
from amphora_image.publish.entry import (
    KEPT_FOR,
    handle,
    history_property,
    kept_for,
    own_entry,
    tag_property,
    text_of,
)

if TYPE_CHECKING:
    from amphora_image.clients.glance_tags import Value
    from amphora_image.models import ImageRecord
    from amphora_image.publish.entry import Entry
    from amphora_image.publish.history import Seen


def enrolled(seen: Seen, entry: Entry) -> Holding:
    """Remember ``entry`` and the promotions before it on its image, and protect that."""
    past = [one for one in seen.entries if one.rank < entry.rank]
    marks: dict[str, Value] = {tag_property(seen.tag): seen.tag, history_property(seen.tag): text_of([*past, entry])}

    def values(record: ImageRecord) -> dict[str, Value]:
        return {**marks, **_protecting(record, seen.tag)}

    def done(record: ImageRecord) -> bool:
        own = own_entry(record, seen.tag)
        remembered = own is not None and own.rank >= entry.rank and tag_property(seen.tag) in record.properties
        return remembered and not _protecting(record, seen.tag)

    return Holding(values, done)


def kept(tag: str) -> Holding:
    """Protect an image for ``tag``."""
    return Holding(lambda record: _protecting(record, tag), lambda record: not _protecting(record, tag))


def let_go(tag: str) -> Holding:
    """Protect an image for ``tag`` no longer; what another tag or somebody else protects stays protected."""
    return Holding(lambda record: _releasing(record, tag), lambda record: not _releasing(record, tag))


def _protecting(record: ImageRecord, tag: str) -> dict[str, Value]:
    """Give what is missing; an image that somebody else protected is left as it is."""
    handles = kept_for(record)
    if record.protected and (not handles or handle(tag) in handles):
        return {}
    return {KEPT_FOR: ",".join(sorted({*handles, handle(tag)})), "protected": True}


def _releasing(record: ImageRecord, tag: str) -> dict[str, Value]:
    """Give what takes our protection for ``tag`` away."""
    handles = kept_for(record)
    if handle(tag) not in handles:
        return {}
    left = sorted(handles - {handle(tag)})
    return {KEPT_FOR: ",".join(left)} if left else {KEPT_FOR: None, "protected": False}
