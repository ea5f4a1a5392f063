# SPDX-License-Identifier: Apache-2.0
"""Giving a tag back to its former holder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amphora_image.clients.glance_tags import check_movable
from amphora_image.errors import NoFormerError
from amphora_image.publish.entry import ROLLBACK, check_reason
from amphora_image.publish.history import former_of, objection, observe, rank_of

if TYPE_CHECKING:
    from amphora_image.choice import Rules
    from amphora_image.publish.history import Seen
    from amphora_image.publish.promote import Promoter, Promotion


def rollback(promoter: Promoter, tag: str, *, reason: str = "") -> Promotion:
    """Give ``tag`` to the image that held it before; doing it again changes nothing, and finishes what was begun.

    To go back further, promote the image.

    :raises ConfigurationError: the tag cannot be moved, or the reason is too long.
    :raises NoFormerError: there is no former holder, or it may not be booted any more; nothing was changed.
    :raises OvertakenError: another promotion of the same moment holds the tag.
    :raises PromotionBusyError: the lock was not free in time.
    :raises AmphoraImageError: Glance refuses or gives no answer; the same call again finishes what was begun.
    """
    check_movable(tag)
    reason = check_reason(reason)
    with promoter.lock():
        seen = observe(promoter.store, tag, promoter.rules.owner)
        target = rollback_target(seen, promoter.rules)
        if target is None:
            raise _refusal(promoter, seen, "none is known")
        record = seen.records.get(target) or promoter.store.get(target)
        why_not = f"image {target} does not exist any more" if record is None else objection(record, promoter.rules)
        if why_not:
            raise _refusal(promoter, seen, why_not if record is None else f"image {target}: {why_not}")
        return promoter.move(seen, target, ROLLBACK, reason)


def rollback_target(seen: Seen, rules: Rules) -> str | None:
    """Say to which image a rollback goes, None where no former holder is known."""
    winner = seen.winner(rules)
    holder = winner.id if winner else None
    ids = {one.id for one in seen.holders}
    promoted = [one for one in seen.holders if rank_of(one, seen.tag)[0]]
    if promoted:
        holder = max(promoted, key=lambda one: rank_of(one, seen.tag)).id
    last = seen.entries[-1] if seen.entries else None
    if last is not None and last.action == ROLLBACK and (last.to in ids or last.former == holder):
        return last.to
    if last is not None and last.to not in ids and last.former == holder:
        return holder  # the last promotion never got to its image, so the former holder still has the tag
    return former_of(seen.entries, holder)


def _refusal(promoter: Promoter, seen: Seen, reason: str) -> NoFormerError:
    ids = {one.id for one in seen.holders}
    others = [one for one in seen.bootable(promoter.rules) if one not in ids]
    return NoFormerError(seen.tag, reason, tuple(others))
