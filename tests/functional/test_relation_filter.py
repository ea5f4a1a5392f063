# SPDX-License-Identifier: Apache-2.0
"""The filter in the pipeline of the real Glance, on PostgreSQL: what is recorded, listed and shown, and to whom."""

from __future__ import annotations

import gzip
import json
import uuid

import pytest
from support.relations import KEYS, OLD_PATCH, PATCH, adding, images, parts, relations


def test_an_image_is_created_with_its_relation_and_without_a_trace_of_it_in_its_body(cloud):
    what = parts("backup")
    image_id = cloud.queued("with", note="kept", **what)
    body = cloud.octavia.image.get(f"/v2/images/{image_id}").json()
    assert body["note"] == "kept"
    assert not {*KEYS} & body.keys()
    assert relations(cloud.octavia, image_id) == [what]
    assert images(cloud.octavia, f"instance_id={what['instance_id']}") == [image_id]


@pytest.mark.parametrize("headers", [PATCH, OLD_PATCH], ids=["2.1", "2.0"])
def test_a_patch_carries_a_relation_and_other_changes_reach_glance(cloud, headers):
    image_id, what = cloud.queued("patched"), parts()
    patch = [*adding(what), {"op": "add", "path": "/note", "value": "kept"}]
    if headers is OLD_PATCH:
        patch = [{each["op"]: each["path"], "value": each["value"]} for each in patch]
    answer = cloud.octavia.image.patch(f"/v2/images/{image_id}", json=patch, headers=headers)
    assert (answer.status_code, answer.json()["note"]) == (200, "kept")
    assert not {*KEYS} & answer.json().keys()
    assert relations(cloud.octavia, image_id) == [what]


def test_relations_are_put_and_deleted_as_often_as_one_likes(cloud):
    image_id, what = cloud.queued("put"), parts()
    path = f"/v2/images/{image_id}/relations"
    query = "&".join(f"{key}={value}" for key, value in what.items())
    for _ in range(2):
        assert cloud.octavia.image.put(path, json=what).status_code == 204
    assert relations(cloud.octavia, image_id) == [what]
    for _ in range(2):
        assert cloud.octavia.image.delete(f"{path}?{query}").status_code == 204
    assert relations(cloud.octavia, image_id) == []


def test_a_list_is_paged_sorted_and_filtered_as_usual_to_the_last_page(cloud):
    what = parts("snapshot")
    made = [cloud.queued(f"page-{number}", f"tag-{number % 2}", **what) for number in range(5)]
    cloud.queued("of another instance", **parts("snapshot", installation=what[KEYS[0]]))
    by_instance = f"instance_id={what['instance_id']}"
    assert images(cloud.octavia, f"{by_instance}&limit=2&sort=name:asc") == made
    assert images(cloud.octavia, f"{by_instance}&limit=2&sort_key=name&sort_dir=desc") == made[::-1]
    assert (
        images(cloud.octavia, f"{by_instance}&limit=1&sort=name:asc&tag=tag-1&{KEYS[0]}={what[KEYS[0]]}") == made[1::2]
    )
    assert images(cloud.octavia, f"{by_instance}&sort=name:asc&marker={made[2]}") == made[3:]
    assert images(cloud.octavia, f"{by_instance}&id=in:{made[0]},{uuid.uuid4()}") == [made[0]]
    assert images(cloud.octavia, f"{by_instance}&id={made[1]}") == [made[1]]
    assert images(cloud.octavia, f"{by_instance}&relation_kind=boot") == []
    first = cloud.octavia.image.get(f"/v2/images?{by_instance}&limit=2").json()
    assert first["first"] == f"/v2/images?{by_instance}&limit=2"
    assert "in%3A" not in first["next"]
    assert len({made[0], made[1]}) == 2


def test_a_list_answers_to_a_marker_that_has_vanished_as_glance_does(cloud):
    """Fault: "markers that have vanished"."""
    what = parts("snapshot")
    kept, gone = cloud.queued("kept", **what), cloud.queued("gone", **what)
    cloud.octavia.image.delete(f"/v2/images/{gone}").raise_for_status()
    answer = cloud.octavia.image.get(f"/v2/images?instance_id={what['instance_id']}&marker={gone}")
    plain = cloud.octavia.image.get(f"/v2/images?marker={gone}")
    assert answer.status_code == plain.status_code
    assert images(cloud.octavia, f"instance_id={what['instance_id']}") == [kept]


def test_every_spelling_of_an_instance_finds_its_images(cloud):
    """Fault: "UUIDs in every spelling"."""
    what = parts()
    image_id = cloud.queued("spelt", **{**what, "instance_id": what["instance_id"].upper()})
    for spelling in (what["instance_id"], what["instance_id"].replace("-", ""), what["instance_id"].upper()):
        assert images(cloud.octavia, f"instance_id={spelling}") == [image_id]


@pytest.mark.parametrize(
    "query",
    [
        "instance_id=x",
        "instance_id=",
        f"nova_installation_uuid={uuid.UUID(int=1)}",
        f"instance_id={uuid.UUID(int=1)}&instance_id={uuid.UUID(int=2)}",
        f"instance_id={uuid.UUID(int=1)}&relation_kind=x",
    ],
)
def test_a_malformed_question_is_refused(cloud, query):
    answer = cloud.demo.image.get(f"/v2/images?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "400 Bad Request")


@pytest.mark.parametrize(
    "wrong", [{"instance_id": "x"}, {"relation_kind": "friend"}, {"nova_installation_uuid": 7}, {"instance_id": None}]
)
def test_a_malformed_relation_makes_no_image(cloud, wrong):
    """Fault: "malformed pairs"."""
    name = cloud.named("malformed")
    body = {"name": name, **parts(), **wrong}
    body = {key: value for key, value in body.items() if value is not None}
    answer = cloud.octavia.image.post("/v2/images", json=body)
    assert answer.status_code == 400, answer.text
    assert images(cloud.octavia, f"name={name}") == []


def test_what_glance_refuses_leaves_no_relation(cloud):
    what, taken = parts("snapshot"), cloud.queued("taken")
    answer = cloud.octavia.image.post("/v2/images", json={"id": taken, "name": "again", **what})
    assert answer.status_code == 409
    answer = cloud.octavia.image.post("/v2/images", json={"id": str(uuid.uuid4()), "visibility": "seen", **what})
    assert answer.status_code == 400
    assert relations(cloud.octavia, taken) == []
    nothing = f"/v2/images/{uuid.uuid4()}"
    assert cloud.octavia.image.patch(nothing, json=adding(what), headers=PATCH).status_code == 404
    assert images(cloud.octavia, f"instance_id={what['instance_id']}") == []


def test_visibility_is_glances(cloud):
    """Promise: "visibility stays Glance's … (own, public, accepted shared; nobody else's)"."""
    what = parts("snapshot")
    private = cloud.queued("private", **what)
    public = cloud.queued("public", visibility="public", **what)
    community = cloud.queued("community", visibility="community", **what)
    shared, pending = (cloud.queued(name, visibility="shared", **what) for name in ("shared", "pending"))
    cloud.share(shared, by=cloud.octavia, to=cloud.demo)
    cloud.octavia.image.post(f"/v2/images/{pending}/members", json={"member": cloud.demo.project_id}).raise_for_status()
    by_instance = f"instance_id={what['instance_id']}"
    assert set(images(cloud.octavia, by_instance)) == {private, public, community, shared, pending}
    assert set(images(cloud.demo, by_instance)) == {public, shared}
    assert images(cloud.demo, f"{by_instance}&visibility=community") == [community]
    assert relations(cloud.demo, public) == [what]
    assert cloud.demo.image.get(f"/v2/images/{private}/relations").status_code == 404


def test_a_deleted_image_takes_its_relations_with_it(cloud, rows):
    what = parts("snapshot")
    image_id = cloud.queued("deleted", **what)
    cloud.octavia.image.delete(f"/v2/images/{image_id}").raise_for_status()
    assert cloud.octavia.image.get(f"/v2/images/{image_id}/relations").status_code == 404
    assert rows(image_id) == []


def test_relations_come_in_pages_whose_markers_may_vanish(cloud):
    image_id = cloud.queued("many")
    made = [parts() for _ in range(5)]
    for what in made:
        cloud.octavia.image.put(f"/v2/images/{image_id}/relations", json=what).raise_for_status()
    page = cloud.octavia.image.get(f"/v2/images/{image_id}/relations?limit=2").json()
    last = page["relations"][-1]
    cloud.octavia.image.delete(f"/v2/images/{image_id}/relations?" + "&".join(f"{k}={last[k]}" for k in KEYS))
    found = page["relations"]
    while "next" in page:
        page = cloud.octavia.image.get(page["next"]).json()
        found += page["relations"]
    assert [{key: each[key] for key in KEYS} for each in found] == made[::-1]
    for wrong in ("limit=x", "limit=-1", "marker=x", f"marker={'9' * 40}"):
        assert cloud.octavia.image.get(f"/v2/images/{image_id}/relations?{wrong}").status_code == 400


def test_head_gzip_chunks_and_a_kept_connection_do_as_glance_does(cloud):
    """Fault: "HEAD, gzip, keep-alive, chunked bodies"."""
    what = parts()
    session = cloud.octavia.image
    body = json.dumps({"name": "chunked", **what}).encode()
    pieces = iter([body[:10], body[10:]])
    headers = {"Content-Type": "application/json"}
    answer = session.post("/v2/images", data=pieces, headers=headers)
    assert answer.status_code == 201, answer.text
    image_id = answer.json()["id"]
    cloud._made.append((session, f"/v2/images/{image_id}"))
    head = session.head(f"/v2/images/{image_id}/relations")
    whole = session.get(f"/v2/images/{image_id}/relations")
    assert (head.status_code, head.text, head.headers["Content-Length"]) == (200, "", str(len(whole.content)))
    plain = session.get(f"/v2/images?instance_id={what['instance_id']}", headers={"Accept-Encoding": "gzip"})
    assert [each["id"] for each in plain.json()["images"]] == [image_id]
    packed = session.post("/v2/images", data=gzip.compress(body), headers={**headers, "Content-Encoding": "gzip"})
    assert packed.status_code == 400  # as of Glance itself, which unpacks nothing
    odd = session.post(f"/v2/images/{image_id}/relations", json=what)
    assert (odd.status_code, odd.headers["Allow"]) == (405, "GET, HEAD, PUT, DELETE")
