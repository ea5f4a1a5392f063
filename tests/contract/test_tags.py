# SPDX-License-Identifier: Apache-2.0
"""What moving a tag relies on of Glance, kept by the fake and by the real one alike."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from fakes.glance_tags import FakeTags

from amphora_image.errors import RequestRefusedError, ResourceNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from amphora_image.clients.glance_tags import TagStore


@dataclass(frozen=True)
class Shelf:
    """A store under test and its project; ``add`` makes an active image with tags and gives its id."""

    store: TagStore
    ours: str
    add: Callable[..., str]


@pytest.fixture(params=["fake", "glance"])
def shelf(request):
    return request.getfixturevalue(f"{request.param}_shelf")


@pytest.fixture
def fake_shelf():
    store = FakeTags()
    return Shelf(store, "ours", lambda *tags: store.add("v1", *tags).id)


@pytest.fixture
def glance_shelf(cloud, open_runtime):
    from amphora_image.clients.glance_tags import GlanceTags  # noqa: PLC0415 - the fake needs no client library
    from amphora_image.clients.session import adapter  # noqa: PLC0415 - as above

    runtime = open_runtime()
    made = []
    store = GlanceTags(adapter(runtime.session, runtime.conf.glance, "image"), deadline_seconds=10)

    def add(*tags):
        made.append(cloud.upload("v1", *tags))
        return made[-1]

    yield Shelf(store, cloud.trusted, add)
    for one in made:
        store.change(one, {"protected": False})


def test_a_tag_is_put_and_taken_twice_without_harm_and_protected_or_not(shelf, tag):
    image_id = shelf.add("other")
    for protected in (False, True):
        shelf.store.change(image_id, {"protected": protected})
        for _ in range(2):
            shelf.store.tag(image_id, tag)
            assert set(shelf.store.get(image_id).tags) == {"other", tag}
        for _ in range(2):
            shelf.store.untag(image_id, tag)
            assert shelf.store.get(image_id).tags == ("other",)


@pytest.mark.parametrize("tail", ["a#b", "a?b", "a%2Fb", " a b", "a;b\\", "~" * 200])
def test_a_tag_is_put_to_the_letter(shelf, tag, tail):
    image_id = shelf.add()

    shelf.store.tag(image_id, f"{tag}{tail}")
    assert shelf.store.get(image_id).tags == (f"{tag}{tail}",)
    assert [one.id for one in shelf.store.holders(f"{tag}{tail}", shelf.ours)] == [image_id]
    shelf.store.untag(image_id, f"{tag}{tail}")
    assert shelf.store.get(image_id).tags == ()


def test_values_are_set_changed_and_taken_away(shelf, tag):
    image_id = shelf.add(tag)
    long = "x" * 20_000

    shelf.store.change(image_id, {"amphora_image_a": "1", "amphora_image_b": long, "protected": True})
    shelf.store.change(image_id, {"amphora_image_a": "ü", "os_hidden": True, "tags": []})
    record = shelf.store.get(image_id)
    assert (record.properties["amphora_image_a"], record.properties["amphora_image_b"]) == ("ü", long)
    assert (record.protected, record.hidden, record.tags) == (True, True, ())
    shelf.store.change(image_id, {"amphora_image_a": None, "protected": False})
    record = shelf.store.get(image_id)
    assert ("amphora_image_a" in record.properties, record.protected) == (False, False)


def test_taking_away_a_property_that_is_not_there_is_refused(shelf):
    with pytest.raises(RequestRefusedError, match="HTTP 409"):
        shelf.store.change(shelf.add(), {"amphora_image_a": None})


def test_holders_and_marked_images_are_listed_hidden_ones_too(shelf, tag):
    shown, hidden = shelf.add(tag), shelf.add(tag)
    shelf.store.change(hidden, {"os_hidden": True, "amphora_image_t": tag})

    assert {one.id for one in shelf.store.holders(tag, shelf.ours)} == {shown, hidden}
    assert {one.id for one in shelf.store.holders(tag, None)} == {shown, hidden}
    assert shelf.store.holders(tag, "another") == []
    assert [one.id for one in shelf.store.with_property("amphora_image_t", tag, shelf.ours)] == [hidden]
    assert shelf.store.with_property("amphora_image_t", tag, "another") == []
    assert shelf.store.with_property("amphora_image_t", tag.upper(), shelf.ours) == []


def test_an_image_that_is_not_there_is_none_has_no_tag_to_take_and_takes_none(shelf, tag):
    nobody = str(uuid.uuid4())

    assert shelf.store.get(nobody) is None
    shelf.store.untag(nobody, tag)
    with pytest.raises(ResourceNotFoundError):
        shelf.store.tag(nobody, tag)
    with pytest.raises(ResourceNotFoundError):
        shelf.store.change(nobody, {"protected": False})
