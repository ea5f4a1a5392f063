# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from amphora_image.build.assembly import Disk
from amphora_image.build.builder.request import Request, _fetchers, builders_architecture, check
from amphora_image.errors import DestinationError, DiskTooSmallError, MissingProgramsError, UnknownChoiceError


@pytest.fixture
def elements(tmp_path):
    for name in ("debian-minimal", "vm", "own"):
        (tmp_path / "elements" / name).mkdir(parents=True)
    return tmp_path / "elements"


@pytest.fixture
def request_for(tmp_path):
    def make(**wanted):
        given = {
            "elements": ["own"],
            "output": tmp_path / "image.qcow2",
            "log": tmp_path / "image.log",
            "work": tmp_path,
            "cache": tmp_path / "cache",
        }
        return Request(**{**given, **wanted})

    return make


def test_an_unknown_element_is_refused_with_those_whose_names_are_near(request_for, elements):
    """The issue: "unknown … element"."""
    with pytest.raises(UnknownChoiceError, match=r"no element debian-minimol .*did you mean debian-minimal") as caught:
        check(request_for(elements=["own", "debian-minimol"]), own_elements=elements)
    assert str(elements) in str(caught.value)


def test_an_unknown_architecture_is_refused_with_those_there_are(request_for, elements):
    """The issue: "unknown … architecture"."""
    with pytest.raises(UnknownChoiceError, match=r"disks for vax cannot be made here; choose one of amd64, arm64$"):
        check(request_for(disk=Disk(architecture="vax")), own_elements=elements)
    with pytest.raises(UnknownChoiceError, match=r"disks for armhf cannot be made here; choose one of amd64, arm64$"):
        check(request_for(disk=Disk(architecture="armhf")), own_elements=elements)
    with pytest.raises(UnknownChoiceError, match=r"systems for vax cannot be made here; choose .* armhf, ppc64le$"):
        check(request_for(type="tar", disk=Disk(architecture="vax")), own_elements=elements)


def test_an_output_that_is_there_is_not_replaced_unasked(request_for, elements, tmp_path):
    """The issue: "output existing"."""
    (tmp_path / "image.qcow2").touch()
    with pytest.raises(DestinationError, match="only --overwrite replaces it"):
        check(request_for(), own_elements=elements)


def test_an_output_in_no_folder_is_refused(request_for, elements, tmp_path):
    with pytest.raises(DestinationError, match="there is no folder"):
        check(request_for(output=tmp_path / "nowhere" / "x"), own_elements=elements)
    with pytest.raises(DestinationError, match="File name too long"):
        check(request_for(output=tmp_path / ("x" * 300)), own_elements=elements)
    with pytest.raises(DestinationError, match="it is a folder"):
        check(request_for(log=tmp_path), own_elements=elements)
    with pytest.raises(DestinationError, match="there is no such folder"):
        check(request_for(work=tmp_path / "nowhere"), own_elements=elements)


def test_a_log_whose_name_is_none_is_told(request_for, elements, tmp_path):
    with pytest.raises(DestinationError, match="File name too long"):
        check(request_for(log=tmp_path / ("x" * 300)), own_elements=elements)


def test_debians_and_ubuntus_name_of_an_architecture_is_given_where_it_is_another(request_for):
    little = Disk(architecture="ppc64le")
    assert builders_architecture(request_for(elements=["ubuntu-minimal"], disk=little)) == "ppc64el"
    assert builders_architecture(request_for(elements=["rocky-container"], disk=little)) == "ppc64le"
    assert builders_architecture(request_for(elements=["amphora-debian"])) == "amd64"


def test_only_a_tar_goes_to_standard_output(request_for, elements):
    with pytest.raises(UnknownChoiceError, match="only a tar can be written to standard output"):
        check(request_for(output=None), own_elements=elements)


def test_a_foreign_architecture_without_emulator_is_refused(request_for, elements):
    """The issue: "a foreign architecture without binfmt"."""
    with pytest.raises(MissingProgramsError, match=r"grub-efi-arm64-bin|qemu-user-static"):
        check(request_for(disk=Disk(architecture="arm64")), own_elements=elements)
    with pytest.raises(MissingProgramsError, match="qemu-user-static"):
        check(request_for(type="tar", disk=Disk(architecture="ppc64le")), own_elements=elements)


def test_a_disk_that_would_hold_nothing_is_refused_before_the_build(request_for, elements):
    """The issue: "size too small"."""
    with pytest.raises(DiskTooSmallError, match="a disk of 50 MiB does not hold the system"):
        check(request_for(disk=Disk(size=50 << 20)), own_elements=elements)


@pytest.mark.parametrize("where", ["work", "cache", "elements_path"])
def test_a_folder_that_diskimage_builders_scripts_would_take_apart_is_refused(request_for, elements, tmp_path, where):
    place = tmp_path / "two words"
    place.mkdir()
    with pytest.raises(UnknownChoiceError, match="two words has white space in it"):
        check(request_for(**{where: (place,) if where == "elements_path" else place}), own_elements=elements)


def test_a_folder_of_elements_that_is_not_there_is_told(request_for, elements, tmp_path):
    with pytest.raises(UnknownChoiceError, match=r"there is no folder .*nowhere of elements; correct ELEMENTS_PATH"):
        check(request_for(elements_path=(tmp_path / "nowhere",)), own_elements=elements)


def test_what_brings_the_agent_from_elsewhere_has_to_be_there(request_for, monkeypatch):
    for name in ("DIB_REPOREF_amphora_agent", "DIB_REPOLOCATION_octavia_lib", "DIB_REPOLOCATION_upper_constraints"):
        monkeypatch.delenv(name, raising=False)
    amphora = request_for(elements=["amphora"])
    assert _fetchers(amphora) == set()
    monkeypatch.setenv("DIB_REPOREF_amphora_agent", "master")
    assert _fetchers(amphora) == {"git"}
    monkeypatch.setenv("DIB_REPOLOCATION_upper_constraints", "https://example.org/upper-constraints.txt")
    assert _fetchers(amphora) == {"git", "curl"}
    assert _fetchers(request_for(elements=["tiny-balancer"])) == set()
