# SPDX-License-Identifier: Apache-2.0
import inspect

import pytest

from amphora_image.drivers.base import ComputeDriver
from amphora_image.drivers.noop import NoopComputeDriver
from amphora_image.drivers.nova import NovaComputeDriver

METHODS = [
    "attach_network_or_port",
    "build",
    "create_server_group",
    "delete",
    "delete_server_group",
    "detach_port",
    "get_amphora",
    "status",
    "validate_availability_zone",
    "validate_flavor",
]


def test_the_contract_has_ten_methods():
    assert sorted(ComputeDriver.__abstractmethods__) == METHODS


@pytest.mark.parametrize("driver", [NoopComputeDriver, NovaComputeDriver])
@pytest.mark.parametrize("method", METHODS)
def test_every_driver_takes_what_the_contract_says(driver, method):
    assert inspect.signature(getattr(driver, method)) == inspect.signature(getattr(ComputeDriver, method))


def test_build_takes_port_ids_which_octavias_abstract_class_lacks_and_its_caller_passes():
    assert "port_ids" in inspect.signature(ComputeDriver.build).parameters
