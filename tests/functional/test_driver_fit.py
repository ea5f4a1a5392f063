# SPDX-License-Identifier: Apache-2.0
"""An image against the flavor before Nova is asked, by the compute driver on the real Nova and Glance."""

from __future__ import annotations

import pytest
from stevedore.driver import DriverManager
from support.wire import Wire
from support.worker import CallFailedError, working

from amphora_image.config import load
from amphora_image.drivers.runtime import shared
from amphora_image.errors import ImageMisfitError


@pytest.fixture
def conf(cloud, tag):
    return load([str(cloud.ini(controller_worker__amp_image_tag=tag))])


@pytest.fixture
def driver(conf):
    name = "amphora_image_driver"
    return DriverManager("amphora_image.compute_drivers", name, invoke_on_load=True, invoke_args=(conf,)).driver


@pytest.fixture
def wire(conf):
    """What the driver of this configuration sends."""
    return Wire.under(shared(conf).session)


@pytest.fixture
def arm(cloud):
    """A flavor of 1 GiB of memory and disk whose hosts must be aarch64."""
    name = cloud.named("arm")
    body = {"flavor": {"id": name, "name": name, "ram": 1024, "vcpus": 1, "disk": 1}}
    answer = cloud.admin.compute.post("/flavors", json=body)
    assert answer.status_code == 200, answer.text
    specs = {"extra_specs": {"trait:HW_ARCH_AARCH64": "required"}}
    cloud.admin.compute.post(f"/flavors/{name}/os-extra_specs", json=specs).raise_for_status()
    yield name
    cloud.admin.compute.delete(f"/flavors/{name}")


@pytest.mark.parametrize(
    ("needs", "reason"),
    [
        ({"min_disk": 2}, "needs a disk of 2 GiB"),
        ({"min_ram": 2048}, "needs 2048 MiB of memory"),
        ({"hw_architecture": "x86_64"}, "is for x86_64"),
    ],
    ids=["disk", "memory", "architecture"],
)
def test_an_image_that_does_not_fit_is_refused_before_nova_is_asked_for_a_server(
    cloud, driver, tag, arm, wire, needs, reason
):
    """Fit: image against flavor (disk, memory, hw_architecture) before Nova is asked."""
    image_id = cloud.upload("v1", tag, **needs)

    with pytest.raises(ImageMisfitError, match=reason) as caught:
        driver.build("amphora", amphora_flavor=arm)

    assert image_id in str(caught.value)
    assert wire.count("POST", "/servers") == 0


def test_an_image_that_fits_costs_no_request_more_the_second_time(cloud, driver, tag, wire):
    cloud.upload("v1", tag, min_disk=1, min_ram=64, hw_architecture="x86_64")
    flavor_id = cloud.access.flavor_id
    servers = []
    try:
        servers.append(driver.build("amphora-1"))
        first = [path for _, path in wire.sent if f"/flavors/{flavor_id}" in path]
        wire.clear()
        servers.append(driver.build("amphora-2"))
    finally:
        for server_id in servers:
            cloud.octavia.compute.delete(f"/servers/{server_id}")

    assert [path.rpartition("/")[2] for path in first] == [flavor_id, "os-extra_specs"]
    assert wire.count("POST", "/servers") == 1
    assert not [path for _, path in wire.sent if "/flavors/" in path]


@pytest.mark.parametrize("chosen", [None, "true"])
def test_under_octavia_the_fit_is_left_to_nova_unless_the_ini_asks_for_the_check(cloud, tag, chosen):
    """Off by default under Octavia."""
    cloud.upload("v1", tag, min_disk=1000)
    conf = cloud.folder / "octavia.conf"
    conf.write_text(cloud.access.ini("octavia") + (f"[amphora_image]\ncheck_fit = {chosen}\n" if chosen else ""))
    with working(conf, "amphora_image_driver") as worker, pytest.raises(CallFailedError) as caught:
        worker.call("build", name="amphora", amphora_flavor=cloud.access.flavor_id, image_tag=tag)

    assert caught.value.kind == "ComputeBuildException"
    assert ("it needs a disk of 1000 GiB (min_disk)" in str(caught.value)) == bool(chosen)
