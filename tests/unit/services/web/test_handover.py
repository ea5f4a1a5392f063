# SPDX-License-Identifier: Apache-2.0
import socket

import pytest
from oslo_config import cfg

from amphora_image.config import register_opts
from amphora_image.errors import SourceForbiddenError, SourceNotFoundError
from amphora_image.reference import Reference
from amphora_image.services.web.handover import check_handover
from amphora_image.services.web.wire import Net


def judged(url, *addresses):
    def resolve(_, port, **__):
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    conf = cfg.ConfigOpts()
    register_opts(conf)
    conf([], project="nothing")
    check_handover(Reference.parse(url), conf, Net(resolve=resolve))


def test_a_host_whose_addresses_are_all_public_may_be_read_by_another():
    judged("https://images.example.org/a", "8.8.8.8", "1.1.1.1")


@pytest.mark.parametrize(
    ("url", "addresses", "told"),
    [
        ("https://images.example.org/a", ("8.8.8.8", "10.0.0.1"), "10.0.0.1 is not public"),
        ("https://images.example.org/a", ("169.254.169.254",), "169.254.169.254 is not public"),
        ("https://images.example.org:22/a", ("8.8.8.8",), "port 22 is not allowed"),
    ],
)
def test_one_address_or_port_that_is_not_allowed_is_enough_to_refuse(url, addresses, told):
    """Another resolver may take any of them, while we would have connected to the first that is allowed."""
    with pytest.raises(SourceForbiddenError, match=told):
        judged(url, *addresses)


def test_a_host_that_does_not_exist_is_told():
    with pytest.raises(SourceNotFoundError, match="has no address"):
        judged("https://images.example.org/a")
