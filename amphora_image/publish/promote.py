# SPDX-License-Identifier: Apache-2.0
"""Moving a tag to another image so that at every moment an image that may be booted has it.

The new holder is tagged first and read back; only then the others lose the tag, one request after another. Glance has
no compare-and-set, so promoters hold a lock where they share one. Where they do not, each promotion has a rank, which
is written on its image before the tag is: nobody takes the tag from an image of higher rank, and who finds one gives
way.
"""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from amphora_image.clients.glance_tags import check_movable
from amphora_image.errors import CannotBootError, OvertakenError, ResourceNotFoundError, ServiceUnavailableError
from amphora_image.publish.ensure import Ensurer, Tagged, Untagged
from amphora_image.publish.entry import PROMOTE, Entry, check_reason, handle, kept_for, own_entry
from amphora_image.publish.history import Seen, objection, observe, rank_of
from amphora_image.publish.marks import enrolled, kept, let_go

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from amphora_image.choice import Rules
    from amphora_image.clients.glance_tags import TagStore
    from amphora_image.models import ImageRecord
    from amphora_image.publish.ensure import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A tag's holder and how it came to be: ``number`` counts the tag's promotions.

    ``former_id`` is the image that had the tag before, None for none. ``changed`` is False when nothing was left to do.
    """

    tag: str
    image_id: str
    former_id: str | None
    number: int
    at: str
    by: str
    reason: str
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Time as a promoter sees it: each change may take ``deadline_seconds`` until it was seen to hold.

    ``settle_seconds`` is longer than it takes from an answer of Glance to the end of the request that it leads to. So
    long the new holder must have kept the tag before the others lose it: what could still undo it has happened then.
    """

    deadline_seconds: float = 60
    settle_seconds: float = 1
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep


class Promoter:
    """Promotes images to tags, for one user. Thread-safe where ``lock`` is.

    ``rules`` say which images may be booted and whose they are; ``by`` is written down as who did it. ``lock`` makes
    the context in which only one promoter at a time changes tags, see :mod:`amphora_image.publish.lock`.
    """

    def __init__(
        self,
        store: TagStore,
        *,
        rules: Rules,
        by: str,
        lock: Callable[[], AbstractContextManager[object]] = nullcontext,
        pace: Pace | None = None,
    ) -> None:
        self.store = store
        self.rules = rules
        self.by = by
        self.lock = lock
        self.pace = pace or Pace()

    def promote(self, image_id: str, tag: str, *, reason: str = "") -> Promotion:
        """Make an image the only holder of ``tag``; doing it again changes nothing, and finishes what was begun.

        :raises ConfigurationError: the tag cannot be moved, or the reason is too long.
        :raises CannotBootError: the image may not be booted, or is gone; the tag was not moved.
        :raises OvertakenError: another promotion of the same moment holds the tag.
        :raises PromotionBusyError: the lock was not free in time.
        :raises AmphoraImageError: Glance refuses or gives no answer; the same call again finishes what was begun.
        """
        check_movable(tag)
        reason = check_reason(reason)
        with self.lock():
            return self.move(observe(self.store, tag, self.rules.owner), image_id, PROMOTE, reason)

    def move(self, seen: Seen, image_id: str, action: str, reason: str) -> Promotion:
        """Do what :meth:`promote` says, for whoever holds the lock and has ``seen`` the tag."""
        target = self.checked(seen.records.get(image_id) or self.store.get(image_id), image_id)
        draft = Entry(
            number=0,
            at=self.pace.now().astimezone(UTC).isoformat(timespec="milliseconds"),
            action=action,
            former=None,
            to=image_id,
            by=self.by,
            reason=reason,
        )
        entry = next_entry(Seen(seen.tag, {**seen.records, image_id: target}), draft, self.rules)
        ensurer = self.ensurer()
        self._take(ensurer, seen.tag, entry, enrolled(seen, entry))
        for other in seen.records.values():
            if other.id not in {image_id, entry.former} and handle(seen.tag) in kept_for(other):
                self._leave(ensurer, other.id, seen.tag)
        return Promotion(
            tag=seen.tag,
            image_id=image_id,
            former_id=entry.former,
            number=entry.number,
            at=entry.at,
            by=entry.by,
            reason=entry.reason,
            changed=ensurer.changes > 0,
        )

    def ensurer(self) -> Ensurer:
        """Make what sees the changes of one operation through."""
        return Ensurer(self.store, deadline_seconds=self.pace.deadline_seconds, sleep=self.pace.sleep)

    def checked(self, record: ImageRecord | None, image_id: str) -> ImageRecord:
        """Give ``record`` back when a tag may lead to it.

        :raises CannotBootError: none may.
        """
        reason = "it does not exist, or this user may not see it" if record is None else objection(record, self.rules)
        if record is None or reason:
            raise CannotBootError(image_id, str(reason))
        return record

    def _take(self, ensurer: Ensurer, tag: str, entry: Entry, enrol: Change) -> None:
        """Tag the image, let that settle, and untag the others until a look shows that there are none.

        :raises OvertakenError: an image of higher rank has the tag, and has kept it.
        """
        kept_by, until = "", time.monotonic() + self.pace.deadline_seconds
        self._put(ensurer, tag, enrol, entry)
        while time.monotonic() < until:
            holders = Seen(tag, {one.id: one for one in self.store.holders(tag, self.rules.owner)}).holders
            top = max(holders, key=lambda one: rank_of(one, tag), default=None)
            if top is None or rank_of(top, tag) < entry.rank:
                self._put(ensurer, tag, enrol, entry)  # it was lost to another change
                kept_by = ""
            elif len(holders) == 1 and top.id == entry.to:
                return
            elif kept_by != top.id:
                self.pace.sleep(self.pace.settle_seconds)
                kept_by = top.id
            elif top.id == entry.to:
                # Another promotion of the same image may have come after ours; if its promoter died, we finish it.
                self._retire(ensurer, tag, own_entry(top, tag) or entry, holders)
            else:
                ensurer.ensure(entry.to, Untagged(tag, lambda _: None))
                later = own_entry(top, tag)
                told = f" by {later.by} at {later.at}" if later else ""
                raise OvertakenError(tag, entry.to, f"image {top.id}{told}")
        raise ServiceUnavailableError("Glance", f"tag {tag!r} is being put on other images all the time")

    def _put(self, ensurer: Ensurer, tag: str, enrol: Change, entry: Entry) -> None:
        """Write the promotion on the image, then tag it, and check once more that it may be booted."""
        ensurer.ensure(entry.to, enrol)
        self.checked(ensurer.ensure(entry.to, Tagged(tag)), entry.to)

    def _retire(self, ensurer: Ensurer, tag: str, entry: Entry, holders: list[ImageRecord]) -> None:
        """Take the tag from the others, until one turns out to be of higher rank; protect the former one."""

        def check_rank(record: ImageRecord) -> None:
            if rank_of(record, tag) > entry.rank:
                raise _OutrankedError

        for other in holders:
            if other.id == entry.to:
                continue
            with suppress(ResourceNotFoundError, _OutrankedError):
                if other.id == entry.former and objection(other, self.rules) is None:
                    ensurer.ensure(other.id, kept(tag))
                ensurer.ensure(other.id, Untagged(tag, check_rank))

    def _leave(self, ensurer: Ensurer, image_id: str, tag: str) -> None:
        """End the protection of an image that is neither the tag's holder nor the former one."""
        try:
            ensurer.ensure(image_id, let_go(tag))
        except ResourceNotFoundError:
            return


class _OutrankedError(Exception):
    """An image turned out to have been promoted after ours."""


def next_entry(seen: Seen, draft: Entry, rules: Rules) -> Entry:
    """Give ``draft`` its number and former holder; or the last promotion again, where that is the one to be done.

    The last one is to be finished when it led to the same image and that has the tag, or the image it was to come from
    still is what readers choose.
    """
    last = seen.entries[-1] if seen.entries else None
    winner = seen.winner(rules, without=draft.to)
    former = winner.id if winner else None
    if last is None:
        return replace(draft, number=1, former=former)
    if last.to == draft.to and (draft.to in {one.id for one in seen.holders} or last.former == former):
        return last
    return replace(draft, number=last.number + 1, former=former or (last.to if last.to != draft.to else None))
