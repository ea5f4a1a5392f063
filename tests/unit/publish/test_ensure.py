# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from fakes.glance_tags import FakeTags

from amphora_image.errors import RequestRefusedError, ResourceNotFoundError, ServiceUnavailableError
from amphora_image.publish.ensure import Ensurer, Holding, Tagged, Untagged


@pytest.fixture
def store():
    return FakeTags()


@pytest.fixture
def ensurer(store):
    return Ensurer(store, deadline_seconds=5, sleep=lambda _: None)


def undoing(store, image, *times):
    """Let a change of the same moment win, at those times."""
    before, count = store.records[image.id], iter(range(99))

    def undo(point):
        if point == "saved" and next(count) in times:
            store.records[image.id] = before

    store.between = undo


def test_what_holds_already_is_not_asked_for(store, ensurer):
    image = store.add("v1", "amphora")

    assert ensurer.ensure(image.id, Tagged("amphora")) == image
    assert (store.requests, ensurer.changes) == ([f"get {image.id}"], 0)


def test_a_change_is_read_back_and_sent_again_as_often_as_it_is_lost(store, ensurer):
    image = store.add("v1")
    undoing(store, image, 0, 1)

    assert ensurer.ensure(image.id, Tagged("amphora")).tags == ("amphora",)
    assert ensurer.changes == 3


def test_a_change_that_is_always_lost_is_told_within_the_deadline(store):
    image = store.add("v1")
    undoing(store, image, *range(99))

    with pytest.raises(ServiceUnavailableError, match="undone by another"):
        Ensurer(store, deadline_seconds=0.01, sleep=lambda _: None).ensure(image.id, Tagged("amphora"))


def test_a_request_whose_answer_was_lost_is_not_sent_twice(store, ensurer):
    image = store.add("v1")
    lost = iter([True])

    def lose(point):
        if point == "saved" and next(lost, False):
            raise ServiceUnavailableError("Glance", "the connection was reset")

    store.between = lose
    ensurer.ensure(image.id, Tagged("amphora"))
    assert ensurer.changes == 1


def test_an_image_that_is_gone_is_told(ensurer):
    with pytest.raises(ResourceNotFoundError):
        ensurer.ensure("gone", Untagged("amphora", lambda _: None))


def test_whether_a_tag_may_be_taken_is_asked_on_the_record_of_that_moment(store, ensurer):
    image = store.add("v1", "amphora")

    def never(record):
        raise KeyError(record.id)

    with pytest.raises(KeyError, match=image.id):
        ensurer.ensure(image.id, Untagged("amphora", never))
    assert "amphora" in store.records[image.id].tags


def test_a_property_that_somebody_else_has_removed_meanwhile_is_removed(store, ensurer):
    image = store.add("v1", properties={"p": "1"})

    def values(record):
        store.set(image.id, properties={})
        return {"p": None} if "p" in record.properties else {}

    ensurer.ensure(image.id, Holding(values, lambda record: "p" not in record.properties))


def test_another_refusal_is_told(store, ensurer):
    image = store.add("v1")
    store.faults = [None, RequestRefusedError("Glance", "change", "HTTP 400 no")]

    with pytest.raises(RequestRefusedError, match="400"):
        ensurer.ensure(image.id, Holding(lambda _: {"p": "1"}, lambda record: "p" in record.properties))
