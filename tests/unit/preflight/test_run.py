# SPDX-License-Identifier: Apache-2.0
import pytest
from fakes.compute import FakeResources
from fakes.glance import FakeImages

from amphora_image.config import load
from amphora_image.errors import AuthenticationError, ServiceUnavailableError
from amphora_image.models import Flavor
from amphora_image.preflight.finding import Level, worst
from amphora_image.preflight.run import Asked, Cloud, Preflight
from amphora_image.resolve import Resolver

INI = """
[controller_worker]
compute_driver = amphora_image_driver
amp_image_tag = amphora
amp_flavor_id = f1
amp_boot_network_list = net1,net2
amp_secgroup_list = sg
amp_ssh_key_name = key
[nova]
availability_zone = zone-1
"""
STRONG = {"hash_algo": "sha512", "hash_value": "abc"}


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.images = FakeImages()
        self.servers = FakeResources("key", "zone-1", flavor=Flavor(id="f1", ram=1024, disk=2))
        self.networks = FakeResources("net1", "net2", "sg")
        self.project = lambda: "ours"
        self.overview = None
        self.is_service = True

    def run(self, *changes, asked=None, ini=INI):
        for old, new in changes:
            assert old in ini
            ini = ini.replace(old, new)
        path = self.folder / "x.ini"
        path.write_text(ini)
        cloud = Cloud(
            project_id=self.project,
            resolver=Resolver(self.images, self.project),
            servers=self.servers,
            networks=self.networks,
            overview=self.overview,
            is_service=self.is_service,
        )
        return Preflight(load([str(path)]), cloud, asked).run()


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def of(found, check):
    (row,) = [one for one in found if one.check == check]
    return row


def not_ok(found):
    rows = [one for one in found if one.level is not Level.OK]
    assert all(one.remedy for one in rows), "a row without a remedy"
    return [(one.check, one.level.name) for one in rows]


def fail(error):
    raise error


def test_where_all_is_well_every_row_is_ok(bench):
    image = bench.images.add("v1", "amphora", virtual_size=1, **STRONG)
    found = bench.run()
    assert not_ok(found) == []
    assert [one.check for one in found] == [
        *("driver", "credentials", "image", "owner", "visibility", "hash", "flavor", "fit", "network", "network"),
        *("security group", "key pair", "zone", "deprecated id", "options"),
    ]
    assert image.id in of(found, "image").detail
    assert worst(found) is Level.OK


def test_several_images_are_a_warning_that_names_them(bench):
    older, newer = (bench.images.add(f"v{n}", "amphora", minutes=n, **STRONG) for n in (1, 2))
    row = of(bench.run(), "image")
    assert (row.level, row.remedy.split(":")[1]) == (
        Level.WARNING,
        " openstack image unset --tag amphora IMAGE",
    )
    assert f"{newer.id} (v2) is booted, and not {older.id} (v1)" in row.detail


def test_no_image_is_an_error_with_the_reasons(bench):
    image = bench.images.add("v1", "amphora", status="queued")
    row = of(bench.run(), "image")
    assert row.level is Level.ERROR
    assert f"{image.id} (v1): its status is queued" in row.detail
    assert "tag an active image" in row.remedy


def test_a_fallback_to_the_deprecated_id_is_a_warning(bench):
    spare = bench.images.add("old", **STRONG)
    found = bench.run(("[nova]", f"amp_image_id = {spare.id}\n[nova]"))
    assert not_ok(found) == [("image", "WARNING"), ("deprecated id", "WARNING")]
    assert f"fall back to the deprecated amp_image_id, {spare.id}" in of(found, "image").detail
    assert spare.id in of(found, "hash").detail


def test_an_image_of_another_project_tells_the_line_to_add(bench):
    foreign = bench.images.add("theirs", "amphora", owner="p2", **STRONG)
    row = of(bench.run(), "owner")
    assert row.level is Level.ERROR
    assert row.remedy.endswith("amp_image_owner_id = p2")
    assert foreign.id in row.detail
    ours = bench.images.add("ours", "amphora", minutes=-1, **STRONG)
    row = of(bench.run(), "owner")
    assert row.level is Level.WARNING
    assert f"this one takes {ours.id}" in row.detail
    assert of(bench.run(("amp_flavor_id", "amp_image_owner_id = p2\namp_flavor_id")), "owner").level is Level.OK


def test_trusting_everyone_is_a_warning(bench):
    bench.images.add("theirs", "amphora", owner="p2", **STRONG)
    row = of(bench.run(("[nova]", "[amphora_image]\ntrust_any_owner = true\n[nova]")), "owner")
    assert row.level is Level.WARNING
    assert row.remedy.endswith("amp_image_owner_id = p2")


@pytest.mark.parametrize(
    "fields", [{}, {"hash_algo": "md5", "hash_value": "x"}, {"hash_algo": "SHA1", "hash_value": "x"}]
)
def test_a_missing_or_weak_hash_is_a_warning(bench, fields):
    bench.images.add("v1", "amphora", **fields)
    row = of(bench.run(), "hash")
    assert row.level is Level.WARNING
    assert "hashing_algorithm = sha512" in row.remedy


def test_an_image_that_does_not_fit_is_an_error(bench):
    bench.images.add("v1", "amphora", min_ram=4096, **STRONG)
    row = of(bench.run(), "fit")
    assert row.level is Level.ERROR
    assert "4096 MiB" in row.detail


def test_where_servers_boot_from_a_volume_the_volumes_size_counts(bench):
    bench.images.add("v1", "amphora", min_disk=4, **STRONG)
    volume = ("amp_flavor_id", "volume_driver = volume_cinder_driver\namp_flavor_id")
    assert of(bench.run(), "fit").level is Level.ERROR
    assert of(bench.run(volume), "fit").level is Level.OK
    assert of(bench.run(volume, ("[nova]", "[cinder]\nvolume_size = 3\n[nova]")), "fit").level is Level.ERROR


@pytest.mark.parametrize(
    ("gone", "check"),
    [("net2", "network"), ("sg", "security group"), ("key", "key pair"), ("zone-1", "zone"), ("f1", "flavor")],
)
def test_what_does_not_exist_is_an_error(bench, gone, check):
    bench.images.add("v1", "amphora", **STRONG)
    bench.networks.names.discard(gone)
    bench.servers.names.discard(gone)
    bench.servers.flavors.pop(gone, None)
    found = bench.run()
    assert not_ok(found) == [(check, "ERROR")]
    assert gone in next(one.detail for one in found if one.level is Level.ERROR)


def test_what_is_not_configured_is_said(bench):
    bench.images.add("v1", "amphora", **STRONG)
    found = bench.run(ini="[controller_worker]\namp_image_tag = amphora\n")
    assert not_ok(found) == [("flavor", "ERROR"), ("network", "WARNING")]
    assert "set [controller_worker] amp_flavor_id" in of(found, "flavor").remedy


def test_nothing_wanted_is_an_error(bench):
    found = bench.run(("amp_image_tag = amphora\n", ""))
    assert not_ok(found) == [("image", "ERROR")]


def test_each_zone_with_a_tag_has_its_rows(bench):
    bench.images.add("v1", "arm", **STRONG)
    zones = ("[nova]\navailability_zone = zone-1", "[amphora_image]\nzone_image_tags = a:arm,b:none")
    found = bench.run(("amp_image_tag = amphora\n", ""), zones)
    assert of(found, "image").level is Level.WARNING
    assert of(found, "image in a").level is Level.OK
    assert of(found, "image in b").level is Level.ERROR


def test_the_command_line_may_ask_for_something_else(bench):
    image = bench.images.add("v2", "other", **STRONG)
    bench.servers.flavors["f2"] = Flavor(id="f2", ram=1)
    bench.servers.names.add("zone-2")
    found = bench.run(asked=Asked("other", "f2", "zone-2"))
    assert image.id in of(found, "image").detail
    assert "f2" in of(found, "flavor").detail
    assert "zone-2" in of(found, "zone").detail


def test_an_image_that_only_others_see_is_told(bench):
    bench.overview = FakeImages()
    unseen = bench.overview.add("v1", "amphora", **STRONG)
    found = bench.run()
    assert of(found, "visibility").level is Level.ERROR
    assert f"openstack image add project {unseen.id}" in of(found, "visibility").remedy
    bench.images.candidates[unseen.id] = unseen
    assert of(bench.run(), "visibility").level is Level.OK


def test_a_service_that_is_silent_costs_a_row_and_is_not_asked_again(bench):
    bench.images.add("v1", "amphora", **STRONG)
    bench.servers.fault = ServiceUnavailableError("Nova", "no connection")
    found = bench.run()
    assert not_ok(found) == [("flavor", "ERROR"), ("key pair", "ERROR"), ("zone", "ERROR")]
    assert bench.servers.requests == 1
    bench.servers.fault, bench.networks.fault = None, ServiceUnavailableError("Neutron", "no connection")
    assert not_ok(bench.run()) == [("network", "ERROR"), ("network", "ERROR"), ("security group", "ERROR")]
    bench.networks.fault = None
    bench.images.faults = [ServiceUnavailableError("Glance", "no connection")]
    assert not_ok(bench.run()) == [("image", "ERROR")]


def test_without_a_token_no_service_is_asked(bench):
    bench.project = lambda: fail(AuthenticationError("Keystone", "no"))
    found = bench.run()
    assert not_ok(found) == [("credentials", "ERROR"), ("services", "ERROR")]
    assert not bench.images.requests
    assert not bench.servers.requests
    assert of(found, "options").level is Level.OK


def test_another_users_eyes_are_told(bench):
    bench.images.add("v1", "amphora", **STRONG)
    bench.is_service = False
    assert not_ok(bench.run()) == [("credentials", "WARNING")]
