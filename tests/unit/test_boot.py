# SPDX-License-Identifier: Apache-2.0
import random
from dataclasses import replace

import pytest
from fakes.cinder import FakeVolumes
from fakes.nova import FakeServers

from amphora_image.adopt import is_unique
from amphora_image.boot import Booter, BootRequest, Deadlines, random_name, wait_until_active, wait_until_gone
from amphora_image.errors import (
    AccessDeniedError,
    AmbiguousBuildError,
    QuotaExceededError,
    ServerFailedError,
    ServiceUnavailableError,
    VolumeFailedError,
)
from amphora_image.models import Image, Server

IMAGE = Image(id="image", chosen_by="test")
REQUEST = BootRequest(
    name="amphora-1",
    flavor_id="flavor",
    key_name="key",
    security_groups=("sg",),
    network_ids=("net",),
    port_ids=("port",),
    files={"/etc/x": "y"},
    user_data="data",
    server_group_id="group",
    zone="zone-1",
    volume_zone="zone-v",
)


def test_nova_is_asked_for_just_what_octavias_own_driver_asks_for():
    servers = FakeServers()
    server = Booter(servers).boot(IMAGE, REQUEST)
    assert servers.created == [
        {
            "name": "amphora-1",
            "image": "image",
            "block_device_mapping": {},
            "flavor": "flavor",
            "key_name": "key",
            "security_groups": ("sg",),
            "nics": [{"net-id": "net"}, {"port-id": "port"}],
            "files": {"/etc/x": "y"},
            "userdata": "data",
            "config_drive": True,
            "scheduler_hints": {"group": "group"},
            "availability_zone": "zone-1",
        }
    ]
    assert (server.id, server.status, server.image_id) == (next(iter(servers.servers)), "BUILD", "image")


def test_from_a_volume_the_image_is_left_out_and_the_volume_goes_with_the_server():
    servers, volumes = FakeServers(), FakeVolumes()
    server = Booter(servers, volumes).boot(IMAGE, REQUEST)
    (volume_id,) = volumes.volumes
    assert volumes.volumes == {volume_id: "image"}
    assert volumes.zones == ["zone-v"]
    assert servers.created[0]["image"] is None
    assert servers.created[0]["block_device_mapping"] == {"vda": f"{volume_id}:::true"}
    assert (server.image_id, server.volume_id) == (None, volume_id)


def test_a_volume_is_deleted_when_nova_refuses():
    servers, volumes = FakeServers(), FakeVolumes()
    servers.faults.append(QuotaExceededError("Nova", "instances"))
    with pytest.raises(QuotaExceededError):
        Booter(servers, volumes).boot(IMAGE, REQUEST)
    assert not volumes.volumes


def test_a_volume_stays_when_the_answer_was_lost_since_the_server_may_use_it():
    servers, volumes = FakeServers(), FakeVolumes()
    servers.faults.append(AmbiguousBuildError("amphora-1", "reset"))
    with pytest.raises(AmbiguousBuildError, match="amphora-1"):
        Booter(servers, volumes).boot(IMAGE, REQUEST)
    assert volumes.volumes


def test_failing_to_delete_the_volume_is_logged_and_hides_nothing(caplog):
    servers, volumes = FakeServers(), FakeVolumes()
    servers.faults.append(QuotaExceededError("Nova", "instances"))
    volumes.delete_faults.append(ServiceUnavailableError("Cinder", "503"))
    with pytest.raises(QuotaExceededError):
        Booter(servers, volumes).boot(IMAGE, REQUEST)
    assert "is left behind" in caplog.text


def test_no_error_of_a_hosts_own_volume_driver_hides_why_the_build_failed(caplog):
    class ForeignError(Exception):
        pass

    servers, volumes = FakeServers(), FakeVolumes()
    servers.faults.append(QuotaExceededError("Nova", "instances"))
    volumes.delete_faults.append(ForeignError("no such volume"))
    with pytest.raises(QuotaExceededError):
        Booter(servers, volumes).boot(IMAGE, REQUEST)
    assert "is left behind: no such volume" in caplog.text


@pytest.mark.parametrize(
    "fault", [lambda name: AmbiguousBuildError(name, "reset"), lambda _: ServiceUnavailableError("Nova", "503")]
)
def test_a_server_that_cannot_be_looked_for_is_named_and_keeps_its_volume(fault, caplog):
    servers, volumes, name = FakeServers(), FakeVolumes(), "amphora-6f2c9d1e-4b7a-4c55-9e0d-1a2b3c4d5e6f"
    servers.faults.append(fault(name))
    servers.find_faults.append(AccessDeniedError("Nova", "list servers", "policy"))
    with pytest.raises(AmbiguousBuildError, match=f"{name}.*cannot be looked for"):
        Booter(servers, volumes).boot(IMAGE, replace(REQUEST, name=name))
    (volume_id,) = volumes.volumes
    assert f"Boot volume {volume_id} stays, for server {name} may be there" in caplog.text
    assert len(servers.created) == 1


def test_without_a_volume_nova_is_not_asked_and_nothing_is_deleted():
    servers, volumes = FakeServers(), FakeVolumes()
    volumes.create_faults.append(VolumeFailedError("image", "error"))
    with pytest.raises(VolumeFailedError):
        Booter(servers, volumes).boot(IMAGE, REQUEST)
    assert not servers.created


def test_waiting_ends_when_the_server_is_active():
    servers, pauses = FakeServers(looks=3), []
    server_id = servers.create("x", image="image")
    server = wait_until_active(servers, server_id, deadline_seconds=60, sleep=pauses.append)
    assert server.status == "ACTIVE"
    assert len(pauses) == 2
    assert pauses == sorted(pauses)


def test_a_server_in_error_is_told_with_novas_reason():
    servers = FakeServers(ends_as="ERROR")
    server_id = servers.create("x", image="image")
    with pytest.raises(ServerFailedError, match="is ERROR: as ordered"):
        wait_until_active(servers, server_id, deadline_seconds=60, sleep=lambda _: None)


def test_waiting_has_a_deadline():
    servers = FakeServers(looks=1000)
    server_id = servers.create("x", image="image")
    with pytest.raises(ServerFailedError, match=r"not ACTIVE within 0\.1 s"):
        wait_until_active(servers, server_id, deadline_seconds=0.1, sleep=lambda _: None)
    with pytest.raises(ServerFailedError, match=r"still there after 0\.1 s"):
        wait_until_gone(servers, server_id, deadline_seconds=0.1, sleep=lambda _: None)


def test_waiting_for_the_end_returns_when_nova_has_the_server_no_more():
    wait_until_gone(FakeServers(), "gone", deadline_seconds=1)
    servers = FakeServers(ends_as="DELETED")
    wait_until_gone(servers, servers.create("x", image="image"), deadline_seconds=1, sleep=lambda _: None)


def test_random_names_have_the_asked_length_and_begin_with_a_letter():
    name = random_name(10, random.Random(1))
    assert len(name) == 10
    assert name[0] == "a"
    assert name[1:].isalnum()
    assert random_name(10) != random_name(10)
    assert random_name(1) == "a"


UNIQUE = replace(REQUEST, name="amphora-6b3c0f7e-1234-4abc-8def-0123456789ab")
LOST = AmbiguousBuildError("x", "reset")
BUSY = ServiceUnavailableError("Nova", "HTTP 503")


def booter(servers, volumes=None, **deadlines):
    return Booter(servers, volumes, deadlines=Deadlines(**deadlines), sleep=lambda _: None)


@pytest.mark.parametrize("fault", [LOST, BUSY])
def test_a_server_that_was_made_though_the_answer_was_lost_is_adopted(caplog, fault):
    servers = FakeServers()
    servers.faults, servers.accepts_before_fault = [fault], True
    server = booter(servers).boot(IMAGE, UNIQUE)
    assert [server.id] == list(servers.servers)
    assert len(servers.created) == 1
    assert "is adopted" in caplog.text


@pytest.mark.parametrize(
    "other", [{"image_id": "other"}, {"flavor_id": "other"}, {"name": "amphora-6b3c0f7e-1234-4abc-8def-0123456789ac"}]
)
def test_a_server_that_is_not_surely_ours_is_left_alone(other):
    servers = FakeServers()
    servers.faults = [LOST]
    kept = Server(
        **{"id": "s1", "name": UNIQUE.name, "status": "BUILD", "image_id": "image", "flavor_id": "flavor", **other}
    )
    servers.servers["s1"] = kept
    with pytest.raises(AmbiguousBuildError):
        booter(servers, ambiguous_build_seconds=0.05).boot(IMAGE, UNIQUE)
    assert servers.servers == {"s1": kept}


def test_a_server_that_is_older_than_the_request_is_left_alone():
    servers = FakeServers()
    servers.faults, servers.accepts_before_fault, servers.age_seconds = [LOST], True, 60.0
    with pytest.raises(AmbiguousBuildError):
        booter(servers, ambiguous_build_seconds=0.05).boot(IMAGE, UNIQUE)


def test_of_two_servers_that_both_could_answer_the_request_none_is_adopted(caplog):
    servers = FakeServers()
    servers.faults, servers.accepts_before_fault = [LOST], True
    servers.servers["s1"] = Server(
        id="s1", name=UNIQUE.name, status="BUILD", image_id="image", flavor_id="flavor", zone=None
    )
    with pytest.raises(AmbiguousBuildError):
        booter(servers, ambiguous_build_seconds=0.05).boot(IMAGE, UNIQUE)
    assert len(servers.servers) == 2
    assert "none is touched" in caplog.text


def test_by_a_name_that_others_may_have_nothing_is_looked_for_and_nothing_sent_again():
    servers = FakeServers()
    servers.faults = [LOST, BUSY]
    for expected in (AmbiguousBuildError, ServiceUnavailableError):
        with pytest.raises(expected):
            booter(servers).boot(IMAGE, REQUEST)
    assert not servers.found
    assert len(servers.created) == 2


def test_a_request_that_was_not_accepted_is_sent_again_until_the_deadline():
    servers = FakeServers()
    servers.faults = [BUSY, BUSY]
    server = booter(servers).boot(IMAGE, UNIQUE)
    assert len(servers.created) == 3
    assert list(servers.servers) == [server.id]
    servers = FakeServers()
    servers.faults = [BUSY] * 100
    with pytest.raises(ServiceUnavailableError):
        booter(servers, retry_seconds=0).boot(IMAGE, UNIQUE)


@pytest.mark.parametrize(
    ("name", "unique"),
    [
        ("amphora-6b3c0f7e-1234-4abc-8def-0123456789ab", True),
        (random_name(9, random.Random(1)), True),
        (random_name(8, random.Random(1)), False),
        ("amphora-1", False),
        ("", False),
    ],
)
def test_a_name_is_unique_by_a_uuid_or_eight_random_characters(name, unique):
    assert is_unique(name) is unique
