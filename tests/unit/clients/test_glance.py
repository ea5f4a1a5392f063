# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime

import pytest
from fakes.web import Answer, serving
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from amphora_image.clients.glance import GlanceImages
from amphora_image.errors import (
    AccessDeniedError,
    AuthenticationError,
    ConfigurationError,
    RequestRefusedError,
    ServiceUnavailableError,
)

RECORD = {
    "id": "i1",
    "name": "v1",
    "owner": "p",
    "status": "active",
    "visibility": "private",
    "os_hidden": False,
    "created_at": "2026-01-02T03:04:05Z",
    "size": 7,
    "os_hash_algo": "sha512",
    "os_hash_value": "abc",
    "disk_format": "raw",
    "min_disk": 2,
    "min_ram": 64,
    "tags": ["amphora"],
}


def images_at(web, deadline_seconds=5.0):
    session = Session(auth=Token(web.url, "canary-token"))
    return GlanceImages(Adapter(session, service_type="image"), deadline_seconds=deadline_seconds)


def test_a_record_is_read_whole():
    with serving(Answer(RECORD)) as web:
        image = images_at(web).get("i1")
    assert image.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (image.size, image.hash_algo, image.hash_value, image.min_disk, image.min_ram) == (7, "sha512", "abc", 2, 64)
    assert (image.tags, image.hidden, image.visibility) == (("amphora",), False, "private")


def test_a_record_of_only_id_and_tags_is_enough():
    with serving(Answer({"images": [{"id": "i1", "tags": ["amphora"]}]})) as web:
        (page,) = images_at(web).bootable("amphora", None)
    assert page[0].id == "i1"


def test_one_list_is_one_request_that_glance_filters_and_sorts():
    with serving(Answer({"images": [RECORD]})) as web:
        next(images_at(web).bootable("amphora", "p"))
        ((method, path, _),) = web.asked
    assert method == "GET"
    assert path == (
        "/v2/images?tag=amphora&status=active&visibility=all&sort=created_at%3Adesc%2Cid%3Aasc&limit=25&owner=p"
    )


def test_pages_are_followed_only_as_far_as_asked():
    with serving(Answer({"images": [RECORD], "next": "/v2/images?marker=i1"}), Answer({"images": []})) as web:
        pages = images_at(web).bootable("amphora", "p")
        next(pages)
        assert len(web.asked) == 1
        assert list(pages) == [[]]
        assert web.asked[1][1] == "/v2/images?marker=i1"


def test_what_does_not_carry_the_tag_to_the_letter_is_left_out():
    with serving(Answer({"images": [{**RECORD, "tags": ["AMPHORA"]}, RECORD]})) as web:
        (page,) = images_at(web).bootable("amphora", "p")
    assert [one.tags for one in page] == [("amphora",)]


def test_an_absent_image_is_none():
    with serving(Answer("<html>not found</html>", 404)) as web:
        assert images_at(web).get("i1") is None


@pytest.mark.parametrize(
    "fault",
    [
        Answer("<html>bad gateway</html>", 502),
        Answer({"message": "later"}, 503, {"Retry-After": "0"}),
        Answer({"message": "too many"}, 429, {"Retry-After": "0"}),
        Answer("", 0),
        Answer("<html>login</html>"),
        Answer({"pictures": []}),
        Answer([1, 2]),
        Answer({"images": [{"name": "no id"}]}),
    ],
)
def test_a_passing_fault_is_tried_again(fault):
    with serving(fault, Answer({"images": [RECORD]})) as web:
        assert next(images_at(web).bootable("amphora", "p"))
        assert len(web.asked) == 2


def test_retry_after_is_obeyed_and_ends_the_trying_when_it_is_beyond_the_deadline():
    with serving(Answer({"message": "slow down"}, 429, {"Retry-After": "3600"})) as web:
        with pytest.raises(ServiceUnavailableError, match=r"Glance .*429.*slow down"):
            images_at(web).get("i1")
        assert len(web.asked) == 1


@pytest.mark.parametrize("asked", ["Fri, 31 Dec 2099 23:59:59 GMT", "31536000"])
def test_retry_after_may_be_a_date(asked):
    with serving(Answer({"message": "later"}, 503, {"Retry-After": asked})) as web:
        with pytest.raises(ServiceUnavailableError):
            images_at(web).get("i1")
        assert len(web.asked) == 1


@pytest.mark.parametrize("asked", ["Fri, 31 Dec 1999 23:59:59 GMT", "soon", "-1", "nan"])
def test_a_retry_after_that_is_past_or_no_time_is_no_pause(asked):
    with serving(Answer({"message": "later"}, 503, {"Retry-After": asked}), Answer(RECORD)) as web:
        assert images_at(web).get("i1").id == "i1"


def test_a_lasting_fault_ends_at_the_deadline():
    with serving() as web, pytest.raises(ServiceUnavailableError, match="HTTP 500"):
        images_at(web, deadline_seconds=0.5).get("i1")


def test_no_service_is_told():
    with serving() as web:
        pass
    with pytest.raises(ServiceUnavailableError, match="Glance gave no usable answer"):
        images_at(web, deadline_seconds=0.5).get("i1")


@pytest.mark.parametrize(
    ("status", "kind", "requests"),
    [(403, AccessDeniedError, 1), (400, RequestRefusedError, 1), (409, RequestRefusedError, 1)],
)
def test_a_refusal_is_told_for_what_it_is_at_once(status, kind, requests):
    with serving(Answer({"error": {"message": "policy says no"}}, status)) as web:
        with pytest.raises(kind, match="policy says no") as caught:
            images_at(web).get("i1")
        assert len(web.asked) == requests
    assert "canary-token" not in str(caught.value)


def test_refused_credentials_are_told():
    refused = pytest.raises(AuthenticationError, match="Glance refused the credentials")
    with serving(Answer({"error": {"message": "expired"}}, 401), Answer({}, 401)) as web, refused:
        images_at(web).get("i1")


def test_a_wrong_endpoint_is_told():
    with serving(Answer("nothing here", 404)) as web, pytest.raises(ConfigurationError, match=r"\[glance\]"):
        next(images_at(web).bootable("amphora", "p"))


def test_the_answer_to_a_page_of_html_is_one_line():
    page = "<html>\n<h1>Oops</h1>\n</html>"
    with serving(Answer(page, 400)) as web, pytest.raises(RequestRefusedError) as caught:
        images_at(web).get("i1")
    assert "\n" not in str(caught.value)
    assert "<" not in str(caught.value)
