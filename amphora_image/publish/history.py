# SPDX-License-Identifier: Apache-2.0
"""What is known of a tag at one moment: its holders, its past, and who comes next in each case. Pure but for reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.choice import choose
from amphora_image.publish.entry import PROMOTE, QUARANTINED, entries_of, own_entry, tag_property

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from amphora_image.choice import Rules
    from amphora_image.clients.glance_tags import TagStore
    from amphora_image.models import Candidate, ImageRecord
    from amphora_image.publish.entry import Entry

_NOBODY = (0, "", "")


@dataclass(frozen=True, slots=True)
class Seen:
    """The trusted owner's images that hold ``tag`` or ever were promoted to it, by id."""

    tag: str
    records: Mapping[str, ImageRecord]

    @property
    def holders(self) -> list[ImageRecord]:
        """Give the images that have the tag now, whether they can boot or not, the oldest first."""
        found = [one for one in self.records.values() if self.tag in one.tags]
        return sorted(found, key=lambda one: one.age_key, reverse=True)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Give every promotion that any of the images remembers, the oldest first."""
        found = {entry.rank: entry for record in self.records.values() for entry in entries_of(record, self.tag)}
        return tuple(found[rank] for rank in sorted(found))

    def winner(self, rules: Rules, *, without: str | None = None) -> Candidate | None:
        """Give the holder that readers choose, leaving the image ``without`` aside."""
        return choose([one for one in self.holders if one.id != without], rules).winner

    def bootable(self, rules: Rules) -> list[str]:
        """Give the ids of all that may be promoted, the newest first."""
        judged = choose(self.records.values(), rules).verdicts
        return [each.candidate.id for each in judged if objection(self.records[each.candidate.id], rules) is None]


def observe(store: TagStore, tag: str, owner: str | None) -> Seen:
    """Read what is known of ``tag`` for the images of ``owner`` (None: of everyone)."""
    known = store.with_property(tag_property(tag), tag, owner)
    found = {one.id: one for one in known if entries_of(one, tag)}
    return Seen(tag, found | {one.id: one for one in store.holders(tag, owner)})


def objection(record: ImageRecord, rules: Rules) -> str | None:
    """Say why no tag may lead to an image, None when one may."""
    if record.properties.get(QUARANTINED):  # and hidden, too, but that says less
        return f"it is in quarantine (property {QUARANTINED}: {record.properties[QUARANTINED]})"
    return rules.objection(record)


def rank_of(record: ImageRecord, tag: str) -> tuple[int, str, str]:
    """Give the rank of an image's last promotion; whoever was tagged by hand comes below all others."""
    entry = own_entry(record, tag)
    return entry.rank if entry else _NOBODY


def held_in_order(entries: Iterable[Entry]) -> list[str]:
    """Give the images that held the tag and were not taken back, the present one last.

    A promotion that never took effect, or a tag that was moved by hand, shows in the next one's ``former``.
    """
    held: list[str] = []
    for entry in entries:
        if entry.former in held:
            del held[held.index(entry.former) + 1 :]
        elif entry.former is not None:
            held.append(entry.former)
        if entry.action != PROMOTE and entry.former is not None:
            held.remove(entry.former)
        if entry.to in held:
            held.remove(entry.to)
        held.append(entry.to)
    return held


def former_of(entries: Iterable[Entry], image_id: str | None) -> str | None:
    """Give the id of the image that held the tag before ``image_id`` (None: before nobody), None where none is known."""
    held = held_in_order(entries)
    if image_id in held:
        held = held[: held.index(image_id)]
    return held[-1] if held else None
