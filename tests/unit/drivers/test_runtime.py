# SPDX-License-Identifier: Apache-2.0
import contextlib
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
from fakes.cinder import FakeVolumes
from fakes.glance import FakeImages
from fakes.nova import FakeFlavors, FakeServers
from keystoneauth1.session import Session

from amphora_image.boot import Booter, BootRequest
from amphora_image.config import load
from amphora_image.drivers.nova import NovaComputeDriver
from amphora_image.drivers.runtime import Runtime, shared
from amphora_image.errors import ConfigurationError, ImageMisfitError, NoImageError, QuotaExceededError
from amphora_image.fit import FitCheck
from amphora_image.models import Flavor
from amphora_image.resolve import Resolver

INI = """
[controller_worker]
amp_image_tag = amphora
amp_flavor_id = flavor
amp_boot_network_list = net1,net2
amp_secgroup_list = sg
amp_ssh_key_name = key
[nova]
availability_zone = zone-1
[service_auth]
auth_type = password
auth_url = http://127.0.0.1:9/v3
username = u
password = canary
project_name = p
user_domain_name = d
project_domain_name = d
"""


@dataclass
class Bench:
    runtime: Runtime
    images: FakeImages
    servers: FakeServers
    flavors: FakeFlavors


@pytest.fixture
def conf(tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text(INI)
    return load([str(ini)])


@pytest.fixture
def bench(conf):
    runtime, images, servers = Runtime(conf, Session()), FakeImages(), FakeServers()
    runtime.resolver, runtime.booter = Resolver(images, lambda: "ours"), Booter(servers)
    flavors = FakeFlavors(Flavor(id="f", ram=1024, disk=2))
    runtime.fit = FitCheck(flavors)
    return Bench(runtime, images, servers, flavors)


def test_what_a_build_leaves_out_comes_from_the_ini(bench):
    request = bench.runtime.with_defaults(BootRequest(name="amphora-1"))
    assert request == BootRequest(
        name="amphora-1",
        flavor_id="flavor",
        key_name="key",
        security_groups=("sg",),
        network_ids=("net1", "net2"),
        zone="zone-1",
    )


def test_an_installation_that_is_no_uuid_is_told_at_the_start(conf):
    conf.set_override("nova_installation_uuid", "x", "relation")
    with pytest.raises(ConfigurationError, match=r"\[relation\] nova_installation_uuid 'x'"):
        Runtime(conf, Session())


def test_a_boot_is_recorded_and_one_that_failed_is_not(bench):
    recorded = []
    bench.runtime.recorder = SimpleNamespace(booted=lambda *boot: recorded.append(boot))
    image = bench.images.add("v1", "amphora")
    _, server = bench.runtime.build(bench.runtime.policy.wanted(), BootRequest(name="amphora-1"))
    bench.servers.faults.append(QuotaExceededError("Nova", "instances"))
    with pytest.raises(QuotaExceededError):
        bench.runtime.build(bench.runtime.policy.wanted(), BootRequest(name="amphora-2"))
    assert recorded == [(server.id, image.id)]


def test_what_a_build_names_wins(bench):
    given = BootRequest(name="x", flavor_id="f", key_name="k", security_groups=("s",), port_ids=("p",), zone="z")
    assert bench.runtime.with_defaults(given) == given


def test_no_flavor_anywhere_is_an_error_that_names_the_option(bench):
    bench.runtime.conf.set_override("amp_flavor_id", "", "controller_worker")
    with pytest.raises(ConfigurationError, match="amp_flavor_id"):
        bench.runtime.with_defaults(BootRequest(name="x"))


def test_a_random_name_replaces_the_amphoras_where_asked(bench):
    bench.runtime.conf.set_override("random_amphora_name_length", 8, "nova")
    assert len(bench.runtime.with_defaults(BootRequest(name="amphora-1")).name) == 8


def test_one_line_says_what_was_booted_from_what(bench, caplog):
    image = bench.images.add("v1", "amphora", hash_algo="sha512", hash_value="abc")
    caplog.set_level("INFO")
    _, server = bench.runtime.build(bench.runtime.policy.wanted(), BootRequest(name="amphora-1", flavor_id="f"))
    (record,) = caplog.records
    assert record.getMessage() == (
        f"Amphora amphora-1 is server {server.id}, from image {image.id} (v1) of project ours, sha512 abc, "
        "chosen by tag 'amphora' ([controller_worker] amp_image_tag); look-up its own, retries 0, requests none"
    )


def test_without_an_image_nova_is_not_asked(bench):
    with pytest.raises(NoImageError):
        bench.runtime.build(bench.runtime.policy.wanted(), BootRequest(name="amphora-1"))
    assert not bench.servers.created


def test_an_image_that_does_not_fit_the_flavor_is_refused_before_nova_is_asked(bench):
    bench.images.add("v1", "amphora", min_ram=2048)
    with pytest.raises(ImageMisfitError):
        bench.runtime.build(bench.runtime.policy.wanted(), BootRequest(name="amphora-1", flavor_id="f"))
    assert not bench.servers.created


def test_where_the_fit_is_not_checked_no_flavor_is_read(bench):
    bench.images.add("v1", "amphora", min_ram=2048)
    bench.runtime.conf.set_override("check_fit", override=False, group="amphora_image")
    bench.runtime.build(bench.runtime.policy.wanted(), BootRequest(name="amphora-1", flavor_id="f"))
    assert not bench.flavors.asked


def test_after_an_image_that_did_not_fit_the_other_of_the_pair_decides_afresh(bench):
    request = BootRequest(name="amphora-1", flavor_id="f", server_group_id="group")
    bench.images.add("v1", "amphora", min_ram=2048)
    with pytest.raises(ImageMisfitError):
        bench.runtime.build(bench.runtime.policy.wanted(), request)
    newer = bench.images.add("v2", "amphora", minutes=1)
    assert bench.runtime.build(bench.runtime.policy.wanted(), request)[0].id == newer.id


@pytest.mark.parametrize(("volume_gib", "fits"), [(16, True), (4, False)])
def test_from_a_volume_the_volumes_size_counts(bench, volume_gib, fits):
    bench.images.add("v1", "amphora", min_disk=8)
    bench.runtime.conf.set_override("volume_driver", "volume_cinder_driver", "controller_worker")
    bench.runtime.conf.set_override("volume_size", volume_gib, "cinder")
    with contextlib.nullcontext() if fits else pytest.raises(ImageMisfitError):
        bench.runtime.build(bench.runtime.policy.wanted(), BootRequest(name="amphora-1", flavor_id="f"))


def test_after_a_failed_boot_the_other_of_the_pair_decides_afresh(bench):
    request = BootRequest(name="amphora-1", server_group_id="group")
    bench.images.add("v1", "amphora")
    bench.servers.faults.append(QuotaExceededError("Nova", "instances"))
    with pytest.raises(QuotaExceededError):
        bench.runtime.build(bench.runtime.policy.wanted(), request)
    newer = bench.images.add("v2", "amphora", minutes=1)
    image, _ = bench.runtime.build(bench.runtime.policy.wanted(), request)
    assert image.id == newer.id


def test_a_volume_booted_server_shows_the_image_its_volume_was_made_from(bench):
    volumes = FakeVolumes()
    bench.runtime.servers, bench.runtime.volumes = bench.servers, volumes
    server_id = bench.servers.create("x", image=None)
    bench.servers.servers[server_id] = replace(bench.servers.servers[server_id], volume_id=volumes.create("i1", None))
    assert bench.runtime.server(server_id).image_id == "i1"


def test_all_drivers_of_a_process_share_one_runtime_which_is_made_when_first_needed(conf):
    drivers = [NovaComputeDriver(conf) for _ in range(5)]
    assert len({id(one._runtime) for one in drivers}) == 1
    assert shared(conf) is drivers[0]._runtime
    assert "canary" not in repr(vars(drivers[0]._runtime))
