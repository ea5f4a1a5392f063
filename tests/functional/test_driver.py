# SPDX-License-Identifier: Apache-2.0
"""The compute driver, loaded by stevedore as a worker loads it, on a real Nova."""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from stevedore.driver import DriverManager
from support.cloud import until
from support.wire import Wire

from amphora_image.config import load
from amphora_image.drivers.runtime import shared
from amphora_image.errors import PortInUseError, RequestRefusedError, ResourceNotFoundError

NOWHERE = "http://127.0.0.1:9"
NAMES = ("amphora_image_driver", "nova")


def load_driver(conf, name="amphora_image_driver"):
    return DriverManager("amphora_image.compute_drivers", name, invoke_on_load=True, invoke_args=(conf,)).driver


@pytest.fixture
def v1(cloud, tag):
    """An image that carries the tag."""
    return cloud.upload("v1", tag)


@pytest.fixture
def conf(cloud, tag):
    """A worker's configuration that asks for the tag."""
    return load([str(cloud.ini(controller_worker__amp_image_tag=tag))])


@pytest.fixture
def driver(conf):
    return load_driver(conf)


@pytest.fixture
def wire(conf):
    """What the driver of this configuration sends."""
    return Wire.under(shared(conf).session)


@pytest.fixture
def built(cloud):
    """A list of servers that are deleted after the test."""
    servers = []
    yield servers
    for server_id in servers:
        cloud.octavia.compute.delete(f"/servers/{server_id}")


@pytest.fixture
def amphora(driver, v1, built):
    """A server that is ACTIVE."""
    built.append(driver.build("amphora"))
    server = settled(driver, built[0])
    assert (server.status, server.image_id) == ("ACTIVE", v1)
    return server.id


def settled(driver, server_id):
    """Wait until Nova is done with a server, and give it."""
    until(lambda: driver.get_amphora(server_id)[0].status != "BUILD", seconds=60, what="a server that is built")
    return driver.get_amphora(server_id)[0]


def raw(cloud, server_id):
    """Give the server as Nova tells it to an admin."""
    headers = {"OpenStack-API-Version": "compute 2.3"}  # the first that tells the user data
    return cloud.admin.compute.get(f"/servers/{server_id}", headers=headers).json()["server"]


def nobody():
    return str(uuid.uuid4())


# build


@pytest.mark.parametrize("name", NAMES)
def test_a_driver_of_either_name_boots_the_image_on_the_tag(conf, v1, built, name):
    driver = load_driver(conf, name)

    built.append(driver.build("amphora-1"))

    server = settled(driver, built[0])
    assert (server.name, server.status, server.image_id) == ("amphora-1", "ACTIVE", v1)
    assert (server.flavor_id, server.zone, server.fault) == (conf.controller_worker.amp_flavor_id, "nova", None)
    assert server.management_ip.startswith("172.31.")
    assert driver.status(server.id) == "UP"


def test_a_build_passes_all_that_the_worker_gives_it(cloud, driver, v1, built, wire):
    key = cloud.named("key")
    cloud.octavia.compute.post("/os-keypairs", json={"keypair": {"name": key}}).raise_for_status()
    security_group, port = cloud.security_group(), cloud.port()
    group = driver.create_server_group(cloud.named("group"), "soft-anti-affinity")

    built.append(
        driver.build(
            "amphora-full",
            amphora_flavor=cloud.access.flavor_id,
            key_name=key,
            sec_groups=[security_group],
            network_ids=[cloud.access.network_id],
            port_ids=[port],
            config_drive_files={"/etc/octavia/amphora-agent.conf": "bind_port = 9443"},
            user_data="#cloud-config",
            server_group_id=group.id,
            availability_zone={"compute_zone": "nova"},
        )
    )

    server = settled(driver, built[0])
    assert (server.status, server.zone, server.image_id) == ("ACTIVE", "nova", v1)
    told = raw(cloud, server.id)
    assert (told["key_name"], told["config_drive"]) == (key, "True")
    assert base64.b64decode(told["OS-EXT-SRV-ATTR:user_data"]) == b"#cloud-config"
    plugged = cloud.octavia.compute.get(f"/servers/{server.id}/os-interface").json()["interfaceAttachments"]
    assert len(plugged) == 2
    made = next(each["port_id"] for each in plugged if each["port_id"] != port)
    assert port in [each["port_id"] for each in plugged]
    made = cloud.octavia.network.get(f"/v2.0/ports/{made}").json()["port"]
    assert (made["network_id"], made["security_groups"]) == (cloud.access.network_id, [security_group])
    members = cloud.octavia.compute.get(f"/os-server-groups/{group.id}").json()["server_group"]["members"]
    assert members == [server.id]
    # The fake hypervisor keeps no files, so that only the request can show them.
    body = next(json.loads(each) for each in wire.bodies if b'"server": {' in each)["server"]
    files = {each["path"]: base64.b64decode(each["contents"]) for each in body["personality"]}
    assert files == {"/etc/octavia/amphora-agent.conf": b"bind_port = 9443"}
    driver.delete_server_group(group.id)


def test_what_a_build_leaves_out_comes_from_the_ini(cloud, v1, tag, built):
    key = cloud.named("key")
    cloud.octavia.compute.post("/os-keypairs", json={"keypair": {"name": key}}).raise_for_status()
    security_group = cloud.security_group()
    driver = load_driver(
        load(
            [
                str(
                    cloud.ini(
                        controller_worker__amp_image_tag=tag,
                        controller_worker__amp_ssh_key_name=key,
                        controller_worker__amp_secgroup_list=security_group,
                        nova__availability_zone="nova",
                        nova__random_amphora_name_length="9",
                    )
                )
            ]
        )
    )

    built.extend([driver.build("amphora-1"), driver.build("amphora-2")])

    servers = [settled(driver, each) for each in built]
    assert all(re.fullmatch("a[A-Z0-9]{8}", each.name) for each in servers)
    assert servers[0].name != servers[1].name
    assert {each.image_id for each in servers} == {v1}
    told = raw(cloud, built[0])
    assert told["key_name"] == key
    name = cloud.octavia.network.get(f"/v2.0/security-groups/{security_group}").json()["security_group"]["name"]
    assert [each["name"] for each in told["security_groups"]] == [name]


@pytest.mark.usefixtures("v1")
def test_a_build_with_ports_alone_is_plugged_into_no_other_network(cloud, driver, built):
    port = cloud.port()

    built.append(driver.build("amphora", port_ids=[port]))

    settled(driver, built[0])
    plugged = cloud.octavia.compute.get(f"/servers/{built[0]}/os-interface").json()["interfaceAttachments"]
    assert [each["port_id"] for each in plugged] == [port]


@pytest.mark.usefixtures("v1")
def test_the_tag_and_owner_of_the_build_itself_count(cloud, driver, tag, built):
    foreign = cloud.newer("theirs", f"{tag}-other", by=cloud.demo)

    built.append(driver.build("amphora", image_tag=f"{tag}-other", image_owner=cloud.foreign))

    # A private image of another project boots for an admin only, which is who Octavia is.
    assert settled(driver, built[0]).image_id == foreign


@pytest.mark.usefixtures("v1")
def test_a_build_after_the_first_costs_one_look_up_and_one_post(driver, built, wire):
    built.append(driver.build("amphora-1"))
    wire.clear()

    built.append(driver.build("amphora-2"))

    assert [(method, path.rpartition("/")[2]) for method, path in wire.sent] == [("GET", "images"), ("POST", "servers")]


def test_v2_tagged_later_is_used_by_the_same_driver_object(cloud, driver, v1, tag, built):
    built.append(driver.build("amphora-1"))
    v2 = cloud.newer("v2", tag)

    built.append(driver.build("amphora-2"))

    assert [driver.get_amphora(each)[0].image_id for each in built] == [v1, v2]


def test_a_mutated_option_is_used_by_the_next_build_of_the_same_driver_object(cloud, tag, built):
    first, second = cloud.upload("first", f"{tag}-1"), cloud.upload("second", f"{tag}-2")
    path = cloud.ini(controller_worker__amp_image_tag="", amphora_image__image_ref=f"glance://tag/{tag}-1")
    conf = load([str(path)])
    driver = load_driver(conf)
    built.append(driver.build("amphora-1"))

    path.write_text(path.read_text().replace(f"{tag}-1", f"{tag}-2"))
    conf.mutate_config_files()
    built.append(driver.build("amphora-2"))

    assert [driver.get_amphora(each)[0].image_id for each in built] == [first, second]


# pairs


def test_a_pair_gets_one_image_although_the_tag_moves_and_the_third_build_decides_afresh(cloud, driver, v1, tag, built):
    group = driver.create_server_group(cloud.named("group"), "soft-anti-affinity")
    built.append(driver.build("master", server_group_id=group.id))
    v2 = cloud.newer("v2", tag)
    built.append(driver.build("backup", server_group_id=group.id))
    built.append(driver.build("failed-over", server_group_id=group.id))

    assert [driver.get_amphora(each)[0].image_id for each in built] == [v1, v1, v2]
    driver.delete_server_group(group.id)


def test_the_second_of_a_pair_does_not_boot_an_image_that_meanwhile_may_not_be_booted(
    cloud, driver, v1, tag, built, warnings_told
):
    group = driver.create_server_group(cloud.named("group"), "soft-anti-affinity")
    built.append(driver.build("master", server_group_id=group.id))
    v2 = cloud.newer("v2", tag)
    cloud.deactivate(v1)
    built.append(driver.build("backup", server_group_id=group.id))

    assert driver.get_amphora(built[1])[0].image_id == v2
    assert "is not used again: its status is deactivated" in warnings_told()[0]
    driver.delete_server_group(group.id)


def test_builds_in_two_server_groups_decide_each_on_its_own(cloud, driver, v1, tag, built):
    groups = [driver.create_server_group(cloud.named("group"), "soft-anti-affinity").id for _ in range(2)]
    built.append(driver.build("one", server_group_id=groups[0]))
    v2 = cloud.newer("v2", tag)
    built.append(driver.build("other", server_group_id=groups[1]))

    assert [driver.get_amphora(each)[0].image_id for each in built] == [v1, v2]
    for group in groups:
        driver.delete_server_group(group)


# get_amphora, status, delete


@pytest.mark.usefixtures("v1")
def test_interfaces_are_asked_for_only_once_the_server_is_active(driver, built, wire):
    built.append(driver.build("amphora"))
    seen = []

    def look():
        before = wire.count("GET", "/os-interface")
        status = driver.get_amphora(built[0])[0].status
        seen.append((status, wire.count("GET", "/os-interface") - before))
        return status != "BUILD"

    until(look, seconds=60, what="a server that is built")
    assert set(seen) == {("BUILD", 0), ("ACTIVE", 1)}


def test_a_server_that_is_not_there_is_not_asked_for_again(driver, wire):
    with pytest.raises(ResourceNotFoundError) as caught:
        driver.get_amphora(nobody())

    assert caught.value.resource == "server"
    assert sum("/servers/" in path for _, path in wire.sent) == 1


@pytest.mark.usefixtures("v1")
def test_a_server_is_down_while_it_is_built_and_up_once_it_is_active(driver, built):
    built.append(driver.build("amphora"))

    assert driver.status(built[0]) == "DOWN"
    settled(driver, built[0])
    assert driver.status(built[0]) == "UP"


def test_a_deleted_server_goes_away_and_deleting_it_again_is_success(cloud, driver, amphora, warnings_told):
    driver.delete(amphora)

    until(lambda: cloud.octavia.compute.get(f"/servers/{amphora}").status_code == 404, seconds=30, what="it is gone")
    driver.delete(amphora)
    assert warnings_told() == [f"Server {amphora} is not there, so it counts as deleted"]


def test_a_server_group_has_the_policy_asked_for_and_deleting_it_again_is_success(cloud, driver, warnings_told):
    group = driver.create_server_group(cloud.named("group"), "anti-affinity")
    told = cloud.octavia.compute.get(f"/os-server-groups/{group.id}").json()["server_group"]

    assert (told["name"], told["policies"]) == (group.name, ["anti-affinity"])
    driver.delete_server_group(group.id)
    assert warnings_told() == []
    driver.delete_server_group(group.id)
    assert warnings_told() == [f"Server group {group.id} is not there, so it counts as deleted"]


def test_an_unknown_policy_of_a_server_group_is_refused(cloud, driver):
    with pytest.raises(RequestRefusedError, match="create a server group"):
        driver.create_server_group(cloud.named("group"), "togetherness")


# attach, detach


def test_a_port_is_plugged_once_and_plugging_it_again_is_success(cloud, driver, amphora):
    port = cloud.port()

    plugged = driver.attach_network_or_port(amphora, port_id=port)
    until(lambda: port in ports(cloud, amphora), seconds=30, what="the port is plugged")

    assert (plugged.port_id, plugged.network_id) == (port, cloud.access.network_id)
    assert plugged.ip_addresses[0].startswith("172.31.")
    assert driver.attach_network_or_port(amphora, port_id=port) == plugged
    driver.detach_port(amphora, port)
    until(lambda: port not in ports(cloud, amphora), seconds=30, what="the port is unplugged")


def test_a_network_is_plugged_by_a_new_port_with_the_address_asked_for(cloud, driver, amphora):
    address = f"172.31.15.{uuid.uuid4().int % 250 + 2}"

    plugged = driver.attach_network_or_port(amphora, network_id=cloud.access.network_id, ip_address=address)

    assert plugged.ip_addresses == (address,)
    assert plugged.port_id in ports(cloud, amphora)


def test_a_port_in_use_elsewhere_is_told_as_such(cloud, driver, amphora, built):
    port = cloud.port()
    built.append(driver.build("other", port_ids=[port]))
    settled(driver, built[1])

    with pytest.raises(PortInUseError) as caught:
        driver.attach_network_or_port(amphora, port_id=port)
    assert caught.value.port_id == port
    assert str(caught.value).endswith("detach it there, or give another port")


@pytest.mark.parametrize(
    ("resource", "network_id", "port_id"),
    [("Network", nobody(), None), ("Port", None, nobody())],
    ids=["network", "port"],
)
def test_plugging_what_does_not_exist_says_which(driver, amphora, resource, network_id, port_id):
    with pytest.raises(ResourceNotFoundError) as caught:
        driver.attach_network_or_port(amphora, network_id=network_id, port_id=port_id)
    assert (caught.value.resource, caught.value.identifier) == (resource, network_id or port_id)


def test_plugging_into_a_server_that_does_not_exist_says_so(cloud, driver):
    server_id, port = nobody(), cloud.port()

    with pytest.raises(ResourceNotFoundError) as caught:
        driver.attach_network_or_port(server_id, port_id=port)
    assert (caught.value.resource, caught.value.identifier) == ("Instance", server_id)


def test_unplugging_from_a_server_that_does_not_exist_is_quiet(driver, cloud):
    assert driver.detach_port(nobody(), cloud.port()) is None


def ports(cloud, server_id):
    found = cloud.octavia.compute.get(f"/servers/{server_id}/os-interface").json()["interfaceAttachments"]
    return [each["port_id"] for each in found]


# validate


def test_a_flavor_and_a_zone_that_exist_are_valid_and_others_are_not(cloud, driver):
    assert driver.validate_flavor(cloud.access.flavor_id) is None
    assert driver.validate_availability_zone("nova") is None
    with pytest.raises(ResourceNotFoundError, match="flavor nobody"):
        driver.validate_flavor("nobody")
    with pytest.raises(ResourceNotFoundError, match="availability zone nowhere"):
        driver.validate_availability_zone("nowhere")


# sessions


@pytest.mark.parametrize("name", [*NAMES, "noop"])
def test_constructing_a_driver_does_no_input_or_output(cloud, tag, name, monkeypatch):
    """Constructing a driver does no I/O."""
    options = {"service_auth__auth_url": NOWHERE, "glance__endpoint": NOWHERE, "nova__endpoint": NOWHERE}
    conf = load([str(cloud.ini(controller_worker__amp_image_tag=tag, **options))])

    def refuse(*_):
        raise AssertionError("a socket is opened")

    with monkeypatch.context() as guarded:
        guarded.setattr(socket.socket, "connect", refuse)
        guarded.setattr(socket, "getaddrinfo", refuse)
        assert load_driver(conf, name) is not None


@pytest.mark.usefixtures("v1")
def test_ten_drivers_in_as_many_threads_share_one_session_and_one_token(conf, built, wire):
    """Drivers are thread-safe and share one session a process."""
    together = threading.Barrier(10)

    def one(number):
        driver = load_driver(conf, NAMES[number % 2])
        together.wait(20)
        return driver.build(f"amphora-{number}")

    with ThreadPoolExecutor(10) as pool:
        built.extend(pool.map(one, range(10)))

    assert len(set(built)) == 10
    assert wire.count("POST", "/auth/tokens") == 1


def test_twenty_builds_at_once_share_look_ups_and_make_a_server_each(driver, v1, built, wire):
    with ThreadPoolExecutor(20) as pool:
        built.extend(pool.map(driver.build, [f"amphora-{number}" for number in range(20)]))

    assert len(set(built)) == 20
    assert wire.count("POST", "/servers") == 20
    assert wire.count("GET", "/v2/images") <= 5
    assert {driver.get_amphora(each)[0].image_id for each in built} == {v1}
