# SPDX-License-Identifier: Apache-2.0
"""What a controller worker relies on of every compute driver of ours, whichever name it loads."""

from __future__ import annotations

import inspect
import uuid

import pytest
from stevedore.driver import DriverManager

from amphora_image.config import load
from amphora_image.drivers.base import ComputeDriver
from amphora_image.errors import ResourceNotFoundError
from amphora_image.models import Interface, Server, ServerGroup

GROUP = "amphora_image.compute_drivers"
METHODS = {
    "build",
    "delete",
    "status",
    "get_amphora",
    "create_server_group",
    "delete_server_group",
    "attach_network_or_port",
    "detach_port",
    "validate_flavor",
    "validate_availability_zone",
}


@pytest.fixture(params=["nova", "amphora_image_driver", "noop"])
def name(request):
    return request.param


@pytest.fixture
def driver(name, tag, request):
    if name == "noop":
        conf = load()
    else:
        cloud = request.getfixturevalue("cloud")
        cloud.upload("v1", tag)
        conf = load([str(cloud.ini(controller_worker__amp_image_tag=tag))])
    return DriverManager(GROUP, name, invoke_on_load=True, invoke_args=(conf,)).driver


@pytest.fixture
def amphora(driver):
    from support.cloud import until  # noqa: PLC0415 - no-op needs no client library

    compute_id = driver.build("amphora-contract")
    until(lambda: driver.get_amphora(compute_id)[0].status != "BUILD", seconds=30, what="a server that is built")
    yield compute_id
    driver.delete(compute_id)


def test_a_driver_has_the_ten_methods_of_the_contract_with_its_very_signatures(name):
    kind = DriverManager(GROUP, name).driver

    assert ComputeDriver.__abstractmethods__ == METHODS
    assert issubclass(kind, ComputeDriver)
    for method in METHODS:
        assert inspect.signature(getattr(kind, method)) == inspect.signature(getattr(ComputeDriver, method))


def test_what_is_built_can_be_looked_at(driver, amphora):
    server, fault = driver.get_amphora(amphora)

    assert isinstance(server, Server)
    assert (server.id, server.name, server.status, fault) == (amphora, "amphora-contract", "ACTIVE", None)
    assert server.management_ip
    assert driver.status(amphora) == "UP"


def test_what_never_was_there_is_not_found_and_deleting_it_is_success(driver):
    nobody = str(uuid.uuid4())

    with pytest.raises(ResourceNotFoundError, match=nobody):
        driver.get_amphora(nobody)
    assert driver.delete(nobody) is None


def test_a_server_group_is_made_and_deleting_it_twice_is_success(driver):
    group = driver.create_server_group("octavia-lb-contract", "soft-anti-affinity")

    assert isinstance(group, ServerGroup)
    assert group.id
    assert driver.delete_server_group(group.id) is None
    assert driver.delete_server_group(group.id) is None


def test_unplugging_what_is_not_plugged_is_quiet(driver, amphora):
    assert driver.detach_port(amphora, str(uuid.uuid4())) is None


def test_plugging_gives_the_interface(driver, amphora, name, request):
    port_id = str(uuid.uuid4()) if name == "noop" else request.getfixturevalue("cloud").port()

    plugged = driver.attach_network_or_port(amphora, port_id=port_id)

    assert isinstance(plugged, Interface)
    assert plugged.port_id == port_id
    assert plugged.ip_addresses
    driver.detach_port(amphora, port_id)
