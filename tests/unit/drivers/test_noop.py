# SPDX-License-Identifier: Apache-2.0
import pytest
from stevedore.driver import DriverManager

from amphora_image.errors import ResourceNotFoundError


def test_the_noop_driver_does_all_ten_without_a_cloud():
    driver = DriverManager("amphora_image.compute_drivers", "noop", invoke_on_load=True).driver
    built = driver.build("amphora-1", amphora_flavor="f", availability_zone={"compute_zone": "z"}, port_ids=["p"])
    server, fault = driver.get_amphora(built)
    assert (server.name, server.status, server.flavor_id, server.zone, fault) == ("amphora-1", "ACTIVE", "f", "z", None)
    assert driver.status(built) == "UP"
    assert driver.attach_network_or_port(built, port_id="p").port_id == "p"
    driver.detach_port(built, "p")
    driver.delete_server_group(driver.create_server_group("g", "anti-affinity").id)
    driver.validate_flavor("f")
    driver.validate_availability_zone("z")
    driver.delete(built)
    driver.delete(built)
    assert driver.status(built) == "DOWN"
    with pytest.raises(ResourceNotFoundError):
        driver.get_amphora(built)
