# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import types
from pathlib import Path

import pytest

from amphora_image.build.elements import FOLDER
from amphora_image.cli.build import Build, _request, size
from amphora_image.cli.build_contents import check_contents
from amphora_image.cli.main import AmphoraImageApp
from amphora_image.errors import ConfigurationError, UnknownChoiceError

GIB = 1 << 30


def options_of(*arguments):
    return Build(types.SimpleNamespace(stdout=None), None).get_parser("build").parse_args(arguments)


def request_of(*arguments):
    return _request(options_of(*arguments))


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("2", 2 * GIB), ("2G", 2 * GIB), ("1.5GiB", 3 * GIB // 2), ("1500M", 1500 << 20), ("3gb", 3 * GIB)],
)
def test_a_size_without_unit_is_in_gib_as_in_octavias_script(text, bytes_):
    assert size(text) == bytes_


@pytest.mark.parametrize("text", ["0", "", "-1", "2T2", "G", "1e3", "nan"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError):
        size(text)


def test_an_unknown_operating_system_or_type_is_refused_with_those_there_are():
    """The issue: "unknown OS"."""
    with pytest.raises(UnknownChoiceError, match=r"operating system 'vax'; choose one of .*debian"):
        request_of("--os", "vax")
    with pytest.raises(UnknownChoiceError, match=r"type of image 'iso'; choose one of qcow2, raw, vhd, tar"):
        request_of("--type", "iso")


def test_an_amphora_is_built_of_our_elements_and_those_asked_for(monkeypatch):
    monkeypatch.delenv("DIB_RELEASE", raising=False)
    monkeypatch.setenv("ELEMENTS_PATH", "/srv/elements:")
    request = request_of("--os", "debian", "--element", "mine", "--package", "tcpdump", "--no-ssh", "-o", "a.qcow2")
    assert request.elements[:2] == ("user-space-disk", "amphora-debian")
    assert request.elements[-1] == "mine"
    assert {"amphora", "remove-sshd"} <= {*request.elements}
    assert request.packages == ("tcpdump",)
    assert request.elements_path == (FOLDER, Path("/srv/elements"))
    assert request.environment["DIB_RELEASE"] == "trixie"
    assert request.output == Path("a.qcow2").absolute()
    assert request.log == Path("a.qcow2.log").absolute()


def test_elements_may_be_named_instead_of_ours():
    request = request_of("--only-elements", "ubuntu-minimal haproxy-octavia", "--element", "mine")
    assert request.elements == ("user-space-disk", "ubuntu-minimal", "haproxy-octavia", "mine")


def test_what_would_have_diskimage_builder_make_the_disk_is_left_out():
    request = request_of("--only-elements", "base vm ubuntu-minimal block-device-efi", "--element", "bootloader")
    assert request.elements == ("user-space-disk", "base", "ubuntu-minimal")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--tiny", "--no-ssh", "--fips"], "--no-ssh, --fips would have no effect"),
        (["--only-elements", "debian-minimal", "--root-password"], "--root-password would have no effect"),
        (["--root-password"], "AMPHORA_ROOT_PASSWORD is not set"),
    ],
)
def test_an_option_that_can_have_no_effect_is_refused(arguments, told, monkeypatch):
    monkeypatch.delenv("AMPHORA_ROOT_PASSWORD", raising=False)
    check_contents(options_of())
    with pytest.raises(ConfigurationError, match=told):
        check_contents(options_of(*arguments))


def test_grub_waits_as_long_as_the_variable_says(monkeypatch):
    assert request_of().disk.boot.timeout_seconds == 0
    monkeypatch.setenv("DIB_GRUB_TIMEOUT", "5")
    assert request_of().disk.boot.timeout_seconds == 5
    monkeypatch.setenv("DIB_GRUB_TIMEOUT", "soon")
    with pytest.raises(ConfigurationError, match="DIB_GRUB_TIMEOUT is 'soon'"):
        request_of()


def test_the_tiny_image_has_no_agent():
    request = request_of("--tiny", "--os", "debian", "--release", "bookworm")
    assert request.elements == ("user-space-disk", "amphora-debian", "tiny-balancer")
    assert request.environment["DIB_RELEASE"] == "bookworm"


def test_the_output_is_named_after_its_type_unless_it_is_standard_output():
    assert request_of("--type", "raw").output.name == "amphora-x64-haproxy.raw"
    assert request_of("--type", "tar", "-o", "-").output is None


def test_the_time_that_stands_for_now_comes_from_the_environment_as_elsewhere(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert request_of().disk.epoch == 1_700_000_000
    assert request_of("--epoch", "5").disk.epoch == 5


def test_a_commands_own_option_is_no_abbreviation_of_a_global_one():
    _, rest = AmphoraImageApp().parser.parse_known_args(["build", "--os", "debian"])
    assert "--os" in rest


def test_who_wants_no_tmpfs_gets_none(monkeypatch):
    """diskimage-builder's variable says so too; empty it says nothing there."""
    monkeypatch.setenv("DIB_NO_TMPFS", "")
    assert not options_of().no_tmpfs
    assert request_of("--no-tmpfs").memory == 0
    monkeypatch.setenv("DIB_NO_TMPFS", "1")
    assert request_of().memory == 0
