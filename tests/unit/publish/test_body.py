# SPDX-License-Identifier: Apache-2.0
import bz2
import gzip
import lzma

import pytest
from support import disks

from amphora_image.errors import FormatMismatchError, UnusableFileError
from amphora_image.publish.body import disk_format
from amphora_image.publish.source import FileSource


@pytest.fixture
def of(tmp_path):
    """Make a source of bytes."""

    def made(content):
        (tmp_path / "image").write_bytes(content)
        return FileSource(tmp_path / "image")

    return made


def test_the_format_is_told_by_the_first_bytes(of):
    assert [disk_format(of(each)) for each in (disks.qcow2(), disks.raw())] == ["qcow2", "raw"]
    with pytest.raises(FormatMismatchError):
        disk_format(of(disks.qcow2()), "raw")


@pytest.mark.parametrize(
    ("packed", "program"),
    [
        (gzip.compress(disks.qcow2()), "gzip"),
        (bz2.compress(disks.qcow2()), "bzip2"),
        (lzma.compress(disks.qcow2()), "xz"),
        (b"\x28\xb5\x2f\xfd" + bytes(1000), "zstd"),
        (b"PK\x03\x04" + bytes(1000), "zip"),
    ],
)
def test_what_is_packed_passes_for_a_raw_disk_only_where_somebody_says_so(of, packed, program):
    with pytest.raises(UnusableFileError, match=f"image is no disk, but packed by {program}; unpack it"):
        disk_format(of(packed))
    assert disk_format(of(packed), "raw") == "raw"
