# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import http.client
import struct

import pytest
from support.amphorae import ELF, image

from amphora_image.build.trial.balancing import Balancer, vip_request
from amphora_image.build.trial.deadline import Deadline
from amphora_image.build.trial.members import Members
from amphora_image.build.trial.trial import _check_architecture, disk_format
from amphora_image.errors import UnsafeImageError, UnusableFileError


def test_the_configuration_names_the_members_and_what_the_agent_calls_the_pool():
    balancer = Balancer(
        amphora="a", balancer="b", listener="l", pool="p", vip="10.0.3.20", members=("10.0.3.2:81", "10.0.3.2:82")
    )
    config = balancer.haproxy_config()
    assert "bind 10.0.3.20:80\n" in config
    assert "backend p:l\n" in config
    assert balancer.pool_name == "p:l"
    assert config.count("    server member") == 2
    assert b'"subnet_cidr": "10.0.3.0/24"' in vip_request("10.0.3", "52:54:00:00:00:02")


def test_each_member_answers_with_its_own_name():
    with Members(2) as members:
        for port, name in zip(members.ports, members.names, strict=True):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/")
            assert connection.getresponse().read().decode() == name
            connection.close()


def test_there_is_one_attempt_even_where_no_time_is_left():
    assert list(Deadline(0).attempts(1)) == [0]


def test_the_format_of_an_image_is_told_by_its_bytes(tmp_path):
    (tmp_path / "disk").write_bytes(bytes(1024))
    assert disk_format(tmp_path / "disk") == "raw"


def test_what_is_no_image_for_an_amphora_is_refused(tmp_path):
    with pytest.raises(UnusableFileError, match="is no file"):
        disk_format(tmp_path)
    (tmp_path / "backed").write_bytes(b"QFI\xfb\x00\x00\x00\x03" + (512).to_bytes(8) + (8).to_bytes(4) + bytes(2000))
    with pytest.raises(UnsafeImageError):
        disk_format(tmp_path / "backed")


def test_a_system_for_another_processor_is_refused_before_it_is_booted(tmp_path):
    _check_architecture(image(tmp_path / "own"))
    foreign = image(tmp_path / "foreign", {"usr/sbin/init": (ELF[:18] + struct.pack("<H", 183) + ELF[20:], 0o755)})
    with pytest.raises(UnusableFileError, match="holds a system for aarch64; only those for x86_64 are tested"):
        _check_architecture(foreign)


def test_whether_what_cannot_be_looked_into_boots_is_left_to_be_seen(tmp_path):
    (tmp_path / "disk").write_bytes(bytes(1 << 20))
    _check_architecture(tmp_path / "disk")
