# SPDX-License-Identifier: Apache-2.0
import pytest

from amphora_image.errors import ConfigurationError
from amphora_image.services.base import ImageInfo
from amphora_image.services.metadata import MAX_BYTES, parse_option, parse_side_file, with_defaults

WHOLE = b"""
disk_format: qcow2
min_disk: 2
min_ram: 1024
architecture: x86_64
properties: {hw_rng_model: virtio}
"""


def test_a_side_file_gives_properties_by_their_names_in_glance():
    assert parse_side_file(WHOLE, "x.yaml") == {
        "disk_format": "qcow2",
        "min_disk": "2",
        "min_ram": "1024",
        "hw_architecture": "x86_64",
        "hw_rng_model": "virtio",
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"{", "is no YAML"),
        (b"\xff\xfe\x00", "is no YAML"),
        (b"when: 2026-13-45", "is no YAML"),
        (b"!!python/object/apply:os.system [id]", "is no YAML"),
        (b"just words", "holds no keys"),
        (b"- disk_format", "holds no keys"),
        (b"", "holds no keys"),
        (b"disk-format: raw", "'disk-format' is not known"),
        (b"1: raw", "1 is not known"),
        (b"disk_format: qcow3", "disk_format is 'qcow3'"),
        (b"disk_format: [raw]", "disk_format is"),
        (b"min_disk: true", "min_disk is True"),
        (b"min_disk: -1", "min_disk is -1"),
        (b"min_disk: 2.5", "min_disk is 2.5"),
        (b"min_ram: 1 GiB", "min_ram is '1 GiB'"),
        (b"architecture: X86 64", "architecture is"),
        (b"properties: virtio", "properties has no keys"),
        (b"properties: {hw_rng_model: yes}", "'hw_rng_model': True is no text"),
        (b"properties: {1: a}", "1: 'a' is no text"),
        (b"architecture: x86_64\nproperties: {hw_architecture: arm}", "says hw_architecture twice"),
        (b"#" * (MAX_BYTES + 1), "has more than"),
    ],
)
def test_a_side_file_that_says_what_it_cannot_is_refused_by_name(text, told):
    with pytest.raises(ConfigurationError, match=r"^x\.yaml") as caught:
        parse_side_file(text, "x.yaml")
    assert told in str(caught.value)


def test_the_ini_says_what_the_side_file_does_not():
    info = ImageInfo(disk_format="raw", properties={"min_disk": "2"})
    filled = with_defaults(info, {"disk_format": "qcow2", "min_disk": "9", "architecture": "aarch64"})
    assert (filled.disk_format, dict(filled.properties)) == ("raw", {"min_disk": "2", "hw_architecture": "aarch64"})
    assert with_defaults(ImageInfo(), {"disk_format": "qcow2"}).disk_format == "qcow2"


@pytest.mark.parametrize("values", [{"disk": "2"}, {"min_disk": "two"}, {"disk_format": "qcow3"}])
def test_a_wrong_value_in_the_ini_names_the_option(values):
    with pytest.raises(ConfigurationError, match=r"^\[amphora_image\] image_properties: "):
        parse_option(values)
