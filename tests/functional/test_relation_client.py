# SPDX-License-Identifier: Apache-2.0
"""Nova's side: who boots records, who asks is answered, by the library and by the commands, on the real services."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime

import pytest
from support.cloud import until
from support.relations import PATCH, parts, relations

from amphora_image.boot import BootRequest, wait_until_active
from amphora_image.clients.glance_import import GlanceImports
from amphora_image.clients.session import adapter
from amphora_image.errors import AccessDeniedError, ResourceNotFoundError
from amphora_image.relation.snapshots import Snapshots
from amphora_image.relation.values import Kind, Relation
from amphora_image.sandbox import database as sandbox_database
from amphora_image.sandbox.state import State


def relation(image_id, **parts_):
    made = {"installation": str(uuid.uuid4()), "instance_id": str(uuid.uuid4()), "kind": Kind.SNAPSHOT}
    return Relation(**{**made, **parts_, "image_id": image_id})


@pytest.fixture
def cloud(cloud, monkeypatch):
    """The cloud, whose inis name the installation, so that boots are recorded."""
    plain, named = cloud.ini, {"relation__nova_installation_uuid": cloud.access.installation}
    monkeypatch.setattr(cloud, "ini", lambda user="octavia", **options: plain(user, **named, **options))
    return cloud


@pytest.fixture
def service(open_runtime):
    """The images of one installation, as a service sees them."""
    return open_runtime().related_of(str(uuid.uuid4()))


def test_what_is_recorded_is_read_back_page_by_page_and_forgotten(cloud, service, open_runtime, monkeypatch):
    monkeypatch.setattr("amphora_image.relation.client._PAGE", 2)
    instance = str(uuid.uuid4())
    made = [cloud.newer("image") for _ in range(3)]
    for image_id in made:
        one = relation(image_id, instance_id=instance, installation=service.installation)
        service.record(one)
        service.record(one)
    service.record(relation(made[0], instance_id=instance))  # of another installation
    assert [each.id for each in service.images(instance)] == made[::-1]
    assert [each.id for each in service.images(instance, Kind.BACKUP)] == []
    of_all = open_runtime().related_of("")
    assert len(list(of_all.relations(made[0]))) == 2
    assert [each.relation.instance_id for each in service.relations(made[0])] == [instance]
    service.forget(one)
    service.forget(one)
    assert [each.id for each in service.images(instance)] == made[-2::-1]


def test_what_cannot_be_is_told_apart(cloud, service, open_runtime):
    absent = relation(str(uuid.uuid4()))
    with pytest.raises(ResourceNotFoundError, match=f"image {absent.image_id}"):
        service.record(absent)
    with pytest.raises(ResourceNotFoundError):
        list(service.relations(absent.image_id))
    image_id = cloud.queued("own", by=cloud.demo)
    with pytest.raises(AccessDeniedError, match="record a relation"):
        open_runtime("demo").related_of("").record(relation(image_id))


def test_a_boot_is_recorded_before_the_command_ends_and_the_commands_find_it(cloud, command, access):
    """Promise: "the compute driver records (installation, server, image, boot) after each boot"."""
    tag = cloud.named("amphora")
    image_id, ini = cloud.upload("amphora", tag), str(cloud.ini(controller_worker__amp_image_tag=tag))
    server_id = json.loads(command("--config-file", ini, "boot", "x", "-f", "json").stdout)["id"]
    cloud.octavia.compute.delete(f"/servers/{server_id}")
    assert relations(cloud.octavia, image_id) == [parts("boot", access.installation, server_id)]
    told = command("--config-file", ini, "related", "images", "--instance", server_id, "-f", "json")
    assert [(each["id"], each["kind"]) for each in json.loads(told.stdout)] == [(image_id, "boot")]
    told = command("--config-file", ini, "related", "instances", "--image", tag, "-f", "json")
    (row,) = json.loads(told.stdout)
    assert (row["instance_id"], row["installation"], row["kind"]) == (server_id, access.installation, "boot")


def test_wrong_arguments_are_told_in_one_line(cloud, command):
    ini = str(cloud.ini())
    command("--config-file", ini, "related", "images", "--instance", "x").failed(2, "--instance 'x' is no UUID", "32")


def test_backups_are_made_related_and_rotated(cloud, open_runtime, tag):
    """Promise: "`snapshot` and `backup` use it, with a rotation that cannot delete another instance's backup"."""
    cloud.upload("amphora", tag)
    runtime = open_runtime(controller_worker__amp_image_tag=tag)
    mine = runtime.build(runtime.policy.wanted(), server(cloud))[1].id
    ours = {"installation": runtime.related.installation, "kind": Kind.BACKUP}
    others = [{**ours, "instance_id": str(uuid.uuid4())}, {"instance_id": mine, "kind": Kind.BACKUP}]
    old, *kept = made = [cloud.upload("backup") for _ in range(4)]
    for image_id, what in zip(
        made, [{**ours, "instance_id": mine}, *others, {**ours, "instance_id": mine}], strict=True
    ):
        runtime.related.record(relation(image_id, **what))
    runtime.related.record(relation(kept[-1], **others[0]))  # one image that is a backup of two
    snapshots = Snapshots(
        runtime.servers, runtime.related, GlanceImports(adapter(runtime.session, runtime.conf.glance, "image"))
    )
    try:
        wait_until_active(runtime.servers, mine, deadline_seconds=120)
        new = finished(cloud, snapshots, mine)
        assert relations(cloud.octavia, new) == [parts("backup", cloud.access.installation, mine)]
        assert snapshots.rotate(mine, 1) == [old]
        assert [each.id for each in runtime.related.images(mine, Kind.BACKUP)] == [new, kept[-1]]
        assert {each["status"] for each in map(shown(cloud), kept)} == {"active"}
    finally:
        runtime.servers.delete(mine)


def shown(cloud):
    return lambda image_id: cloud.octavia.image.get(f"/v2/images/{image_id}").json()


def server(cloud):
    return BootRequest(
        name=f"amphora-{uuid.uuid4()}", flavor_id=cloud.access.flavor_id, network_ids=(cloud.access.network_id,)
    )


def finished(cloud, snapshots, server_id):
    """Make a backup, and give it the bytes that the sandbox's hypervisor, which is none, does not.

    It is younger than whatever was made before: Glance tells ages in whole seconds.
    """
    time.sleep(1.0)
    idle = lambda: cloud.octavia.compute.get(f"/servers/{server_id}").json()["server"]["OS-EXT-STS:task_state"] is None  # noqa: E731
    image_id = snapshots.take(server_id, cloud.named("backup"), Kind.BACKUP)
    cloud._made.append((cloud.octavia.image, f"/v2/images/{image_id}"))
    until(idle, seconds=60, what="Nova to have done with the server")
    patch = [
        {"op": "add", "path": f"/{key}", "value": value}
        for key, value in (("disk_format", "raw"), ("container_format", "bare"))
    ]
    cloud.octavia.image.patch(f"/v2/images/{image_id}", json=patch, headers=PATCH).raise_for_status()
    kind = {"Content-Type": "application/octet-stream"}
    cloud.octavia.image.put(f"/v2/images/{image_id}/file", data=b"x", headers=kind).raise_for_status()
    snapshots.wait(server_id, image_id, deadline_seconds=60)
    return image_id


def test_what_nova_and_glance_have_no_more_is_forgotten_once_one_says_so(cloud, command, sandbox, relation_store, rows):
    """Promise: "`related reconcile` compares with Nova and Glance"."""
    image_id, ours = cloud.upload("kept"), cloud.access.installation
    relation_store._now = lambda: datetime(2020, 1, 1, tzinfo=UTC)
    no_server, snapshot, no_image = (
        relation(image_id, installation=ours, kind=Kind.BOOT),
        relation(image_id, installation=ours),
        relation(str(uuid.uuid4()), installation=ours),
    )
    foreign = relation(image_id, kind=Kind.BOOT)  # of another Nova, of which this one knows nothing
    for each in (no_server, snapshot, no_image, foreign):
        relation_store.record(each)
    url = f"{sandbox_database.url(State.load(sandbox.layout.state))}/relations"
    reconcile = ("--config-file", str(cloud.ini(relation__connection=url)), "related", "reconcile", "-f", "json")
    planned = {(each["action"], each["instance_id"]) for each in json.loads(command(*reconcile).stdout)}
    assert {("forget", no_server.instance_id), ("forget", no_image.instance_id)} <= planned
    assert not planned & {("forget", snapshot.instance_id), ("forget", foreign.instance_id)}
    assert set(rows(image_id)) == {no_server, snapshot, foreign}
    command(*reconcile, "--apply")
    assert (set(rows(image_id)), rows(no_image.image_id)) == ({snapshot, foreign}, [])


def test_servers_that_do_not_run_what_the_tag_means_now_are_stale(cloud, command, open_runtime):
    """Promise: "--stale … exit code 0 none, 1 stale, 2 unknown. "the tag resolves to nothing" is an error"."""
    tag = cloud.named("amphora")
    old = cloud.upload("v1", tag)
    runtime = open_runtime(controller_worker__amp_image_tag=tag)
    _, booted = runtime.build(runtime.policy.wanted(), server(cloud))
    assert runtime.recorder.settle(60)
    stale = ("--config-file", str(cloud.ini()), "related", "instances", "--stale", "--tag", tag, "-f", "json")
    try:
        new = cloud.newer("v2", tag)
        told = command(*stale)
        assert told.code == 1, told.stderr
        (row,) = [each for each in json.loads(told.stdout) if each["server_id"] == booted.id]
        assert (row["image_id"], row["state"]) == (old, "stale")
        for image_id in (old, new):
            cloud.untag(image_id, tag)
        command(*stale).failed(4, tag, "")
    finally:
        runtime.servers.delete(booted.id)
