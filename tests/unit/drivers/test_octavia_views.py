# SPDX-License-Identifier: Apache-2.0
import warnings
from types import SimpleNamespace

import pytest

with warnings.catch_warnings():  # importing Octavia loads libraries that warn of their own end
    warnings.simplefilter("ignore")
    from amphora_image.drivers.octavia.views import amphora_of

NETWORK = "4a7c"


class Server(SimpleNamespace):
    """Novaclient's server; ``looked`` counts how often its interfaces were asked for."""

    def __init__(self, *addresses, status="ACTIVE", kind="fixed"):
        told = {f"net-{at}": [{"addr": one, "OS-EXT-IPS:type": kind}] for at, one in enumerate(addresses)}
        super().__init__(id="s1", status=status, flavor={"id": "f1"}, addresses=told, looked=0)

    def interface_list(self):
        self.looked += 1
        return [
            SimpleNamespace(net_id="other", fixed_ips=[{"ip_address": "10.0.0.9"}]),
            SimpleNamespace(net_id=NETWORK, fixed_ips=[{"ip_address": "10.0.0.7"}]),
        ]


def test_the_one_address_of_a_server_is_its_management_address_without_another_request():
    server = Server("10.0.0.1")
    assert amphora_of(server, None, [NETWORK]).lb_network_ip == "10.0.0.1"
    assert not server.looked


@pytest.mark.parametrize("server", [Server("10.0.0.9", "10.0.0.7"), Server(), Server("10.0.0.7", kind="floating")])
def test_of_several_addresses_that_on_the_management_network_counts(server):
    assert amphora_of(server, None, [NETWORK]).lb_network_ip == "10.0.0.7"
    assert server.looked == 1


def test_a_server_that_is_being_built_has_no_address_yet():
    server = Server("10.0.0.1", status="BUILD")
    assert amphora_of(server, None, [NETWORK]).lb_network_ip is None
    assert not server.looked
