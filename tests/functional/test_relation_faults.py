# SPDX-License-Identifier: Apache-2.0
"""What happens to images and relations when something fails, on the real Glance."""

from __future__ import annotations

import io
import json
import os
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from support.relations import PATCH, adding, images, parts, relations

from amphora_image.relation.middleware import RelationsFilter
from amphora_image.relation.table import RELATIONS
from amphora_image.relation.values import Kind, Relation
from amphora_image.relation.writing import Trust
from amphora_image.sandbox import database
from amphora_image.sandbox.state import State

TABLE = "amphora_image_relations"


@contextmanager
def down(state):
    with closing(database.connect(state, "postgres")) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER DATABASE relations ALLOW_CONNECTIONS false")
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'relations'")
        try:
            yield
        finally:
            cursor.execute("ALTER DATABASE relations ALLOW_CONNECTIONS true")


@contextmanager
def without_table(state):
    with closing(database.connect(state, "relations")) as connection, connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {TABLE} RENAME TO elsewhere")
        try:
            yield
        finally:
            cursor.execute(f"ALTER TABLE elsewhere RENAME TO {TABLE}")


@contextmanager
def slow(state):
    with closing(database.connect(state, "relations")) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")
        yield
        cursor.execute("ROLLBACK")


@contextmanager
def full(state):
    """A table that takes no more rows, as on a full disk."""
    with closing(database.connect(state, "relations")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$"
        )
        cursor.execute(f"CREATE TRIGGER no_room BEFORE INSERT ON {TABLE} EXECUTE FUNCTION no_room()")
        try:
            yield
        finally:
            cursor.execute(f"DROP TRIGGER no_room ON {TABLE}")
            cursor.execute("DROP FUNCTION no_room")


@pytest.mark.parametrize("fault", [down, slow, full, without_table])
def test_a_failing_database_stops_requests_about_relations_and_no_others(cloud, sandbox, fault):
    """Fault: "The database is down, slow, full, or has no table: requests without relations keep working, relation
    requests answer 503, never a lost or half-written image".
    """
    glance, what, name = cloud.octavia.image, parts("snapshot"), cloud.named("image")
    known = cloud.queued("known", **what)
    with fault(State.load(sandbox.layout.state)):
        patch = [*adding(parts()), *adding({"half": "written"})]
        requests = [
            lambda: glance.post("/v2/images", json={"name": name, **parts()}),
            lambda: glance.patch(f"/v2/images/{known}", json=patch, headers=PATCH),
            lambda: glance.put(f"/v2/images/{known}/relations", json=parts()),
        ]
        if fault is not full:
            requests.append(lambda: glance.get(f"/v2/images?instance_id={what['instance_id']}"))
        with ThreadPoolExecutor(4) as pool:  # each waits for as long as it may
            refused = list(pool.map(lambda send: send(), requests))
        assert [each.status_code for each in refused] == [503] * len(refused)
        assert {each.json()["title"] for each in refused} == {"Service Unavailable"}
        began = time.monotonic()
        plain = cloud.upload(cloud.named("plain"))
        assert glance.get(f"/v2/images/{plain}/file").status_code == 200
        assert glance.patch(f"/v2/images/{plain}", json=adding({"x": "y"}), headers=PATCH).status_code == 200
        assert glance.delete(f"/v2/images/{plain}").status_code == 204
        assert plain not in images(cloud.octavia, "limit=1000")
        assert time.monotonic() - began < 20  # a deletion waits once for the database, and no other request ever
    assert images(cloud.octavia, f"name={name}") == []
    assert "half" not in glance.get(f"/v2/images/{known}").json()
    assert relations(cloud.octavia, known) == [what]


def call(application, body):
    """Create an image through a filter, as a service."""
    raw = json.dumps(body).encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/v2/images",
        "CONTENT_LENGTH": str(len(raw)),
        "wsgi.input": io.BytesIO(raw),
        "webob.adhoc_attrs": {"context": SimpleNamespace(is_admin=True, roles=["service"])},
    }
    return list(application(environ, lambda *_: None))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_on_either_side_of_glances_answer_is_harmless(cloud, relation_store, rows, when):
    """Fault: "kill -9 between Glance's answer and the table's commit (the order makes it harmless; a test shows it)"."""
    image_id, what = str(uuid.uuid4()), parts("snapshot")
    if when == "after":  # what Glance has done by then; asked by way of its own filter, so not from within ours
        cloud.octavia.image.post("/v2/images", json={"id": image_id, "name": "k"})

    def killed(_environ, start_response):
        if when == "after":
            start_response("201 Created", [("Content-Type", "application/json")])
        os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        try:
            call(
                RelationsFilter(killed, relation_store, Trust({}, lambda *_: True)),
                {"id": image_id, "name": "k", **what},
            )
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    cloud._made.append((cloud.octavia.image, f"/v2/images/{image_id}"))
    made = images(cloud.octavia, f"instance_id={what['instance_id']}")
    if when == "before":  # a relation to nothing, which no list shows, and which the next request with that id replaces
        assert made == []
        assert cloud.octavia.image.get(f"/v2/images/{image_id}/relations").status_code == 404
        assert rows(image_id) == []
    else:  # an image, and its relation with it
        assert made == [image_id]
        assert relations(cloud.octavia, image_id) == [what]


def test_ten_thousand_relations_on_one_image_and_a_thousand_images_of_one_instance_are_read(cloud, relation_store):
    """Fault: "10,000 relations on one image, lists of 1,000 ids"."""
    image_id, instance, installation = cloud.queued("busy"), str(uuid.uuid4()), str(uuid.uuid4())
    made = [
        Relation(installation=installation, instance_id=str(uuid.uuid4()), image_id=image_id, kind=Kind.BOOT)
        for _ in range(10_000)
    ] + [
        Relation(installation=installation, instance_id=instance, image_id=str(uuid.uuid4()), kind=Kind.BACKUP)
        for _ in range(1_000)
    ]
    now = {"created_at": datetime.now(UTC).replace(tzinfo=None)}
    keys = ("installation", "instance_id", "image_id", "kind")
    with relation_store._database.writing() as connection:
        connection.execute(RELATIONS.insert(), [{**{key: getattr(each, key) for key in keys}, **now} for each in made])
    relation_store.record(Relation(installation=installation, instance_id=instance, image_id=image_id, kind=Kind.BOOT))
    found, path = set(), f"/v2/images/{image_id}/relations?limit=1000"
    while path:
        page = cloud.octavia.image.get(path).json()
        found |= {each["instance_id"] for each in page["relations"]}
        path = page.get("next")
    assert found == {each.instance_id for each in made}
    assert images(cloud.octavia, f"instance_id={instance}") == [image_id]
    assert cloud.octavia.image.delete(f"/v2/images/{image_id}").status_code == 204
