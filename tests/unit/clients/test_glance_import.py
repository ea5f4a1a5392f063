# SPDX-License-Identifier: Apache-2.0
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fakes.web import Answer, serving
from keystoneauth1.adapter import Adapter
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session

from amphora_image.clients.glance_import import GlanceImports, ImportOrder, ImportTask, Store
from amphora_image.errors import QuotaExceededError, RequestRefusedError, SourceChangedError
from amphora_image.publish.body import Body

BLOCKS = [bytes([number]) * (1 << 20) for number in range(3)] + [b"end"]
SIZE = sum(map(len, BLOCKS))


class Auth(BaseAuthPlugin):
    """Gives another token after each time that one was refused."""

    number = 1

    def __init__(self, url):
        super().__init__()
        self.url = url

    def get_token(self, *_, **__):
        return f"token-{self.number}"

    def get_endpoint(self, *_, **__):
        return self.url

    def invalidate(self):
        self.number += 1
        return True


class Pass:
    sha512 = "x"

    def __init__(self, blocks=BLOCKS):
        self.blocks = blocks

    def __iter__(self):
        return iter(self.blocks)


class Taker:
    """A server that takes bytes and answers with the statuses it was given; what it was sent, as (headers, size)."""

    def __init__(self, *statuses):
        taken, left = [], list(statuses)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self):
                size = len(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
                taken.append((dict(self.headers), size))
                self.send_response(left.pop(0))
                self.send_header("Location", "http://127.0.0.1:1/")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.taken = taken
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def imports_at(url, **options):
    session = Session(auth=Auth(url))
    return GlanceImports(Adapter(session, service_type="image"), **{"deadline_seconds": 1, **options})


def test_bytes_go_out_with_their_length_and_not_in_chunks():
    with Taker(204, 204) as glance:
        imports_at(glance.url).upload("i1", Body(Pass, SIZE), store="s1")
        imports_at(glance.url).stage("i1", Body(Pass, SIZE))
    (upload, size), (stage, _) = glance.taken
    assert size == SIZE
    assert (upload["Content-Length"], upload["x-openstack-image-size"]) == (str(SIZE), str(SIZE))
    assert "Transfer-Encoding" not in upload
    assert upload["X-Image-Meta-Store"] == "s1"
    assert "X-Image-Meta-Store" not in stage


def test_after_a_refused_token_all_bytes_go_out_again_from_the_first():
    """The issue: "a token that expires during the upload"."""
    body = Body(Pass, SIZE)
    with Taker(401, 204) as glance:
        imports_at(glance.url).upload("i1", body)
    assert [(headers["X-Auth-Token"], size) for headers, size in glance.taken] == [("token-1", SIZE), ("token-2", SIZE)]
    assert body.sha512 == "x"


def test_who_is_told_to_stop_asks_no_more():
    """The issue: "Ctrl-C removes what was begun": where Glance is away it is not asked for a minute before that ends."""

    def told(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        imports_at("http://127.0.0.1:1", deadline_seconds=60, sleep=told).record("i1")


def test_a_redirect_is_not_followed_with_a_body_that_is_used_up():
    with Taker(307) as glance, pytest.raises(RequestRefusedError, match="sends elsewhere"):
        imports_at(glance.url).upload("i1", Body(Pass, SIZE))
    assert len(glance.taken) == 1


def test_what_reading_the_source_raises_is_let_through():
    def fail():
        yield BLOCKS[0]
        raise SourceChangedError("f", "it grew")

    body = Body(lambda: Pass(fail()), SIZE)
    with Taker(204) as glance, pytest.raises(SourceChangedError):
        imports_at(glance.url).upload("i1", body)
    assert body.sha512 is None


@pytest.mark.parametrize(
    ("order", "body"),
    [
        (
            ImportOrder(method="glance-direct"),
            {"method": {"name": "glance-direct"}, "all_stores_must_succeed": True},
        ),
        (
            ImportOrder(method="web-download", uri="http://a/b", stores=("s1",), all_stores_must_succeed=False),
            {
                "method": {"name": "web-download", "uri": "http://a/b"},
                "stores": ["s1"],
                "all_stores_must_succeed": False,
            },
        ),
    ],
)
def test_an_import_is_asked_for_with_the_stores_in_its_body(order, body):
    with serving(Answer("", 202)) as web:
        imports_at(web.url).begin("i1", order)
    assert web.asked == [("POST", "/v2/images/i1/import", body)]


def test_tasks_are_told_the_latest_last():
    tasks = [
        {"id": "t2", "status": "failure", "message": "why", "created_at": "2026-01-02", "updated_at": "u"},
        {"id": "t1", "status": "success", "message": None, "created_at": "2026-01-01"},
    ]
    with serving(Answer({"tasks": tasks})) as web:
        told = imports_at(web.url).tasks("i1")
    assert told == [
        ImportTask(id="t1", status="success"),
        ImportTask(id="t2", status="failure", message="why", updated_at="u"),
    ]


def test_a_glance_with_one_store_and_no_import_offers_nothing():
    with serving(Answer("no", 404), Answer("no", 404)) as web:
        assert imports_at(web.url).methods() == ()
        assert imports_at(web.url).stores() == ()


def test_stores_are_read_with_what_they_are():
    stores = [{"id": "a", "default": "true"}, {"id": "b", "read-only": "true"}]
    with serving(Answer({"stores": stores})) as web:
        assert imports_at(web.url).stores() == (Store(id="a", default=True), Store(id="b", read_only=True))


def test_only_images_of_exactly_that_name_and_owner_are_listed_from_all_pages():
    first = {"images": [{"id": "1", "name": "v1", "owner": "p"}, {"id": "2", "name": "V1", "owner": "p"}], "next": "/x"}
    second = {"images": [{"id": "3", "name": "v1", "owner": "q"}, {"id": "4", "name": "v1", "owner": "p"}]}
    with serving(Answer(first), Answer(second)) as web:
        assert [each.id for each in imports_at(web.url).named("v1", "p")] == ["1", "4"]
    assert "name=v1" in web.asked[0][1]


def test_an_image_that_is_gone_is_no_error_to_delete():
    with serving(Answer("", 204), Answer("no", 404)) as web:
        assert imports_at(web.url).delete("i1")
        assert not imports_at(web.url).delete("i1")


def test_a_quota_is_told_as_one():
    body = json.dumps({"message": "Image exceeds the storage quota"})
    with serving(Answer(body, 413, {"Content-Type": "application/json"})) as web, pytest.raises(QuotaExceededError):
        imports_at(web.url).create({"name": "v1"})
