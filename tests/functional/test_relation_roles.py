# SPDX-License-Identifier: Apache-2.0
"""The commands about relations, and the driver that records, as the least of users; the guide's table says the same."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.cloud import until
from support.relations import PATCH, images, parts, relations
from support.roles import refused, succeeded

from amphora_image.config import load
from amphora_image.drivers.nova import NovaComputeDriver
from amphora_image.sandbox import database
from amphora_image.sandbox.state import State

GUIDE = Path(__file__).parents[2] / "doc" / "source" / "operator.rst"

LIST, IMAGE, DROP = "GET /v2/images", "GET /v2/images/ID", "DELETE /v2/images/ID"
RELATIONS, RECORD = "GET /v2/images/ID/relations", "PUT /v2/images/ID/relations"
SERVERS, SNAPSHOT = "GET /servers/detail", "POST /servers/ID/action"


def as_ours(access):
    """The installation whose snapshots Glance records by itself."""
    return {"relation__nova_installation_uuid": access.installation}


def as_unknown():
    """One that Glance has not heard of."""
    return {"relation__nova_installation_uuid": str(uuid.uuid4())}


def test_asking_needs_reader(cloud, tag, least, of):
    image_id, what = cloud.upload("v1", tag), parts()
    cloud.octavia.image.put(f"/v2/images/{image_id}/relations", json=what).raise_for_status()
    reader, less = least("reader"), least("creator")

    ask_images = ("related", "images", "--instance", what["instance_id"], "-f", "value", "-c", "id")
    assert succeeded(of(reader, *ask_images)).stdout.split() == [image_id]
    assert reader.calls() == {LIST}
    refused(of(less, *ask_images), "Glance")
    less.calls()
    ask_instances = ("related", "instances", "-f", "value", "-c", "instance_id", "--image")
    assert succeeded(of(reader, *ask_instances, image_id)).stdout.split() == [what["instance_id"]]
    assert reader.calls() == {RELATIONS}
    succeeded(of(reader, *ask_instances, tag))
    assert reader.calls() == {LIST, RELATIONS}
    of(less, *ask_instances, image_id).failed(1, image_id, "not visible to this user", "check")  # as Glance says it


def test_stale_servers_need_reader(server_id, tag, least, of):
    reader = least("reader")
    ended = of(reader, "related", "instances", "--stale", "--tag", tag, "-f", "json")
    assert ended.code == 2, ended.stderr
    assert server_id in {each["server_id"] for each in json.loads(ended.stdout)}
    assert reader.calls() == {LIST, SERVERS}
    refused(of(least("creator"), "related", "instances", "--stale", "--tag", tag), "Glance")


def test_a_backup_needs_member_where_glance_records_what_its_nova_makes(cloud, access, server_id, least, of):
    member, less, name = least("member", **as_ours(access)), least("reader", **as_ours(access)), cloud.named("backup")
    refused(of(less, "snapshot", server_id, "--name", name), "Nova")
    refused(of(less, "backup", server_id, "--name", name), "Nova")
    less.calls()
    old = cloud.upload("old")
    cloud.octavia.image.put(
        f"/v2/images/{old}/relations", json=parts("backup", access.installation, server_id)
    ).raise_for_status()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(of, member, "backup", server_id, "--name", name, "--rotation", "1", "-f", "json")
        give_bytes(cloud, server_id, name)
        made = json.loads(succeeded(running.result()).stdout)
    assert made["deleted"] == old
    assert member.calls() == {SNAPSHOT, RELATIONS, IMAGE, LIST, DROP}


def give_bytes(cloud, server_id, name):
    """Give an image the bytes that the sandbox's hypervisor, which is none, does not."""
    (image_id,) = until(lambda: images(cloud.octavia, f"name={name}"), seconds=60, what="the backup")
    cloud._made.append((cloud.octavia.image, f"/v2/images/{image_id}"))
    show = lambda: cloud.octavia.compute.get(f"/servers/{server_id}").json()["server"]  # noqa: E731
    until(lambda: show()["OS-EXT-STS:task_state"] is None, seconds=60, what="Nova to have done with the server")
    formats = {"disk_format": "raw", "container_format": "bare"}
    patch = [{"op": "add", "path": f"/{key}", "value": value} for key, value in formats.items()]
    path, raw = f"/v2/images/{image_id}", {"Content-Type": "application/octet-stream"}
    cloud.octavia.image.patch(path, json=patch, headers=PATCH).raise_for_status()
    cloud.octavia.image.put(f"{path}/file", data=b"x", headers=raw).raise_for_status()


def test_a_snapshot_needs_service_too_where_glance_does_not_record_it(cloud, server_id, least, of):
    unknown, name = as_unknown(), cloud.named("snapshot")
    less, service = least("member", **unknown), least("member service", **unknown)
    refused(of(less, "snapshot", server_id, "--name", name), "Glance")
    assert less.calls() == {SNAPSHOT, RELATIONS, RECORD, DROP}
    assert images(cloud.octavia, f"name={name}") == []
    show = lambda: cloud.octavia.compute.get(f"/servers/{server_id}").json()["server"]  # noqa: E731
    until(lambda: show()["OS-EXT-STS:task_state"] is None, seconds=60, what="Nova to have done with the server")
    made = json.loads(succeeded(of(service, "snapshot", server_id, "--name", name, "-f", "json")).stdout)
    cloud._made.append((cloud.octavia.image, f"/v2/images/{made['id']}"))
    assert service.calls() == {SNAPSHOT, RELATIONS, RECORD}


def test_the_driver_records_boots_as_service_and_boots_without_recording_as_member(
    cloud, tag, access, least, warnings_told
):
    image_id = cloud.upload("v1", tag)
    for roles, calls in (("member", []), ("member service", [parts("boot", access.installation, "ID")])):
        user = least(roles, **as_ours(access))
        driver = NovaComputeDriver(load([str(user.ini)]))
        server_id = driver.build(f"amphora-{uuid.uuid4()}")
        driver.delete(server_id)
        assert driver._runtime.recorder.settle(60)
        assert RECORD in user.calls()
        found = [{**each, "instance_id": "ID"} for each in relations(cloud.octavia, image_id)]
        assert found == calls
        assert bool([text for text in warnings_told() if server_id in text]) == (not calls)


def test_reconciling_needs_admin(sandbox, access, least, of):
    url = f"{database.url(State.load(sandbox.layout.state))}/relations"
    given = {**as_ours(access), "relation__connection": url}
    admin = least("admin", **given)
    succeeded(of(admin, "related", "reconcile"))
    assert {SERVERS} <= admin.calls() <= {SERVERS, LIST}
    refused(of(least("member", **given), "related", "reconcile"), "Glance")


def test_the_guides_table_names_every_call():
    table = GUIDE.read_text().partition("\nRoles\n")[2].partition("\nExit codes\n")[0]
    calls = {value for name, value in globals().items() if name.isupper() and isinstance(value, str)}
    assert len(calls) == 7
    assert not [call for call in calls if f"``{call}``" not in table]
