# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from fakes.web import Answer, serving
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from amphora_image.clients.glance_tags import GlanceTags, check_movable, is_movable
from amphora_image.errors import (
    AccessDeniedError,
    ConfigurationError,
    QuotaExceededError,
    RequestRefusedError,
    ResourceNotFoundError,
    ServiceUnavailableError,
)


def tags_at(web):
    adapter = Adapter(Session(auth=Token(web.url, "token")), service_type="image")
    return GlanceTags(adapter, deadline_seconds=0.5)


def image(image_id, *tags, **more):
    return {"id": image_id, "status": "active", "tags": list(tags), **more}


def test_a_record_has_its_additional_properties_and_protection():
    body = image("i1", "b", "a", protected=True, os_hidden=False, checksum="c", stores="s1,s2", ours="x")
    with serving(Answer(body)) as web:
        record = tags_at(web).get("i1")
    assert (record.protected, record.properties, record.tags) == (True, {"ours": "x"}, ("a", "b"))
    assert record.stores == ("s1", "s2")


def test_an_image_that_is_not_there_gives_none():
    with serving(Answer({}, 404)) as web:
        assert tags_at(web).get("i1") is None


def test_visible_and_hidden_holders_are_listed_page_by_page_and_compared_to_the_letter():
    first = {"images": [image("i1", "amphora"), image("i2", "AMPHORA")], "next": "/v2/images?marker=i2"}
    pages = [first, {"images": [image("i3", "amphora")]}, {"images": [image("i4", "amphora", os_hidden=True)]}]
    with serving(*map(Answer, pages)) as web:
        assert [one.id for one in tags_at(web).holders("amphora", "p1")] == ["i1", "i3", "i4"]
        paths = [path for _, path, _ in web.asked]
    assert paths[0] == "/v2/images?tag=amphora&owner=p1&visibility=all&os_hidden=false&limit=100"
    assert paths[1] == "/v2/images?marker=i2"
    assert "os_hidden=true" in paths[2]


def test_what_is_found_by_a_property_is_compared_to_the_letter():
    found = {"images": [image("i1", ours="x"), image("i2", ours="X")]}
    with serving(Answer(found), Answer({"images": []})) as web:
        assert [one.id for one in tags_at(web).with_property("ours", "x", None)] == ["i1"]
        assert web.asked[0][1] == "/v2/images?ours=x&visibility=all&os_hidden=false&limit=100"


def test_a_tag_goes_into_the_path_percent_encoded():
    with serving(Answer("", 204), Answer("", 204)) as web:
        tags_at(web).tag("i1", "a#b ?%")
        tags_at(web).untag("i1", "a#b ?%")
        assert [one[:2] for one in web.asked] == [
            ("PUT", "/v2/images/i1/tags/a%23b%20%3F%25"),
            ("DELETE", "/v2/images/i1/tags/a%23b%20%3F%25"),
        ]


def test_taking_away_a_tag_that_is_not_there_is_success_and_tagging_a_vanished_image_is_not():
    with serving(Answer({}, 404), Answer({}, 404)) as web:
        tags_at(web).untag("i1", "amphora")
        with pytest.raises(ResourceNotFoundError):
            tags_at(web).tag("i1", "amphora")


def test_values_are_set_in_one_request():
    values = {"tags": [], "os_hidden": True, "protected": False, "a/b~c": "x", "old": None}
    with serving(Answer(image("i1"))) as web:
        tags_at(web).change("i1", values)
        method, path, patch = web.asked[0]
    assert (method, path) == ("PATCH", "/v2/images/i1")
    assert patch == [
        {"op": "replace", "path": "/tags", "value": []},
        {"op": "replace", "path": "/os_hidden", "value": True},
        {"op": "replace", "path": "/protected", "value": False},
        {"op": "add", "path": "/a~1b~0c", "value": "x"},
        {"op": "remove", "path": "/old"},
    ]


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (403, "You are not authorized", AccessDeniedError),
        (409, "Property x does not exist.", RequestRefusedError),
        (413, "The limit has been exceeded on the number of allowed image tags. Attempted: 2", QuotaExceededError),
        (413, "The limit has been exceeded on the number of allowed image properties.", QuotaExceededError),
        (503, "", ServiceUnavailableError),
    ],
)
def test_a_change_that_fails_is_sent_once_and_told(status, message, kind):
    with serving(Answer({"message": message}, status)) as web:
        with pytest.raises(kind):
            tags_at(web).tag("i1", "amphora")
        assert len(web.asked) == 1


def test_an_endpoint_without_images_is_a_matter_of_configuration():
    with serving(Answer({}, 404)) as web, pytest.raises(ConfigurationError, match="no /v2/images"):
        tags_at(web).holders("amphora", None)


def test_a_tag_with_outer_white_space_is_looked_for_in_all_images():
    with serving(Answer({"images": [image("i1", " x"), image("i2", "x")]}), Answer({"images": []})) as web:
        assert [one.id for one in tags_at(web).holders(" x", None)] == ["i1"]
        assert "tag=" not in web.asked[0][1]


def test_what_glances_route_takes_can_be_moved():
    for tag in ("amphora", "a b", "a#b", "a%2Fb", "...", " x"):
        assert check_movable(tag) == tag
    for tag in ("", "a/b", ".", "..", "ß", "\n", "x" * 256):
        assert not is_movable(tag)
