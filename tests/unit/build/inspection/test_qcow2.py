# SPDX-License-Identifier: Apache-2.0
import random
import struct
import subprocess
import sys

import pytest
import zstandard
from fakes.bytes import Bytes
from support import disks
from support.filesystems import deflated, qcow2

from amphora_image.build.inspection.qcow2 import Qcow2
from amphora_image.build.inspection.structure import DamagedError, UnsupportedError
from amphora_image.build.inspection.zstd import unpack_zstd

CHANCE = random.Random(1)
#: Ten clusters of 64 KiB, the last one short: text, noise, nothing.
DISK = b"".join((b"amphora " * 8192, CHANCE.randbytes(65536), bytes(65536), b"x" * 65536)) * 2 + b"end" * 999
DISK = DISK.ljust(-(-len(DISK) // 512) * 512, b"\0")


def zstd(content):
    return zstandard.ZstdCompressor().compress(content)


def zstd_of_unsaid_size(content):
    """What QEMU writes: a frame that does not tell how much it holds."""
    packer = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"version": 2},
        {"bits": 9},
        {"bits": 21},
        {"pack": deflated},
        {"pack": deflated, "bits": 12},
        {"pack": deflated, "version": 2, "stored": (0, 5)},
        {"pack": zstd},
        {"pack": zstd_of_unsaid_size, "stored": (1,)},
    ],
    ids=["v3", "v2", "512", "2MiB", "zlib", "zlib-4KiB", "v2-mixed", "zstd", "zstd-mixed"],
)
def test_the_disk_is_read_as_it_was_written(options):
    disk = Qcow2(Bytes(qcow2(DISK, **options)))
    disk.check_end()
    assert disk.size == len(DISK)
    assert disk.read(0, len(DISK)) == DISK


@pytest.mark.parametrize("pack", [None, deflated, zstd], ids=["stored", "zlib", "zstd"])
def test_any_part_of_the_disk_is_read_whatever_was_read_before(pack):
    disk = Qcow2(Bytes(qcow2(DISK, pack=pack)))
    for _ in range(99):
        start = CHANCE.randrange(len(DISK))
        size = min(CHANCE.choice((100, 4096, 30_000, 150_000)), len(DISK) - start)
        assert disk.read(start, size) == DISK[start : start + size]


def test_nothing_is_read_outside_the_disk():
    disk = Qcow2(Bytes(qcow2(DISK)))
    for place in ((-1, 1), (0, -1), (len(DISK) - 1, 2), (1 << 62, 1)):
        with pytest.raises(DamagedError):
            disk.read(*place)


@pytest.mark.parametrize("pack", [None, deflated], ids=["stored", "zlib"])
def test_a_file_that_was_cut_off_is_told_before_anything_is_read(pack):
    """The issue: "for inspect: truncated, … an error that says so"."""
    whole = qcow2(DISK, pack=pack)
    with pytest.raises(DamagedError, match="it is truncated"):
        Qcow2(Bytes(whole[: len(whole) * 3 // 4])).check_end()


@pytest.mark.parametrize(
    ("image", "kind", "part"),
    [
        (disks.qcow2(backing=512), UnsupportedError, "backing file"),
        (disks.qcow2(features=1 << 2), UnsupportedError, "external file"),
        (disks.qcow2(features=1 << 4), UnsupportedError, "extended L2"),
        (disks.qcow2(features=1 << 5), UnsupportedError, "nobody knows"),
        (disks.qcow2(features=1 << 1), DamagedError, "corrupt"),
        (disks.qcow2(version=1), UnsupportedError, "version 1"),
        (disks.qcow2(), DamagedError, "first table"),
        (qcow2(DISK)[:20] + struct.pack(">I", 30) + qcow2(DISK)[24:], DamagedError, "clusters are of"),
        (qcow2(DISK)[:32] + struct.pack(">I", 2) + qcow2(DISK)[36:], UnsupportedError, "encrypted"),
        (qcow2(DISK, pack=zstd)[:104] + b"\x07" + qcow2(DISK)[105:], UnsupportedError, "unknown type 7"),
        (disks.qcow2()[:50], DamagedError, "no byte"),
    ],
    ids=["backing", "data-file", "extended", "feature", "corrupt", "v1", "l1", "bits", "luks", "compression", "short"],
)
def test_what_would_be_misread_is_refused(image, kind, part):
    """The issue: "backing file, zstd: an error that says so"."""
    with pytest.raises(kind, match=part):
        Qcow2(Bytes(image))


@pytest.mark.parametrize("pack", [deflated, zstd], ids=["zlib", "zstd"])
def test_a_compressed_cluster_that_is_damaged_is_told(pack):
    image = bytearray(qcow2(DISK, pack=pack))
    at = 3 * 65536
    image[at : at + 8] = b"\xff" * 8
    with pytest.raises(DamagedError, match="compressed"):
        Qcow2(Bytes(bytes(image))).read(0, 65536)


@pytest.mark.parametrize("pack", [deflated, zstd], ids=["zlib", "zstd"])
def test_a_compressed_cluster_that_holds_too_little_is_told(pack):
    image = qcow2(DISK, pack=lambda content: pack(content[:1000]))
    assert Qcow2(Bytes(image)).read(10, 100) == DISK[10:110]
    with pytest.raises(DamagedError, match="cut off"):
        Qcow2(Bytes(image)).read(990, 100)


def test_a_zstd_frame_unpacks_to_no_more_than_a_cluster():
    assert len(unpack_zstd(zstd(bytes(100 << 20)), 65536)) == 65536


WITHOUT_LIBRARY = """
import sys
sys.modules["zstandard"] = None  # as if it were not installed
from amphora_image.build.inspection.structure import MissingDecoderError
from amphora_image.build.inspection.zstd import unpack_zstd
try:
    unpack_zstd(b"", 1)
except MissingDecoderError as error:
    print(error)
"""


def test_without_the_library_for_zstd_that_is_said():
    """The issue: "zstd: an error that says so"."""
    told = subprocess.run([sys.executable, "-c", WITHOUT_LIBRARY], check=True, capture_output=True, text=True).stdout
    assert told == "its contents are compressed with zstd\n"
