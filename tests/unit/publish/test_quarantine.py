# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from fakes.glance_tags import FakeTags

from amphora_image.choice import Rules, choose
from amphora_image.errors import CannotBootError, EmptyTagError, ResourceNotFoundError
from amphora_image.publish.entry import KEPT_FOR, QUARANTINED
from amphora_image.publish.promote import Pace, Promoter
from amphora_image.publish.quarantine import quarantine

RULES = Rules(owner="ours")
PACE = Pace(deadline_seconds=5, now=lambda: datetime(2026, 11, 21, tzinfo=UTC), sleep=lambda _: None)


@pytest.fixture
def store():
    return FakeTags()


@pytest.fixture
def promoter(store):
    return Promoter(store, rules=RULES, by="op (u1)", pace=PACE)


@pytest.fixture
def bad(store, promoter):
    """The holder of two tags, which good held before."""
    good, bad = store.add("good").id, store.add("bad", minutes=1).id
    for tag in ("amphora", "canary"):
        promoter.promote(good, tag)
        promoter.promote(bad, tag)
    return bad


def names(store, tag):
    return [one.name for one in store.with_tag(tag)]


def test_every_tag_goes_to_its_former_holder_before_the_image_is_hidden(store, promoter, bad):
    winners = []

    def look(_):
        winners.extend(choose(store.with_tag(tag), RULES).winner is not None for tag in ("amphora", "canary"))

    store.between = look
    done = quarantine(promoter, bad, reason="CVE-2026-1")

    assert all(winners)
    assert (names(store, "amphora"), names(store, "canary")) == (["good"], ["good"])
    record = store.records[bad]
    assert (record.hidden, record.tags, record.protected) == (True, (), False)
    assert KEPT_FOR not in record.properties
    assert json.loads(record.properties[QUARANTINED])["why"] == "CVE-2026-1"
    assert ([one.tag for one in done.moved], done.emptied, done.changed) == (["amphora", "canary"], (), True)


def test_doing_it_again_changes_nothing_and_tells_the_reason_that_is_kept(store, promoter, bad):
    quarantine(promoter, bad, reason="bad")

    again = quarantine(promoter, bad, reason="worse")
    assert (again.changed, again.reason) == (False, "bad")
    store.set(bad, properties={QUARANTINED: "by hand"})
    assert quarantine(promoter, bad, reason="worse").reason == "worse"


def test_an_image_in_quarantine_is_not_promoted_even_when_somebody_shows_it_again(store, promoter, bad):
    quarantine(promoter, bad, reason="bad")
    store.set(bad, hidden=False)

    with pytest.raises(CannotBootError, match="quarantine"):
        promoter.promote(bad, "amphora")


def test_a_tag_is_not_left_empty_unless_that_is_asked_for(store, promoter):
    """The issue: *quarantine refuses to leave a tag empty unless --leave-empty*."""
    only = store.add("only", "other").id
    promoter.promote(only, "amphora")
    before = store.records[only]

    with pytest.raises(EmptyTagError, match="'amphora', 'other'"):
        quarantine(promoter, only, reason="bad")
    assert store.records[only] == before
    assert quarantine(promoter, only, reason="bad", leave_empty=True).emptied == ("amphora", "other")
    assert (store.records[only].hidden, store.records[only].tags) == (True, ())


def test_a_former_that_cannot_boot_does_not_get_the_tag(store, promoter, bad):
    store.set(next(iter(store.records)), status="deactivated")

    with pytest.raises(EmptyTagError):
        quarantine(promoter, bad, reason="bad")


def test_an_image_that_was_rolled_back_from_does_not_get_the_tag(store, promoter):
    first, second, third = (store.add(f"v{age}", minutes=age).id for age in range(3))
    promoter.promote(first, "amphora")
    promoter.promote(second, "amphora")
    promoter.promote(third, "amphora")
    quarantine(promoter, third, reason="bad")

    quarantine(promoter, second, reason="bad too")
    assert names(store, "amphora") == ["v0"]


def test_where_another_image_has_the_tag_too_it_is_only_taken_away(store, promoter):
    bad = store.add("bad", "amphora", minutes=1).id
    store.add("other", "amphora")

    done = quarantine(promoter, bad, reason="bad")
    assert (names(store, "amphora"), done.moved) == (["other"], ())


def test_a_tag_with_a_slash_keeps_an_image_from_being_hidden_only_where_nothing_else_has_it(store, promoter):
    bad = store.add("bad", "a/b").id
    with pytest.raises(EmptyTagError, match="'a/b'"):
        quarantine(promoter, bad, reason="bad")

    store.add("other", "a/b")
    quarantine(promoter, bad, reason="bad")
    assert names(store, "a/b") == ["other"]


def test_an_image_that_boots_nobody_anyway_empties_no_tag(store, promoter):
    bad = store.add("bad", "amphora", status="deactivated").id

    assert quarantine(promoter, bad, reason="bad").emptied == ()


def test_an_image_that_does_not_exist_is_told(promoter):
    with pytest.raises(ResourceNotFoundError):
        quarantine(promoter, "gone", reason="bad")


def test_what_somebody_else_protected_stays_protected(store, promoter):
    store.add("other", "amphora")
    bad = store.add("bad", "amphora", protected=True).id

    quarantine(promoter, bad, reason="bad")
    assert store.records[bad].protected
