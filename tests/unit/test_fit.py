# SPDX-License-Identifier: Apache-2.0
import pytest
from fakes.nova import FakeFlavors

from amphora_image.errors import AccessDeniedError, ImageMisfitError, ResourceNotFoundError, ServiceUnavailableError
from amphora_image.fit import FitCheck, objection
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


LARGE = Candidate(id="i1", name="v1", min_disk=3)


def test_a_flavor_is_asked_for_once():
    flavors = FakeFlavors(FLAVOR)
    check = FitCheck(flavors)
    for _ in range(3):
        check.check(Candidate(id="i1"), "f1")
    assert flavors.asked == ["f1"]


def test_an_image_that_does_not_fit_is_refused_by_name_and_reason():
    with pytest.raises(ImageMisfitError, match=r"image i1 \(v1\) does not fit flavor f1: it needs a disk of 3 GiB"):
        FitCheck(FakeFlavors(FLAVOR)).check(LARGE, "f1")


def test_a_flavor_is_read_anew_before_a_refusal():
    flavors = FakeFlavors(FLAVOR)
    check = FitCheck(flavors)
    check.check(Candidate(id="i0"), "f1")
    flavors.now = Flavor(id="f1", ram=1024, disk=4)
    check.check(LARGE, "f1")
    check.check(LARGE, "f1")
    assert flavors.asked == ["f1", "f1"]


def test_the_size_of_a_boot_volume_counts_instead_of_the_flavors_disk():
    check = FitCheck(FakeFlavors(FLAVOR))
    check.check(LARGE, "f1", volume_gib=3)
    with pytest.raises(ImageMisfitError, match="disk of 3 GiB"):
        check.check(LARGE, "f1", volume_gib=2)


def test_a_nova_that_does_not_answer_is_told_at_once():
    with pytest.raises(ServiceUnavailableError):
        FitCheck(FakeFlavors(ServiceUnavailableError("Nova", "503"))).check(LARGE, "f1")


def test_a_flavor_that_may_not_be_read_fails_no_build(caplog):
    flavors = FakeFlavors(AccessDeniedError("Nova", "look", "403"))
    check = FitCheck(flavors)
    check.check(LARGE, "f1")
    assert "Whether image i1 fits flavor f1 is left to Nova" in caplog.text
    flavors.now = FLAVOR
    with pytest.raises(ImageMisfitError):
        check.check(LARGE, "f1")


def test_a_flavor_that_does_not_exist_is_told_at_once():
    with pytest.raises(ResourceNotFoundError):
        FitCheck(FakeFlavors(ResourceNotFoundError("flavor", "f1"))).check(LARGE, "f1")


def test_no_more_than_64_flavors_are_kept():
    flavors = FakeFlavors(FLAVOR)
    check = FitCheck(flavors)
    for number in range(65):
        check.check(Candidate(id="i1"), f"f{number}")
    check.check(Candidate(id="i1"), "f1")
    check.check(Candidate(id="i1"), "f0")
    assert flavors.asked[65:] == ["f0"]
