# SPDX-License-Identifier: Apache-2.0
import pytest

from amphora_image.fit import objection
from amphora_image.models import Candidate, Flavor

GIB = 1024**3
FLAVOR = Flavor(id="f1", ram=1024, disk=2, architecture="x86_64")


def told(flavor=FLAVOR, **fields):
    return objection(Candidate(id="i1", **fields), flavor)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"min_ram": 1024, "min_disk": 2, "size": 2 * GIB, "virtual_size": 2 * GIB},
        {"architecture": "x86_64"},
        {"architecture": "AMD64"},
    ],
)
def test_what_is_just_large_enough_fits(fields):
    assert told(**fields) is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"min_ram": 1025}, "it needs 1025 MiB of memory (min_ram), and flavor f1 has 1024"),
        ({"min_disk": 3}, "it needs a disk of 3 GiB (min_disk), and flavor f1 has 2"),
        ({"virtual_size": 3 * GIB}, "its disk is 3.0 GiB large, and flavor f1 has 2"),
        ({"size": 3 * GIB}, "its disk is 3.0 GiB large, and flavor f1 has 2"),
        ({"architecture": "arm64"}, "it is for aarch64 (hw_architecture), and flavor f1 for x86_64"),
    ],
)
def test_what_does_not_fit_says_why(fields, reason):
    assert told(**fields) == reason


def test_a_flavor_without_a_disk_of_its_own_takes_any_image():
    assert told(Flavor(id="f0", ram=1024), min_disk=100, virtual_size=100 * GIB) is None


def test_an_architecture_that_only_one_side_tells_is_no_objection():
    assert told(architecture="") is None
    assert told(Flavor(id="f1", ram=1024, disk=2), architecture="aarch64") is None
