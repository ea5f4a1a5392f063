# SPDX-License-Identifier: Apache-2.0
"""Who may write relations, on the real Glance and Nova: what a user tries by every route that there is."""

from __future__ import annotations

import uuid
from types import SimpleNamespace

import pytest
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session
from support.cloud import Cloud, until
from support.relations import KEYS, OLD_PATCH, PATCH, adding, images, parts, relations

from amphora_image.relation.keys import relation_of
from amphora_image.sandbox.state import State


@pytest.fixture(scope="module")
def nova_token(sandbox):
    """The token that Nova shows beside a user's."""
    access, state = sandbox.access(), State.load(sandbox.layout.state)
    auth = Password(
        auth_url=access.auth_url,
        username="nova",
        password=state.passwords["nova"],
        project_name="service",
        user_domain_name="Default",
        project_domain_name="Default",
    )
    session = Session(auth=auth)
    yield session.get_token()
    session.session.close()


def boot(cloud, user, image_id, network_id):
    body = {
        "name": cloud.named("server"),
        "imageRef": image_id,
        "flavorRef": cloud.access.flavor_id,
        "networks": [{"uuid": network_id}],
    }
    answer = user.compute.post("/servers", json={"server": body})
    assert answer.status_code == 202, answer.text
    server_id = answer.json()["server"]["id"]
    cloud._made.insert(0, (user.compute, f"/servers/{server_id}"))
    show = lambda: user.compute.get(f"/servers/{server_id}").json()["server"]  # noqa: E731
    until(lambda: show()["status"] == "ACTIVE", seconds=60, what="the server to become ACTIVE")
    return server_id


@pytest.fixture(scope="module")
def servers(access, users, tmp_path_factory):
    """A server of demo's, and one of somebody else's."""
    cloud = Cloud(access, tmp_path_factory.mktemp("servers"), users)
    image_id = cloud.upload("both", visibility="public")
    mine = boot(cloud, cloud.demo, image_id, cloud.network(cloud.demo))
    theirs = boot(cloud, cloud.octavia, image_id, access.network_id)
    yield SimpleNamespace(mine=mine, theirs=theirs)
    cloud.delete_all()


def create_image(cloud, server_id, action="createImage", **more):
    """Ask Nova for an image as demo; give the answer, and the image's id where there is one."""
    settled = lambda: cloud.demo.compute.get(f"/servers/{server_id}").json()["server"]["OS-EXT-STS:task_state"] is None  # noqa: E731
    until(settled, seconds=60, what="Nova to have done with the server")
    name = cloud.named("image")
    answer = cloud.demo.compute.post(f"/servers/{server_id}/action", json={action: {"name": name, **more}})
    found = images(cloud.demo, f"name={name}")
    cloud._made += [(cloud.demo.image, f"/v2/images/{each}") for each in found]
    return answer, found[0] if found else None


def test_what_an_unmodified_nova_snapshots_and_backs_up_is_recorded(cloud, servers, access):
    """Promise: "the `instance_uuid` that an *unmodified* Nova sets on a snapshot becomes a relation"."""
    answer, snapshot = create_image(cloud, servers.mine, metadata={"note": "mine"})
    assert answer.status_code == 202, answer.text
    rotated = {"backup_type": "daily", "rotation": 1}
    answer, backup = create_image(cloud, servers.mine, "createBackup", **rotated)
    assert answer.status_code == 202, answer.text
    for image_id, kind in ((snapshot, "snapshot"), (backup, "backup")):
        assert relations(cloud.demo, image_id) == [parts(kind, access.installation, servers.mine)]
    body = cloud.demo.image.get(f"/v2/images/{snapshot}").json()
    assert (body["instance_uuid"], body["note"]) == (servers.mine, "mine")  # as without the filter
    found = images(cloud.demo, f"instance_id={servers.mine}&nova_installation_uuid={access.installation}")
    assert set(found) == {backup, snapshot}


def test_the_metadata_of_createimage_forges_nothing(cloud, servers):
    """Fault: "a test forges, overwrites and erases by every route (… createImage metadata)"."""
    for metadata in (
        parts("backup", instance=servers.theirs),
        {KEYS[0]: str(uuid.uuid4())},
        {"instance_uuid": servers.theirs},
        {"instance_uuid": str(uuid.uuid4())},
        {"instance_uuid": "erased"},
        {"image_type": "boot"},
    ):
        answer, image_id = create_image(cloud, servers.mine, metadata=metadata)
        assert answer.status_code >= 400, metadata
        assert image_id is None
    assert images(cloud.admin, f"instance_id={servers.theirs}") == []


def test_a_relation_that_nova_made_is_neither_overwritten_nor_erased_by_the_images_owner(cloud, servers, access):
    _, image_id = create_image(cloud, servers.mine)
    made = [parts("snapshot", access.installation, servers.mine)]
    patches = [
        [{"op": "replace", "path": "/instance_uuid", "value": servers.theirs}],
        [{"op": "remove", "path": "/instance_uuid"}],
        [{"op": "add", "path": "/instance_id", "value": servers.theirs}],
    ]
    for patch in patches:  # they are the owner's own properties, and no more than that
        answer = cloud.demo.image.patch(f"/v2/images/{image_id}", json=patch, headers=PATCH)
        assert answer.status_code == 200, answer.text
        assert relations(cloud.demo, image_id) == made
    assert images(cloud.demo, f"instance_id={servers.theirs}") == []


def test_a_user_forges_nothing_by_any_request_to_glance(cloud):
    """Fault: "a test forges, overwrites and erases by every route (POST, json-patch add/replace/remove …)"."""
    true, false = parts("backup"), parts("backup")
    image_id = cloud.queued("own", by=cloud.demo)
    cloud.octavia.image.put(f"/v2/images/{image_id}/relations", json=true).raise_for_status()
    posing = {
        "X-Roles": "service,admin",
        "X-Identity-Status": "Confirmed",
        "X-Service-Roles": "service",
        "X-Service-Identity-Status": "Confirmed",
        "X-Service-User-Name": "nova",
        "X-Service-User-Domain-Name": "Default",
    }
    glance, path = cloud.demo.image, f"/v2/images/{image_id}"
    query = "&".join(f"{key}={value}" for key, value in true.items())
    for headers in ({}, posing):
        refused = [glance.post("/v2/images", json={"name": "forged", **false}, headers=headers)]
        for verb in ("add", "replace", "remove"):
            new = [{"op": verb, "path": f"/{key}", "value": value} for key, value in false.items()]
            old = [{verb: f"/{key}", "value": value} for key, value in false.items()]
            odd = [{"op": verb, "path": f"// {key} ", "value": value} for key, value in false.items()]
            refused += [glance.patch(path, json=patch, headers={**headers, **PATCH}) for patch in (new, odd)]
            refused.append(glance.patch(path, json=old, headers={**headers, **OLD_PATCH}))
        refused.append(glance.put(f"{path}/relations", json=false, headers=headers))
        refused.append(glance.delete(f"{path}/relations?{query}", headers=headers))
        assert {each.status_code for each in refused} <= {400, 403}, [each.status_code for each in refused]
        kept = glance.post("/v2/images", json={"name": "plain", "instance_uuid": false[KEYS[1]]}, headers=headers)
        assert kept.json()["instance_uuid"] == false[KEYS[1]]  # "or stay ordinary properties"
        cloud._made.append((glance, f"/v2/images/{kept.json()['id']}"))
    assert relations(cloud.demo, image_id) == [true]
    assert images(cloud.admin, f"instance_id={false[KEYS[1]]}") == []


def test_a_service_token_vouches_for_relations_but_not_for_what_a_user_wrote_among_properties(cloud, nova_token, rows):
    what, beside = parts("snapshot"), {"X-Service-Token": nova_token}
    image_id = cloud.queued("own", by=cloud.demo)
    glance, path = cloud.demo.image, f"/v2/images/{image_id}"
    assert glance.post("/v2/images", json={"name": "x", **what}, headers=beside).status_code == 403
    assert glance.patch(path, json=adding(what), headers={**beside, **PATCH}).status_code == 403
    assert rows(image_id) == []
    assert glance.put(f"{path}/relations", json=what, headers=beside).status_code == 204
    assert relations(cloud.demo, image_id) == [what]
    assert glance.put(f"{path}/relations", json=what, headers={"X-Service-Token": "forged"}).status_code in {401, 403}
    hidden = cloud.queued("hidden")
    for each in (what, parts("boot")):
        assert glance.put(f"/v2/images/{hidden}/relations", json=each, headers=beside).status_code == 404
    assert rows(hidden) == []


def test_a_boot_from_an_image_that_is_not_there_is_shown_to_nobody_and_forgotten_once_an_administrator_looks(
    cloud, rows
):
    """A service is believed without a look into Glance, since a boot recorded costs "≤ 5 ms"; it leaves nothing for ever."""
    image_id, what = str(uuid.uuid4()), parts("boot")
    path, by_instance = f"/v2/images/{image_id}/relations", f"instance_id={what['instance_id']}"
    assert cloud.octavia.image.put(path, json=what).status_code == 204
    for user in (cloud.demo, cloud.admin):
        assert images(user, by_instance) == []
    assert cloud.demo.image.get(path).status_code == 404
    assert len(rows(image_id)) == 1
    assert cloud.admin.image.get(path).status_code == 404
    assert rows(image_id) == []
    cloud.octavia.image.put(path, json=what).raise_for_status()
    assert cloud.demo.image.post("/v2/images", json={"id": image_id, "name": "later"}).status_code == 201
    cloud._made.append((cloud.demo.image, f"/v2/images/{image_id}"))
    assert relations(cloud.demo, image_id) == []


def test_a_user_who_may_choose_an_id_does_not_inherit_the_relations_that_were_its(cloud, rows, relation_store):
    """A purged image's id can be taken again: "forges … by every route"."""
    image_id, what = str(uuid.uuid4()), parts("backup")
    relation_store.record(relation_of(what, image_id))
    made = cloud.demo.image.post("/v2/images", json={"id": image_id, "name": "again"})
    assert made.status_code == 201
    cloud._made.append((cloud.demo.image, f"/v2/images/{image_id}"))
    assert rows(image_id) == []
