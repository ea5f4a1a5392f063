# SPDX-License-Identifier: Apache-2.0
"""Each command and the driver as the least of users: which calls they make, and what one role less brings.

The users are made with exactly one role in the service's project; the services have their default policies. What the
operator guide's table says is what is seen here.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from support.cloud import until
from support.program import BIN, run
from support.roles import refused, succeeded
from support.worker import CallFailedError, working

from amphora_image.config import load
from amphora_image.drivers.nova import NovaComputeDriver
from amphora_image.errors import AccessDeniedError, AmphoraImageError

GUIDE = Path(__file__).parents[2] / "doc" / "source" / "operator.rst"

LIST, IMAGE = "GET /v2/images", "GET /v2/images/ID"
METHODS, STORES, TASKS = "GET /v2/info/import", "GET /v2/info/stores", "GET /v2/images/ID/tasks"
DATA = "GET /v2/images/ID/file"
MAKE, UPLOAD = "POST /v2/images", "PUT /v2/images/ID/file"
STAGE, IMPORT = "PUT /v2/images/ID/stage", "POST /v2/images/ID/import"
SERVER, INTERFACES = "GET /servers/ID", "GET /servers/ID/os-interface"
SERVERS, FLAVOR, SPECS = "GET /servers/detail", "GET /flavors/ID", "GET /flavors/ID/os-extra_specs"
CREATE, DELETE = "POST /servers", "DELETE /servers/ID"
NETWORK, GROUP = "GET /v2.0/networks/ID", "GET /v2.0/security-groups/ID"
PLUG, UNPLUG = "POST /servers/ID/os-interface", "DELETE /servers/ID/os-interface/ID"
MAKE_GROUP, DROP_GROUP = "POST /os-server-groups", "DELETE /os-server-groups/ID"
PATCH, TAG, UNTAG = "PATCH /v2/images/ID", "PUT /v2/images/ID/tags/TAG", "DELETE /v2/images/ID/tags/TAG"
KEY, ZONES = "GET /os-keypairs/NAME", "GET /os-availability-zone"


def test_resolve_needs_reader(cloud, tag, least, of):
    image_id = cloud.upload("v1", tag)
    reader, less = least("reader"), least("creator")

    succeeded(of(reader, "resolve"))
    assert reader.calls() == {LIST}
    succeeded(of(reader, "resolve", "--explain"))
    assert reader.calls() == {LIST}
    succeeded(of(reader, "resolve", image_id))
    assert reader.calls() == {IMAGE}
    refused(of(less, "resolve"), "Glance")
    refused(of(less, "resolve", "--explain"), "Glance")


def test_server_show_and_orphans_need_reader(server_id, least, of):
    reader, less = least("reader"), least("creator")

    succeeded(of(reader, "server", "show", server_id))
    assert reader.calls() == {SERVER, INTERFACES}
    listed = succeeded(of(reader, "server", "orphans", "--older-than", "0", "-f", "value", "-c", "id"))
    assert server_id in listed.stdout
    assert reader.calls() == {SERVERS}
    refused(of(less, "server", "show", server_id), "Nova")
    refused(of(less, "server", "orphans"), "Nova")


def test_check_needs_reader(cloud, tag, least, of, tmp_path):
    cloud.upload("v1", tag)
    given = {"controller_worker__amp_secgroup_list": cloud.security_group(), "nova__availability_zone": "nova"}
    reader, less = least("reader", **given), least("creator", **given)

    succeeded(of(reader, "check"))
    calls = reader.calls()
    assert calls == {LIST, FLAVOR, SPECS, NETWORK, GROUP, ZONES}
    status = run([BIN / "amphora-image-status", "--config-file", reader.ini, "upgrade", "check"], tmp_path)
    assert status.code == 0, status.stdout
    assert reader.calls() == calls
    ended = of(less, "check", "-f", "json")
    wrong = {row["check"]: row["detail"] for row in json.loads(ended.stdout) if row["result"] == "error"}
    assert ended.code == 2
    assert "Glance does not allow this user" in wrong["image"]
    assert "network" in wrong, "Neutron says of what a user may not see that it does not exist"


def test_a_key_pair_is_seen_by_its_own_user_whatever_the_role(cloud, tag, least, of):
    cloud.upload("v1", tag)
    name = cloud.named("key")
    cloud.octavia.compute.post("/os-keypairs", json={"keypair": {"name": name}}).raise_for_status()
    reader = least("reader", controller_worker__amp_ssh_key_name=name)
    try:
        ended = of(reader, "check", "-f", "json")
    finally:
        cloud.octavia.compute.delete(f"/os-keypairs/{name}")

    assert KEY in reader.calls()
    (wrong,) = [row for row in json.loads(ended.stdout) if row["result"] == "error"]
    assert (wrong["check"], ended.code) == ("key pair", 2)


def test_boot_and_server_delete_need_member(cloud, server_id, least, of):
    member, less = least("member"), least("reader")

    ended = succeeded(of(member, "boot", f"amphora-{uuid.uuid4()}", "--wait", "-f", "value", "-c", "id"))
    assert member.calls() == {LIST, FLAVOR, SPECS, CREATE, SERVER, INTERFACES}
    succeeded(of(member, "server", "delete", ended.stdout.strip(), "--wait"))
    # A server that is looked at just before it is deleted is still ACTIVE, and has interfaces.
    assert member.calls() - {INTERFACES} == {DELETE, SERVER}
    refused(of(less, "boot", f"amphora-{uuid.uuid4()}"), "Nova")
    refused(of(less, "server", "delete", server_id), "Nova")
    assert cloud.octavia.compute.get(f"/servers/{server_id}").status_code == 200


def test_the_driver_needs_member(cloud, tag, least):
    cloud.upload("v1", tag)
    member, network_id = least("member"), cloud.access.network_id
    driver = NovaComputeDriver(load([str(member.ini)]))
    driver.validate_flavor(cloud.access.flavor_id)
    driver.validate_availability_zone("nova")
    assert member.calls() == {FLAVOR, ZONES}

    group = driver.create_server_group(cloud.named("group"), "soft-anti-affinity")
    assert member.calls() == {MAKE_GROUP}
    files = {"/etc/octavia/amphora-agent.conf": "x"}
    server_id = driver.build(f"amphora-{uuid.uuid4()}", server_group_id=group.id, config_drive_files=files)
    assert member.calls() == {LIST, FLAVOR, SPECS, CREATE}
    try:
        until(lambda: driver.get_amphora(server_id)[0].status == "ACTIVE", seconds=60, what="a server that is ACTIVE")
        assert driver.status(server_id) == "UP"
        assert member.calls() == {SERVER, INTERFACES}
        plugged = driver.attach_network_or_port(server_id, network_id=network_id)
        assert member.calls() == {PLUG}
        driver.detach_port(server_id, plugged.port_id)
        assert member.calls() == {UNPLUG}
    finally:
        driver.delete(server_id)
        driver.delete_server_group(group.id)
    assert member.calls() == {DELETE, DROP_GROUP}


def test_the_driver_under_octavias_contract_needs_member(cloud, tag, least):
    cloud.upload("v1", tag)
    member = least("member")
    with working(member.ini, "amphora_image_driver") as octavia:
        octavia.call("validate_flavor", flavor_id=cloud.access.flavor_id)
        octavia.call("validate_availability_zone", availability_zone="nova")
        assert member.calls() == {FLAVOR, ZONES}

        group = octavia.call("create_server_group", name=cloud.named("group"), policy="soft-anti-affinity")["id"]
        assert member.calls() == {MAKE_GROUP}
        given = {
            "amphora_flavor": cloud.access.flavor_id,
            "image_tag": tag,
            "image_owner": "",
            "network_ids": [cloud.access.network_id],
            "config_drive_files": {"/etc/octavia/amphora-agent.conf": "x"},
            "server_group_id": group,
        }
        made = [octavia.call("build", name=f"amphora-{uuid.uuid4()}", **given)]
        assert member.calls() == {LIST, CREATE}
        try:
            made.append(octavia.call("build", name=f"amphora-{uuid.uuid4()}", **given))
            assert member.calls() == {LIST, CREATE}
            until(
                lambda: octavia.call("status", compute_id=made[0]) == "UP", seconds=60, what="a server that is ACTIVE"
            )
            assert member.calls() == {SERVER}  # it has one address, and Nova tells that with it
            network_id = cloud.access.network_id
            plugged = octavia.call("attach_network_or_port", compute_id=made[0], network_id=network_id)
            assert member.calls() == {PLUG}
            octavia.call("detach_port", compute_id=made[0], port_id=plugged["port_id"])
            assert member.calls() == {UNPLUG}
        finally:
            for server_id in made:
                octavia.call("delete", compute_id=server_id)
            octavia.call("delete_server_group", server_group_id=group)
        assert member.calls() == {DELETE, DROP_GROUP}


def test_the_driver_under_octavias_contract_with_reader_alone_is_refused(cloud, tag, server_id, least):
    cloud.upload("v1", tag)
    reader, name = least("reader"), f"amphora-{uuid.uuid4()}"
    with working(reader.ini, "amphora_image_driver") as octavia:
        for method, kind, text, given in (
            (
                "build",
                "ComputeBuildException",
                "Nova does not allow this user to",
                {"name": name, "amphora_flavor": cloud.access.flavor_id, "image_tag": tag, "image_owner": ""},
            ),
            ("delete", "ComputeDeleteException", "Nova does not allow this user to", {"compute_id": server_id}),
            (
                "create_server_group",
                "ServerGroupObjectCreateException",
                "Failed to create",
                {"name": "x", "policy": "anti-affinity"},
            ),
            (
                "attach_network_or_port",
                "Forbidden",
                "Policy doesn't allow",
                {"compute_id": server_id, "network_id": cloud.access.network_id},
            ),
        ):
            with pytest.raises(CallFailedError, match=text) as caught:
                octavia.call(method, **given)
            assert caught.value.kind == kind
    assert not cloud.octavia.compute.get("/servers", params={"name": name}).json()["servers"]
    assert cloud.octavia.compute.get(f"/servers/{server_id}").status_code == 200


def test_the_driver_with_reader_alone_is_refused_and_leaves_nothing(cloud, tag, server_id, least):
    cloud.upload("v1", tag)
    driver = NovaComputeDriver(load([str(least("reader").ini)]))
    name = f"amphora-{uuid.uuid4()}"

    for refuse in (
        lambda: driver.build(name),
        lambda: driver.create_server_group(cloud.named("group"), "anti-affinity"),
        lambda: driver.attach_network_or_port(server_id, network_id=cloud.access.network_id),
        lambda: driver.delete(server_id),
    ):
        with pytest.raises(AmphoraImageError) as caught:
            refuse()
        assert (type(caught.value), caught.value.exit_code) == (AccessDeniedError, 5)
    assert not cloud.octavia.compute.get("/servers", params={"name": name}).json()["servers"]


def test_promotion_needs_member_and_history_reader(cloud, tag, least, of):
    old, new = cloud.upload("v1", tag), cloud.upload("v2")
    member, less = least("member"), least("reader")
    try:
        refused(of(less, "promote", new, "--tag", tag), "Glance")
        succeeded(of(member, "promote", new, "--tag", tag))
        assert member.calls() == {LIST, IMAGE, PATCH, TAG, UNTAG}
        succeeded(of(member, "rollback", "--tag", tag))
        assert member.calls() == {LIST, IMAGE, PATCH, TAG, UNTAG}
        succeeded(of(member, "promote", new, "--tag", tag))
        member.calls()
        refused(of(less, "rollback", "--tag", tag), "Glance")
        refused(of(less, "quarantine", new, "--reason", "bad"), "Glance")
        less.calls()
        succeeded(of(less, "history", "--tag", tag))
        assert less.calls() == {LIST}
        succeeded(of(member, "quarantine", new, "--reason", "bad"))
        assert member.calls() == {LIST, IMAGE, PATCH, TAG, UNTAG}
    finally:
        cloud.unprotect(old, new)


def test_fetch_needs_member_and_show_reader(cloud, tag, least, of):
    image_id = cloud.upload("v1", tag)
    member, less, none = least("member"), least("reader"), least("creator")

    succeeded(of(less, "show", tag))
    assert less.calls() == {LIST, IMAGE}
    refused(of(none, "show", tag), "Glance")
    member.calls()
    succeeded(of(member, "fetch", image_id, "image"))
    assert member.calls() == {IMAGE, DATA}
    ended = of(less, "fetch", image_id, "other")
    assert ended.code == 5
    assert "Glance does not allow this user to read the bytes" in ended.stderr


def test_publishing_needs_member_and_import_info_reader(cloud, least, of, tmp_path):
    file, name = tmp_path / "image", cloud.named("published")
    file.write_bytes(b"x" * 4096)
    member, less = least("member"), least("reader")
    try:
        refused(of(less, "publish", file, "--name", name), "Glance")
        less.calls()
        succeeded(of(less, "import-info"))
        assert less.calls() == {METHODS, STORES}
        for one, works in ((less, False), (member, True)):
            probed = json.loads(of(one, "import-info", "--probe", "-f", "json").stdout)
            told = {each["name"]: each["works"] for each in probed}
            assert (told["upload"], told["glance-direct"], told["copy-image"]) == (works, works, False)
        assert member.calls() >= {METHODS, STORES, MAKE}
        succeeded(of(member, "publish", file, "--name", name))
        assert member.calls() == {METHODS, STORES, LIST, MAKE, UPLOAD, IMAGE, TASKS, PATCH}
        succeeded(of(member, "publish", file, "--name", f"{name}-2", "--all-stores"))
        assert member.calls() == {METHODS, STORES, LIST, MAKE, STAGE, IMPORT, IMAGE, TASKS, PATCH}
    finally:
        for image in cloud.octavia.image.get("/v2/images").json()["images"]:
            if image["name"].startswith(name):
                cloud.octavia.image.delete(f"/v2/images/{image['id']}")


def test_the_guides_table_names_every_call():
    table = GUIDE.read_text().partition("\nRoles\n")[2].partition("\nExit codes\n")[0]
    calls = {value for name, value in globals().items() if name.isupper() and isinstance(value, str)}
    assert len(calls) == 28
    assert not [call for call in calls if f"``{call}``" not in table]
