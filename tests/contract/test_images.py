# SPDX-License-Identifier: Apache-2.0
"""What resolving relies on of Glance, kept by the fake and by the real one alike."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from fakes.glance import FakeImages

if TYPE_CHECKING:
    from collections.abc import Callable

    from amphora_image.clients.glance import ImageStore


@dataclass(frozen=True)
class Shelf:
    """A store under test, the two projects with images in it, and how images get there.

    ``add`` takes a name, tags and ``owner``, ``status`` or ``hidden``, and gives the id; each is newer than the last.
    ``requests`` tells how many requests the store has sent.
    """

    store: ImageStore
    ours: str
    theirs: str
    add: Callable[..., str]
    requests: Callable[[], int]


@pytest.fixture(params=["fake", "glance"])
def shelf(request):
    return request.getfixturevalue(f"{request.param}_shelf")


@pytest.fixture
def fake_shelf():
    images, ages = FakeImages(), iter(range(1000))

    def add(name: str, *tags: str, **fields: Any) -> str:
        return images.add(name, *tags, minutes=next(ages), **fields).id

    return Shelf(images, "ours", "theirs", add, lambda: len(images.requests))


@pytest.fixture
def glance_shelf(cloud, open_runtime):
    from support.wire import Wire  # noqa: PLC0415 - as above

    from amphora_image.clients.glance import GlanceImages  # noqa: PLC0415 - the fake needs no client library
    from amphora_image.clients.session import adapter  # noqa: PLC0415 - as above

    runtime = open_runtime()
    wire = Wire.under(runtime.session)
    store = GlanceImages(adapter(runtime.session, runtime.conf.glance, "image"), deadline_seconds=10)

    def add(name: str, *tags: str, owner: str = cloud.trusted, status: str = "active", hidden: bool = False) -> str:
        by = cloud.demo if owner == cloud.foreign else cloud.octavia
        image_id = (cloud.queued if status == "queued" else cloud.newer)(name, *tags, by=by)
        if status == "deactivated":
            cloud.deactivate(image_id)
        if hidden:
            cloud.hide(image_id)
        return image_id

    def requests() -> int:
        return sum(1 for _, path in wire.sent if path.startswith("/v2/images"))

    return Shelf(store, cloud.trusted, cloud.foreign, add, requests)


def bootable_ids(shelf, tag, owner):
    return [one.id for page in shelf.store.bootable(tag, owner) for one in page]


def test_an_unknown_id_gives_no_image(shelf):
    assert shelf.store.get(str(uuid.uuid4())) is None


def test_an_image_is_given_by_its_id_with_what_the_rules_look_at(shelf, tag):
    image_id = shelf.add("v1", tag, "other")

    found = shelf.store.get(image_id)

    assert (found.id, found.name, found.owner, found.status) == (image_id, "v1", shelf.ours, "active")
    assert (set(found.tags), found.hidden, found.visibility) == ({tag, "other"}, False, "private")
    assert found.created_at.tzinfo is not None


def test_bootable_images_come_newest_first(shelf, tag):
    first, second, third = (shelf.add(name, tag) for name in ("v1", "v2", "v3"))

    assert bootable_ids(shelf, tag, shelf.ours) == [third, second, first]


def test_a_tag_on_nothing_gives_no_bootable_image_after_one_request(shelf, tag):
    before = shelf.requests()

    assert bootable_ids(shelf, tag, shelf.ours) == []
    assert shelf.requests() == before + 1


def test_no_request_is_sent_before_the_first_page_is_asked_for(shelf, tag):
    before = shelf.requests()

    pages = shelf.store.bootable(tag, shelf.ours)

    assert shelf.requests() == before
    next(pages)
    assert shelf.requests() == before + 1


@pytest.mark.parametrize("fields", [{"status": "queued"}, {"status": "deactivated"}, {"hidden": True}])
def test_what_cannot_be_booted_is_listed_only_among_everything(shelf, tag, fields):
    image_id = shelf.add("not to be booted", tag, **fields)

    assert bootable_ids(shelf, tag, shelf.ours) == []
    found = shelf.store.everything(tag)
    assert [(one.id, one.status, one.hidden) for one in found] == [
        (image_id, fields.get("status", "active"), fields.get("hidden", False))
    ]


def test_a_foreign_image_is_bootable_only_where_no_owner_is_asked_for(shelf, tag):
    foreign = shelf.add("foreign", tag, owner=shelf.theirs)

    assert bootable_ids(shelf, tag, shelf.ours) == []
    assert bootable_ids(shelf, tag, shelf.theirs) == bootable_ids(shelf, tag, None) == [foreign]
    assert [one.owner for one in shelf.store.everything(tag)] == [shelf.theirs]


def test_a_tag_is_meant_to_the_letter(shelf, tag):
    image_id = shelf.add("v1", tag)

    for other in (tag.upper(), tag[:-1], f"{tag}x", f" {tag}", f"{tag} "):
        assert bootable_ids(shelf, other, shelf.ours) == []
        assert shelf.store.everything(other) == []
    assert bootable_ids(shelf, tag, shelf.ours) == [image_id]
