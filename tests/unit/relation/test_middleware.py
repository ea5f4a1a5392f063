# SPDX-License-Identifier: Apache-2.0
"""The filter over a store in SQLite and a Glance that is a fake; ``tests/functional`` has the real one."""

from __future__ import annotations

import io
import json
import sys
import uuid
from types import ModuleType, SimpleNamespace

import pytest
from fakes.images import FakeImages

from amphora_image.config import load
from amphora_image.errors import ConfigurationError, RelationStoreError
from amphora_image.relation.database import Database, Settings
from amphora_image.relation.keys import relation_of
from amphora_image.relation.middleware import RelationsFilter, made
from amphora_image.relation.schema import Schema
from amphora_image.relation.store import RelationStore, Wanted
from amphora_image.relation.writing import Trust

IMAGE = str(uuid.UUID(int=7))
WHAT = {"nova_installation_uuid": str(uuid.UUID(int=1)), "instance_id": str(uuid.UUID(int=2)), "relation_kind": "boot"}
SERVICE = {"webob.adhoc_attrs": {"context": SimpleNamespace(is_admin=False, roles=["Service"])}}
USER = {"webob.adhoc_attrs": {"context": SimpleNamespace(is_admin=False, roles=["member"])}}
NOVA = {
    **USER,
    "HTTP_X_SERVICE_IDENTITY_STATUS": "Confirmed",
    "HTTP_X_SERVICE_ROLES": "service",
    "HTTP_X_SERVICE_USER_NAME": "nova",
    "HTTP_X_SERVICE_USER_DOMAIN_NAME": "Default",
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "x.sqlite"
    Schema(f"sqlite:///{path}").upgrade()
    return path.read_bytes()


@pytest.fixture
def store(tmp_path, empty):
    (tmp_path / "x.sqlite").write_bytes(empty)
    database = Database(Settings(f"sqlite:///{tmp_path}/x.sqlite"))
    yield RelationStore(database)
    database.dispose()


@pytest.fixture
def glance():
    return FakeImages()


@pytest.fixture
def call(store, glance):
    """Send a request through the filter; give the status and the body."""
    trust = Trust(
        {"nova@Default": WHAT["nova_installation_uuid"]}, lambda _environ, server: server == WHAT["instance_id"]
    )
    application = RelationsFilter(glance, store, trust)

    def send(request, body=None, caller=SERVICE, **more):
        method, _, target = request.partition(" ")
        path, _, query = target.partition("?")
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, **caller}
        told = []
        environ.update({"wsgi.input": io.BytesIO(raw), "CONTENT_LENGTH": str(len(raw)), **more})
        parts = application(environ, lambda status, headers, *_: told.append((status, headers)))
        return int(told[0][0][:3]), b"".join(parts)

    return send


def kept(store, image_id=IMAGE):
    return [each.relation for each in store.page(Wanted(image_id=image_id))]


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /v2/images",
        "GET /v2/images?limit=5&owner=x",
        f"GET /v2/images/{IMAGE}",
        f"GET /v2/images/{IMAGE}/file",
        f"PUT /v2/images/{IMAGE}/file",
        f"PUT /v2/images/{IMAGE}/stage",
        f"POST /v2/images/{IMAGE}/import",
        f"POST /v2/images/{IMAGE}/members",
        "GET /v2/schemas/image",
        "GET /",
        "HEAD /v2/images",
    ],
)
def test_what_does_not_concern_relations_is_passed_on_as_it_came(call, glance, request_line):
    """Promise: "leaves image bodies, schema, `/file` and `/stage` untouched"."""
    unread = SimpleNamespace(read=lambda *_: pytest.fail("the body was read"))
    glance_reads = request_line.startswith("POST")
    call(request_line, **({} if glance_reads else {"wsgi.input": unread}))
    assert len(glance.seen) == 1
    assert "webob.adhoc_attrs" in glance.environs[0]


def test_a_body_without_relations_reaches_glance_byte_for_byte(call, glance):
    raw = b'{"name" :  "a\\u0062c", "x": 1.0}'
    call("POST /v2/images", raw, USER)
    assert glance.environs[0]["CONTENT_LENGTH"] == str(len(raw))
    assert glance.environs[0]["wsgi.input"].getvalue() == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{nova_installation_uuid",
        b"[]",
        b'"instance_uuid"',
        b"\xff nova_installation_uuid",
        b'["nova_installation_uuid",' + b"[" * 100_000,
    ],
)
def test_a_body_that_glance_will_refuse_is_left_to_it(call, glance, raw, store):
    glance.__class__ = type("Deaf", (FakeImages,), {"__call__": lambda *_: [b""]})
    with pytest.raises(IndexError):  # the fake told no status: the request reached it
        call("POST /v2/images", raw)
    assert store.page(Wanted(instance_id=WHAT["instance_id"])) == []


def test_a_relation_that_is_no_relation_is_refused_however_it_is_malformed(call, store):
    """Fault: "malformed pairs"."""
    patch = [{"op": ["add"], "path": f"/{key}", "value": value} for key, value in WHAT.items()]
    assert call(f"PATCH /v2/images/{IMAGE}", patch)[0] == 400
    assert call(f"PUT /v2/images/{IMAGE}/relations", b"[" * 100_000)[0] == 400
    assert kept(store) == []


def test_keys_in_escapes_are_found(call, store):
    """Fault: "a test forges … by every route": an id in escapes would inherit what its former image was related to."""
    store.record(relation_of(WHAT, IMAGE))
    call("POST /v2/images", json.dumps({"id": IMAGE}).replace("id", "\\u0069d").encode(), USER)
    assert kept(store) == []
    hidden = json.dumps({"id": IMAGE, **WHAT}).replace("nova_", "\\u006eova_").encode()
    assert call("POST /v2/images", hidden, USER)[0] == 403


def test_the_relation_is_there_before_glance_is_asked_and_gone_when_it_refuses(call, glance, store):
    during = []
    glance.answers = [("409 Conflict", {"message": "no"})]
    usual = FakeImages.__call__
    glance.__class__ = type(
        "Looking", (FakeImages,), {"__call__": lambda self, *a: (during.extend(kept(store)), usual(self, *a))[1]}
    )
    assert call("POST /v2/images", {"id": IMAGE, **WHAT})[0] == 409
    assert [each.image_id for each in during] == [IMAGE]
    assert kept(store) == []


def test_a_relation_that_was_there_before_survives_a_refusal(call, glance, store):
    call(f"PUT /v2/images/{IMAGE}/relations", WHAT)
    glance.answers = [("403 Forbidden", {})]
    patch = [{"op": "add", "path": f"/{key}", "value": value} for key, value in WHAT.items()]
    assert call(f"PATCH /v2/images/{IMAGE}", patch)[0] == 403
    assert len(kept(store)) == 1


def test_a_boot_that_a_service_records_costs_glance_no_look_at_the_image(call, glance, store):
    """Promise: "recording a boot ≤ 5 ms"."""
    assert call(f"PUT /v2/images/{IMAGE}/relations", WHAT)[0] == 204
    assert glance.seen == []
    assert len(kept(store)) == 1


@pytest.mark.parametrize(
    ("caller", "image_id", "kind"),
    [(NOVA, IMAGE, "boot"), (SERVICE, IMAGE, "backup"), (SERVICE, f"{IMAGE[:-1]}A", "boot"), (SERVICE, "x", "boot")],
)
def test_of_what_else_is_recorded_glance_has_to_show_the_image(call, glance, store, caller, image_id, kind):
    glance.answers = [("404 Not Found", {})]
    assert call(f"PUT /v2/images/{image_id}/relations", {**WHAT, "relation_kind": kind}, caller)[0] == 404
    assert kept(store, image_id) == []
    assert call(f"PUT /v2/images/{image_id}/relations", {**WHAT, "relation_kind": kind}, caller)[0] == 204
    assert [each[:2] for each in glance.seen] == [("GET", f"/v2/images/{image_id}")] * 2


def test_glance_that_breaks_leaves_no_relation(call, glance, store):
    glance.answers = [("x", {})]
    with pytest.raises(ValueError, match="invalid literal"):
        call("POST /v2/images", {"id": IMAGE, **WHAT})
    assert kept(store) == []


@pytest.mark.parametrize(
    ("caller", "body", "status"),
    [
        (USER, WHAT, 403),
        (NOVA, WHAT, 403),
        ({}, WHAT, 403),
        (SERVICE, WHAT, 201),
        (NOVA, {"instance_uuid": WHAT["instance_id"], "image_type": "backup"}, 201),
        (NOVA, {"instance_uuid": str(uuid.UUID(int=9)), "image_type": "backup"}, 403),
        (NOVA, {"instance_uuid": "x", "image_type": "backup"}, 400),
        (NOVA, {"instance_uuid": WHAT["instance_id"], "image_type": "boot"}, 400),
        (NOVA, {"instance_uuid": WHAT["instance_id"]}, 400),
    ],
)
def test_who_may_record_by_a_new_image(call, store, caller, body, status):
    assert call("POST /v2/images", {"id": IMAGE, **body}, caller)[0] == status
    assert len(kept(store)) == (status == 201)


@pytest.mark.parametrize(
    "change",
    [
        {"HTTP_X_SERVICE_IDENTITY_STATUS": "Invalid"},
        {"HTTP_X_SERVICE_USER_DOMAIN_NAME": "Other"},
        {"HTTP_X_SERVICE_ROLES": "reader"},
        {"webob.adhoc_attrs": {}},
    ],
)
def test_who_is_no_nova_of_ours_sets_an_ordinary_property(call, glance, store, change):
    body = {"id": IMAGE, "instance_uuid": WHAT["instance_id"], "image_type": "backup"}
    assert call("POST /v2/images", body, {**NOVA, **change})[0] == 201
    assert glance.seen[0][3] == body
    assert kept(store) == []


def test_the_snapshot_of_a_server_with_a_volume_inherits_no_relation(call, store):
    body = {"id": IMAGE, "instance_uuid": WHAT["instance_id"], "image_type": "snapshot", "block_device_mapping": "[]"}
    assert call("POST /v2/images", body, NOVA)[0] == 201
    assert kept(store) == []


def test_chunks_are_read_also_where_uwsgi_leaves_them_to_the_application(call, store, monkeypatch):
    """Fault: "chunked bodies"."""
    raw = json.dumps({"id": IMAGE, **WHAT}).encode()
    chunks = iter([raw[:9], raw[9:], b""])
    uwsgi = ModuleType("uwsgi")
    uwsgi.chunked_read = lambda: next(chunks)
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
    more = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "", "wsgi.input": None}
    assert call("POST /v2/images", caller=SERVICE, **more)[0] == 201
    assert len(kept(store)) == 1


def test_after_a_failure_the_database_is_not_asked_to_clean_up_for_a_while(glance):
    """Promise: "requests without relations keep working"."""
    asked = []

    def failing(*_, **__):
        asked.append(1)
        raise RelationStoreError("down")

    broken = SimpleNamespace(forget_all=failing, record=failing)
    application = RelationsFilter(glance, broken, Trust({}, lambda *_: True))
    for _ in range(3):
        environ = {"REQUEST_METHOD": "DELETE", "PATH_INFO": f"/v2/images/{IMAGE}", "wsgi.input": io.BytesIO()}
        application(environ, lambda *_: None)
    assert (len(glance.seen), len(asked)) == (3, 1)


def test_an_installation_that_is_no_uuid_stops_glance_from_starting(tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[relation]\nconnection = sqlite:///{tmp_path}/x\ninstallations = nova@Default:one\n")
    with pytest.raises(ConfigurationError, match=r"installations.*'one'"):
        made(FakeImages(), load([str(ini)]))
