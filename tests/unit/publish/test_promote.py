# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from fakes.glance_tags import FakeTags

from amphora_image.choice import Rules, choose
from amphora_image.errors import (
    CannotBootError,
    ConfigurationError,
    OvertakenError,
    QuotaExceededError,
    ServiceUnavailableError,
)
from amphora_image.publish.entry import KEPT_FOR, history_property
from amphora_image.publish.history import observe
from amphora_image.publish.promote import Pace, Promoter

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
RULES = Rules(owner="ours")
UNDONE = ServiceUnavailableError("Glance", "HTTP 503")


def promoter(store, by="op (u1)", **more):
    pace = Pace(deadline_seconds=5, now=lambda: NOW, sleep=lambda _: None)
    return Promoter(store, by=by, pace=pace, **{"rules": RULES, **more})


def holders(store, tag="amphora"):
    return [one.name for one in store.records.values() if tag in one.tags]


def changes(store):
    return [one for one in store.requests if one.startswith(("tag", "untag", "change"))]


def test_the_new_holder_is_tagged_before_the_other_is_untagged():
    store = FakeTags()
    old, new = store.add("old", "amphora"), store.add("new", minutes=1)

    done = promoter(store).promote(new.id, "amphora", reason="a  newer\nagent")

    assert holders(store) == ["new"]
    tagging, untagging = (changes(store).index(f"{verb} amphora") for verb in (f"tag {new.id}", f"untag {old.id}"))
    assert tagging < untagging
    assert store.records[old.id].protected
    assert store.records[new.id].protected
    assert (done.image_id, done.former_id, done.number, done.changed) == (new.id, old.id, 1, True)
    assert (done.by, done.at, done.reason) == ("op (u1)", "2026-11-21T15:00:00.000+00:00", "a newer agent")


def test_holder_and_former_are_protected_and_the_one_before_no_longer():
    store = FakeTags()
    first, second, third = (store.add(name, minutes=age) for age, name in enumerate(["first", "second", "third"]))
    for one in (first, second, third):
        promoter(store).promote(one.id, "amphora")

    assert {one.name: one.protected for one in store.records.values()} == {
        "first": False,
        "second": True,
        "third": True,
    }
    assert KEPT_FOR not in store.records[first.id].properties


def test_what_another_tag_or_somebody_else_protects_stays_protected():
    store = FakeTags()
    shared, foreign = store.add("shared"), store.add("foreign", protected=True)
    promoter(store).promote(shared.id, "other")
    for one in (shared, foreign, store.add("third"), store.add("fourth")):
        promoter(store).promote(one.id, "amphora")

    assert store.records[shared.id].protected
    assert store.records[foreign.id].protected
    assert KEPT_FOR not in store.records[foreign.id].properties


def test_promoting_the_holder_again_sends_no_change():
    store = FakeTags()
    store.add("old", "amphora")
    new = store.add("new", minutes=1)
    first = promoter(store).promote(new.id, "amphora")
    store.requests.clear()

    again = promoter(store, by="another").promote(new.id, "amphora")

    assert changes(store) == []
    assert (again.changed, again.number, again.by) == (False, first.number, first.by)


def test_an_image_that_was_tagged_by_hand_is_taken_over():
    store = FakeTags()
    image = store.add("by hand", "amphora")

    done = promoter(store).promote(image.id, "amphora")

    assert (done.changed, done.former_id, holders(store)) == (True, None, ["by hand"])


def test_all_other_holders_of_the_trusted_owner_are_untagged_and_no_foreign_one():
    store = FakeTags()
    for name, fields in {"hidden": {"hidden": True}, "queued": {"status": "queued"}, "old": {}}.items():
        store.add(name, "amphora", **fields)
    store.add("foreign", "amphora", owner="theirs")
    new = store.add("new")

    promoter(store).promote(new.id, "amphora")

    assert holders(store) == ["foreign", "new"]


def test_where_every_owner_is_trusted_every_holder_is_untagged():
    store = FakeTags()
    store.add("foreign", "amphora", owner="theirs")

    promoter(store, rules=Rules(owner=None)).promote(store.add("new", minutes=1).id, "amphora")
    assert holders(store) == ["new"]


def test_the_oldest_of_the_others_is_untagged_first_so_that_no_third_image_wins_meanwhile():
    store = FakeTags()
    older, newer = (store.add("b", "amphora", minutes=age).id for age in (2, 3))
    target = store.add("a", minutes=1)
    winners = []
    store.between = lambda _: winners.append(choose(store.with_tag("amphora"), RULES).winner.id)

    promoter(store).promote(target.id, "amphora")

    assert set(winners) == {newer, target.id}
    assert changes(store).index(f"untag {older} amphora") < changes(store).index(f"untag {newer} amphora")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": "deactivated"}, "its status is deactivated"),
        ({"status": "queued"}, "its status is queued"),
        ({"hidden": True}, "it is hidden"),
        ({"owner": "theirs"}, "its owner is project theirs"),
        ({"hidden": True, "properties": {"amphora_image_quarantined": "{}"}}, "it is in quarantine"),
    ],
)
def test_what_cannot_boot_is_not_promoted(fields, reason):
    store = FakeTags()
    store.add("old", "amphora")
    image = store.add("new", **fields)

    with pytest.raises(CannotBootError, match=reason):
        promoter(store).promote(image.id, "amphora")
    assert (holders(store), changes(store)) == (["old"], [])


def test_a_denied_and_a_vanished_image_are_not_promoted():
    store = FakeTags()
    image = store.add("denied")
    rules = Rules(owner="ours", denied_image_ids=frozenset([image.id]))

    with pytest.raises(CannotBootError, match="denied_image_ids"):
        promoter(store, rules=rules).promote(image.id, "amphora")
    with pytest.raises(CannotBootError, match="does not exist"):
        promoter(store).promote("gone", "amphora")


@pytest.mark.parametrize("tag", ["", "a/b", "x" * 256, "a\nb", "ß", ".", "..", "\x7f"])
def test_a_tag_that_glances_route_cannot_take_is_refused_before_any_request(tag):
    """The issue: *a tag with a slash is refused by these with a clear error*."""
    store = FakeTags()

    with pytest.raises(ConfigurationError, match="cannot be moved"):
        promoter(store).promote("any", tag)
    assert store.requests == []


def test_a_reason_that_is_too_long_is_refused():
    with pytest.raises(ConfigurationError, match="201 characters"):
        promoter(FakeTags()).promote("any", "amphora", reason="x" * 201)


def test_a_change_that_was_lost_to_another_is_sent_again():
    store = FakeTags()
    image = store.add("new")
    lost = iter([True])

    def undo(_):
        if "amphora" in store.records[image.id].tags and next(lost, False):
            store.set(image.id, tags=())

    store.between = undo
    assert promoter(store).promote(image.id, "amphora").changed
    assert holders(store) == ["new"]
    assert changes(store).count(f"tag {image.id} amphora") == 2


def test_a_request_that_fails_in_passing_is_asked_again():
    store = FakeTags()
    store.add("old", "amphora")
    image = store.add("new", minutes=1)
    for place in range(3, 18):
        store.faults = [None] * place + [UNDONE]
        with contextlib.suppress(ServiceUnavailableError):  # of lists, which the real client itself asks again
            promoter(store).promote(image.id, "amphora")
        store.faults.clear()
        assert "new" in holders(store)
    promoter(store).promote(image.id, "amphora")
    assert holders(store) == ["new"]


def test_a_quota_is_told_and_the_tag_is_where_it_was():
    store = FakeTags()
    store.add("old", "amphora")
    image = store.add("new", "one", "two", minutes=1)
    store.max_tags = 2

    with pytest.raises(QuotaExceededError):
        promoter(store).promote(image.id, "amphora")
    assert holders(store) == ["old"]


def test_who_finds_a_higher_promotion_gives_way():
    store = FakeTags()
    store.add("old", "amphora")
    mine, theirs = store.add("mine", minutes=2), store.add("theirs", minutes=1)
    once = iter([True])

    def overtake(_):
        if "amphora" in store.records[mine.id].tags and next(once, False):
            promoter(store, by="other (u2)").promote(theirs.id, "amphora")

    store.between = overtake
    with pytest.raises(OvertakenError, match=r"other \(u2\)") as caught:
        promoter(store).promote(mine.id, "amphora")
    assert caught.value.exit_code == 3
    assert holders(store) == ["theirs"]
    assert [one.to for one in observe(store, "amphora", "ours").entries][-1] == theirs.id


def test_an_image_that_is_promoted_again_just_before_it_is_untagged_keeps_the_tag():
    store = FakeTags()
    first, second = (store.add(name, "amphora", minutes=age).id for age, name in enumerate(["first", "second"]))
    mine, once = store.add("mine", minutes=2).id, iter([True])

    def overtake(point):
        if point == "saved" and "amphora" not in store.records[first].tags and next(once, False):
            promoter(store, by="other (u2)").promote(second, "amphora")

    store.between = overtake
    with pytest.raises(OvertakenError):
        promoter(store).promote(mine, "amphora")
    assert holders(store) == ["second"]
    assert changes(store).count(f"untag {second} amphora") == 0


def test_a_promotion_that_was_wiped_off_its_image_is_written_again_before_the_others_are_untagged():
    store = FakeTags()
    old = store.add("old", "amphora")
    new, once = store.add("new", minutes=1).id, iter([True])

    def wipe(_):
        if "amphora" in store.records[new].tags and next(once, False):
            store.set(new, properties={})

    store.between = wipe
    promoter(store).promote(new, "amphora")
    written = [place for place, one in enumerate(changes(store)) if one.startswith(f"change {new}")]
    assert len(written) == 2
    assert written[1] < changes(store).index(f"untag {old.id} amphora")


def test_an_image_that_may_not_be_booted_once_it_is_tagged_takes_the_tag_from_nobody():
    store = FakeTags()
    store.add("old", "amphora")
    new = store.add("new", minutes=1).id

    def deactivate(_):
        if "amphora" in store.records[new].tags:
            store.set(new, status="deactivated")

    store.between = deactivate
    with pytest.raises(CannotBootError, match="deactivated"):
        promoter(store).promote(new, "amphora")
    assert "old" in holders(store)


def test_the_lock_is_held_from_the_first_request_to_the_last():
    store = FakeTags()
    image, held = store.add("new"), []

    @contextmanager
    def lock():
        held.append(len(store.requests))
        yield
        held.append(len(store.requests))

    promoter(store, lock=lock).promote(image.id, "amphora")
    assert held == [0, len(store.requests)]


def test_ten_promotions_are_remembered_and_fit_into_what_glance_keeps():
    store = FakeTags()
    images = [store.add(f"v{age}", minutes=age) for age in range(13)]
    for one in images:
        promoter(store, by="ü" * 64).promote(one.id, "amphora", reason="ü" * 200)

    seen = observe(store, "amphora", "ours")
    assert [one.number for one in seen.entries][-10:] == [*range(4, 14)]
    text = store.records[images[-1].id].properties[history_property("amphora")]
    assert len(text) < 20_000
    assert text.isascii()
