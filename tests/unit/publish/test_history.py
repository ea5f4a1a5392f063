# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from fakes.glance_tags import FakeTags

from amphora_image.publish.entry import (
    PROMOTE,
    ROLLBACK,
    Entry,
    author,
    entries_of,
    history_property,
    tag_property,
    text_of,
)
from amphora_image.publish.history import former_of, held_in_order, observe


def moves(*steps):
    """Make entries of ``from>to``, a rollback where it ends in ``!``."""
    made = []
    for number, step in enumerate(steps, 1):
        former, _, to = step.rstrip("!").partition(">")
        action = ROLLBACK if step.endswith("!") else PROMOTE
        made.append(
            Entry(number=number, at="2026", action=action, former=former or None, to=to, by="op (u1)", reason="ü")
        )
    return made


@pytest.mark.parametrize(
    ("steps", "held"),
    [
        ([], []),
        ([">a", "a>b", "b>c"], ["a", "b", "c"]),
        (["a>b"], ["a", "b"]),
        ([">a", "a>b", "b>a!"], ["a"]),
        ([">a", "a>b", "b>a"], ["b", "a"]),
        ([">a", "a>b", "b>c", "c>b!"], ["a", "b"]),
        ([">a", "a>b", "a>c"], ["a", "c"]),  # b never got it
        ([">a", "a>b", "x>c"], ["a", "b", "x", "c"]),  # by hand to x
        (["b>a!"], ["a"]),
    ],
)
def test_who_held_the_tag_follows_from_what_is_remembered(steps, held):
    assert held_in_order(moves(*steps)) == held


def test_the_former_is_who_came_before():
    past = moves(">a", "a>b", "b>c")
    assert [former_of(past, one) for one in ("a", "b", "c", "by hand", None)] == [None, "a", "b", "c", "c"]


def test_entries_survive_being_written_and_read():
    store, past = FakeTags(), moves(">a", "a>b")
    image = store.add("b", properties={history_property("t"): text_of(past).replace('"to":"b"', '"to":"%s"')})
    text = image.properties[history_property("t")] % image.id
    store.set(image.id, properties={history_property("t"): text})

    read = entries_of(store.records[image.id], "t")
    assert [(one.former, one.by, one.reason) for one in read] == [(None, "op (u1)", "ü"), ("a", "op (u1)", "ü")]
    assert entries_of(store.records[image.id], "other") == ()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "[1]", "{}", "null", '[{"n":1}]', '[{"n":"x","at":"","do":"","from":null}]']
)
def test_what_is_no_history_is_none(text):
    image = FakeTags().add("v1", properties={history_property("t"): text})
    assert entries_of(image, "t") == ()


def test_a_snapshot_that_inherited_a_history_has_none_and_is_not_looked_at():
    store = FakeTags()
    text = text_of(moves(">somebody-else"))
    store.add("snapshot", properties={tag_property("t"): "t", history_property("t"): text})

    assert observe(store, "t", "ours").records == {}


def test_two_tags_are_told_apart_by_the_names_of_their_properties():
    assert history_property("amphora") != history_property("amphora2")
    assert len(history_property("x" * 255)) < 255


def test_a_users_name_is_cut_where_it_is_long():
    assert author("x" * 100, "u1") == f"{'x' * 64} (u1)"
