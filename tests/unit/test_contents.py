# SPDX-License-Identifier: Apache-2.0
import pytest
from support import disks

from amphora_image.contents import Inspector
from amphora_image.errors import FormatMismatchError, UnsafeImageError

WHOLE = 1 << 20


def inspected(image, declared=None, *, piece=WHOLE):
    inspector = Inspector(declared)
    for start in range(0, len(image), piece):
        inspector.feed(image[start : start + piece])
    return inspector.finish()


@pytest.mark.parametrize("piece", [97, 4096, WHOLE])
@pytest.mark.parametrize(
    ("image", "found"),
    [
        (disks.raw(), "raw"),
        (disks.partitioned(), "raw"),
        (disks.qcow2(), "qcow2"),
        (disks.qcow2(version=2), "qcow2"),
        (disks.vhd(), "vhd"),
        (disks.vdi(), "vdi"),
        (disks.vmdk(), "vmdk"),
        (disks.iso(), "iso"),
        (disks.iso(bootable=True), "iso"),
        (b"", "raw"),
        (b"QFI", "raw"),
    ],
    ids=["raw", "mbr", "qcow2", "qcow2-v2", "vhd", "vdi", "vmdk", "iso", "iso+mbr", "empty", "three-bytes"],
)
def test_a_format_is_told_whatever_the_pieces_it_comes_in(image, found, piece):
    assert inspected(image, piece=piece) == found
    assert inspected(image, found, piece=piece) == found


@pytest.mark.parametrize(
    ("image", "part"),
    [
        (disks.qcow2(backing=512), "has a backing file"),
        (disks.qcow2(features=1 << 2), "data_file"),
        (disks.qcow2(features=1 << 5), "Unknown QCOW2 features"),
        (disks.qcow2(version=1), "Unsupported qcow2 version"),
        (disks.vmdk(extent='RW 1 FLAT "/etc/shadow" 0'), "Invalid extent filenames"),
        (disks.vmdk(kind="monolithicFlat"), "Unsupported subformat"),
        (disks.partitioned(boot_flag=0x11), "invalid boot flag"),
        (disks.qed(), "not allowed"),
        (disks.iso()[:32] + disks.vdi()[32:512] + disks.iso()[512:], "several formats at once"),
    ],
    ids=["backing", "data-file", "feature", "v1", "extent", "flat", "mbr", "qed", "two"],
)
def test_what_reaches_outside_itself_or_cannot_be_judged_is_refused(image, part):
    """The issue: "backing files, external data files and a format that is not the declared one are refused"."""
    with pytest.raises(UnsafeImageError, match=part):
        inspected(image)


@pytest.mark.parametrize(
    ("image", "declared", "detected"),
    [
        (disks.qcow2(), "raw", "qcow2"),
        (disks.raw(), "qcow2", "raw"),
        (disks.partitioned(), "qcow2", "raw"),
        (disks.raw(), "vhd", "raw"),
        (disks.qcow2(), "ami", "qcow2"),
        (disks.iso(bootable=True), "raw", "iso"),
    ],
)
def test_a_format_that_is_not_the_declared_one_is_refused(image, declared, detected):
    with pytest.raises(FormatMismatchError) as caught:
        inspected(image, declared)
    assert (caught.value.declared, caught.value.detected) == (declared, detected)


def test_a_backing_file_is_refused_with_the_first_mebibyte_and_not_at_the_end():
    with pytest.raises(UnsafeImageError):
        Inspector().feed(disks.qcow2(backing=512, size=1 << 20))


def test_a_kernel_may_begin_with_what_looks_like_a_damaged_partition_table():
    assert inspected(disks.partitioned(boot_flag=0x11), "aki") == "aki"
    assert inspected(disks.raw(), "ami") == "ami"


def test_the_format_is_known_as_soon_as_the_header_has_passed():
    inspector = Inspector()
    inspector.feed(disks.qcow2()[:512])
    assert inspector.format is None, "it may still be something else as well"
    inspector.feed(disks.qcow2(size=1 << 20)[512:])
    assert inspector.format == "qcow2"


def test_what_follows_the_verdict_is_not_kept():
    inspector = Inspector("qcow2")
    inspector.feed(disks.qcow2(size=1 << 20))
    inspector.feed(b"conectix" * 1024)
    assert inspector.finish() == "qcow2"
