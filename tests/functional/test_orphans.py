# SPDX-License-Identifier: Apache-2.0
"""``amphora-image server orphans`` on the real Nova."""

from __future__ import annotations

import json
import uuid

import pytest
from support.cloud import until

COLUMNS = {"id", "name", "status", "created", "image_id"}


@pytest.fixture
def prefix():
    """What the names of this test's servers begin with, so that no other test's are listed."""
    return f"orphan{uuid.uuid4().hex[:6]}-"


@pytest.fixture
def boot(cloud, tag):
    """Boot a server with that name past our driver, and give its id."""
    image_id, made = cloud.upload("v1", tag), []

    def call(name, by=None):
        body = {"name": name, "imageRef": image_id, "flavorRef": cloud.access.flavor_id}
        compute = (by or cloud.octavia).compute
        networks = [{"uuid": cloud.access.network_id}]
        answer = compute.post("/servers", json={"server": {**body, "networks": networks}})
        assert answer.status_code == 202, answer.text
        made.append(f"/servers/{answer.json()['server']['id']}")
        return made[-1].removeprefix("/servers/"), image_id

    yield call
    for path in made:
        cloud.octavia.compute.delete(path)
    for path in made:
        until(lambda path=path: cloud.octavia.compute.get(path).status_code == 404, seconds=60, what="a deleted server")


@pytest.fixture
def orphans(cloud, command, prefix):
    ini = cloud.ini()

    def call(*arguments, **options):
        ended = command(
            *("--config-file", ini, "server", "orphans", "-f", "json", "--prefix", prefix, *arguments), **options
        )
        return ended.holds_none_of(cloud.secrets)

    return call


def ids(ended):
    assert (ended.code, ended.stderr) == (0, "")
    return [row["id"] for row in json.loads(ended.stdout)]


def test_servers_that_nobody_knows_are_listed_and_left_alone(cloud, boot, orphans, prefix):
    first, image_id = boot(f"{prefix}{uuid.uuid4()}")
    second, _ = boot(f"{prefix}{uuid.uuid4()}")
    plain, _ = boot(f"{prefix}1")
    until(
        lambda: cloud.octavia.compute.get(f"/servers/{second}").json()["server"]["status"] == "ACTIVE",
        seconds=60,
        what="a server that is ACTIVE",
    )

    listed = orphans("--older-than", "0")

    mine = {row["id"]: row for row in json.loads(listed.stdout)}
    assert {first, second} <= mine.keys()
    assert plain not in mine, "a name that is not unique by itself"
    assert mine[first].keys() == COLUMNS
    assert (mine[second]["status"], mine[second]["image_id"]) == ("ACTIVE", image_id)
    assert mine[second]["created"].startswith("20")
    assert not {first, second} & set(ids(orphans())), "they are younger than 600 s"
    assert cloud.octavia.compute.get(f"/servers/{first}").status_code == 200


def test_known_servers_are_left_out_from_a_file_or_standard_input(boot, orphans, prefix, tmp_path):
    known, _ = boot(f"{prefix}{uuid.uuid4()}")
    unknown, _ = boot(f"{prefix}{uuid.uuid4()}")
    file = tmp_path / "known"
    file.write_text(f"{known}\nNone\n")
    until(lambda: {known, unknown} <= set(ids(orphans("--older-than", "0"))), seconds=10, what="servers of some age")

    for found in (
        ids(orphans("--older-than", "0", "--known-file", file)),
        ids(orphans("--older-than", "0", "--known-file", "-", stdin=file.read_text())),
    ):
        assert unknown in found
        assert known not in found


def test_a_server_with_a_random_name_is_listed_whatever_the_prefix(boot, orphans):
    server_id, _ = boot(f"a{uuid.uuid4().hex[:9].upper()}")

    until(lambda: server_id in ids(orphans("--older-than", "0")), seconds=10, what="a server of some age")


def test_servers_of_other_projects_are_not_listed_though_the_service_is_an_admin(cloud, boot, orphans, prefix):
    network_id = cloud.network(cloud.demo)
    image_id = cloud.upload("theirs", by=cloud.demo)
    body = {"name": f"{prefix}{uuid.uuid4()}", "imageRef": image_id, "flavorRef": cloud.access.flavor_id}
    answer = cloud.demo.compute.post("/servers", json={"server": {**body, "networks": [{"uuid": network_id}]}})
    theirs = answer.json()["server"]["id"]
    mine, _ = boot(f"{prefix}{uuid.uuid4()}")
    try:
        found = until(
            lambda: {mine} & set(ids(orphans("--older-than", "0"))) and ids(orphans("--older-than", "0")),
            seconds=10,
            what="a server of some age",
        )
        assert theirs not in found
    finally:
        cloud.demo.compute.delete(f"/servers/{theirs}")
        until(
            lambda: cloud.demo.compute.get(f"/servers/{theirs}").status_code == 404,
            seconds=60,
            what="a deleted server",
        )


def test_a_list_of_known_servers_that_cannot_be_relied_on_ends_with_2(orphans, tmp_path):
    file = tmp_path / "known"
    orphans("--known-file", file).failed(2, "cannot be read", "give the path of a file")
    orphans("--known-file", tmp_path).failed(2, "cannot be read", "give the path of a file")
    orphans("--known-file", "-").failed(2, "standard input names no server", "leave --known-file out")
    file.write_bytes(b"\xff\xfe\n")
    orphans("--known-file", file).failed(2, "line 1", "give one UUID a line")
    assert orphans("--older-than", "soon").code == 2
    assert orphans("--older-than", "-1").code == 2


def test_faults_end_as_with_every_command(cloud, command):
    wrong = cloud.ini(service_auth__password="canary")
    command("--config-file", wrong, "server", "orphans").holds_none_of(["canary"]).failed(
        5, "Keystone refused the credentials", "check user, password and project"
    )
    down = cloud.ini(nova__endpoint="http://127.0.0.1:9", amphora_image__retry_deadline_seconds="2")
    command("--config-file", down, "server", "orphans").failed(6, "Nova gave no usable answer", "try again")


def test_help_teaches_where_the_known_ids_come_from(command):
    told = " ".join(command("server", "orphans", "--help").stdout.split())
    assert "openstack loadbalancer amphora list --long -c compute_id -f value | amphora-image" in told
    assert "nothing is deleted" in told
