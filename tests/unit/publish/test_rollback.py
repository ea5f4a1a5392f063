# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from fakes.glance_tags import FakeTags

from amphora_image.choice import Rules
from amphora_image.errors import ConfigurationError, NoFormerError
from amphora_image.publish.promote import Pace, Promoter
from amphora_image.publish.rollback import rollback

PACE = Pace(deadline_seconds=5, now=lambda: datetime(2026, 11, 21, tzinfo=UTC), sleep=lambda _: None)


class KilledError(BaseException):
    """The process is no more."""


@pytest.fixture
def store():
    return FakeTags()


@pytest.fixture
def promoter(store):
    return Promoter(store, rules=Rules(owner="ours"), by="op (u1)", pace=PACE)


@pytest.fixture
def versions(store, promoter):
    """Three versions, each promoted after the other."""
    made = [store.add(f"v{number}", minutes=number).id for number in range(3)]
    for one in made:
        promoter.promote(one, "amphora")
    return made


def holders(store):
    return [one.id for one in store.with_tag("amphora")]


def test_the_former_holder_gets_the_tag(store, promoter, versions):
    done = rollback(promoter, "amphora", reason="503s")

    assert holders(store) == [versions[1]]
    assert (done.image_id, done.former_id, done.number, done.reason) == (versions[1], versions[2], 4, "503s")


def test_a_second_rollback_changes_nothing(store, promoter, versions):
    rollback(promoter, "amphora")

    assert not rollback(promoter, "amphora").changed
    assert holders(store) == [versions[1]]


def test_after_a_rollback_and_a_promotion_the_image_that_was_taken_back_is_no_former_holder(store, promoter, versions):
    rollback(promoter, "amphora")
    fixed = store.add("v3", minutes=3).id
    promoter.promote(fixed, "amphora")

    assert rollback(promoter, "amphora").image_id == versions[1]


def test_a_former_holder_that_was_tagged_by_hand_counts(store, promoter):
    by_hand = store.add("old", "amphora").id
    promoter.promote(store.add("new", minutes=1).id, "amphora")

    assert rollback(promoter, "amphora").image_id == by_hand


def test_where_the_tag_was_moved_by_hand_the_image_that_was_promoted_last_is_the_former(store, promoter, versions):
    store.set(versions[2], tags=())
    store.add("by hand", "amphora", minutes=9)

    assert rollback(promoter, "amphora").image_id == versions[2]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "deactivated"}, "its status is deactivated"),
        ({"hidden": True}, "it is hidden"),
        ({"properties": {"amphora_image_quarantined": "{}"}}, "it is in quarantine"),
    ],
)
def test_a_former_that_cannot_boot_any_more_is_refused_with_the_others_named(store, promoter, versions, change, reason):
    """The issue: *rollback … to the former holder, after checking that it still can boot*."""
    store.set(versions[1], **change)

    with pytest.raises(NoFormerError, match=reason) as caught:
        rollback(promoter, "amphora")
    assert caught.value.candidates == (versions[0],)
    assert holders(store) == [versions[2]]


def test_a_former_that_was_deleted_is_refused(store, promoter, versions):
    del store.records[versions[1]]

    with pytest.raises(NoFormerError, match=f"{versions[1]} does not exist any more"):
        rollback(promoter, "amphora")


def test_a_tag_without_a_past_has_nothing_to_go_back_to(store, promoter):
    store.add("by hand", "amphora")

    with pytest.raises(NoFormerError, match="none is known"):
        rollback(promoter, "amphora")


def test_a_tag_that_cannot_be_moved_is_refused(promoter):
    with pytest.raises(ConfigurationError, match="slash"):
        rollback(promoter, "a/b")


@pytest.mark.parametrize("lives", range(6, 30))
def test_a_promotion_that_died_anywhere_is_undone_by_a_rollback(store, promoter, versions, lives):
    new = store.add("v3", minutes=3).id
    left = iter(range(lives))

    def die(point):
        if point == "ask" and next(left, None) is None:
            raise KilledError

    store.between = die
    with suppress(KilledError):
        promoter.promote(new, "amphora")
    store.between = lambda _: None

    rollback(promoter, "amphora")
    begun = any(one.startswith(f"change {new}") for one in store.requests)
    assert holders(store) == [versions[2] if begun else versions[1]]
