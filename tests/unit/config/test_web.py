# SPDX-License-Identifier: Apache-2.0
import ipaddress

import pytest

from amphora_image.config import load
from amphora_image.config.web import WEB_OPTIONS, WebRules
from amphora_image.errors import ConfigurationError


@pytest.fixture
def loaded(tmp_path):
    def call(text):
        ini = tmp_path / "x.ini"
        ini.write_text(f"[image_http]\n{text}\n")
        return load([str(ini)])

    return call


def test_the_defaults_are_safe(loaded):
    rules = WebRules.of(loaded(""))
    assert rules.allowed_ports == {80, 443}
    assert (rules.allowed_addresses, rules.denied_addresses) == ((), ())
    assert not rules.allow_unpinned_http
    assert rules.tls.minimum_version == "1.2"
    assert (rules.credentials_file, rules.netrc_file) == ("", "")


def test_networks_addresses_and_ports_are_read(loaded):
    rules = WebRules.of(loaded("allowed_addresses = 10.1.0.0/16, ::1\nallowed_ports ="))
    assert rules.allowed_addresses == (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("::1/128"))
    assert not rules.allowed_ports


@pytest.mark.parametrize(
    "line",
    [
        "allowed_addresses = images.example",
        "allowed_addresses = 10.1.2.3/16",
        "denied_addresses = 10.0.0.0/33",
        "allowed_ports = 0",
        "allowed_ports = https",
        "max_size_bytes = 0",
        "read_deadline_seconds = 0",
        "minimum_tls_version = 1.1",
        "allow_unpinned_http = maybe",
    ],
)
def test_a_value_that_cannot_be_is_told_when_the_ini_is_loaded(loaded, line):
    with pytest.raises(ConfigurationError, match=rf"\[image_http\] {line.partition(' ')[0]}"):
        loaded(line)


def test_every_option_is_mutable():
    assert all(option.mutable for options in WEB_OPTIONS.values() for option in options)
