# SPDX-License-Identifier: Apache-2.0
import ipaddress
from types import SimpleNamespace

import pytest

from amphora_image.services.web.addresses import objection


def rules(allowed=(), denied=()):
    networks = [tuple(map(ipaddress.ip_network, one)) for one in (allowed, denied)]
    return SimpleNamespace(allowed_addresses=networks[0], denied_addresses=networks[1])


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.0.0.1",
        "172.32.0.1",
        "100.128.0.1",
        "223.255.255.255",
        "2606:4700::1",
        "2a00::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)
def test_a_public_address_is_allowed(address):
    assert objection(address, rules()) is None


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0:7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:808:808::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_what_is_not_public_is_not_allowed(address):
    """ "private, loopback, link-local, mapped and rebinding forms" """
    assert objection(address, rules()) == f"{address} is not public"


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203"])
def test_what_is_named_is_allowed_in_each_of_its_forms(address):
    assert objection(address, rules(allowed=["10.1.0.0/16"])) is None
    assert objection(address, rules(allowed=["10.2.0.0/16"])) == f"{address} is not public"


@pytest.mark.parametrize("address", ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_what_is_denied_is_denied_in_each_of_its_forms(address):
    told = f"{address} is in denied_addresses"
    assert objection(address, rules(allowed=["8.0.0.0/8"], denied=["8.8.0.0/16"])) == told
    assert objection("64:ff9b::808:808", rules(denied=["64:ff9b::/96"]))
