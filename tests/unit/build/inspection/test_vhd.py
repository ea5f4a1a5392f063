# SPDX-License-Identifier: Apache-2.0
import random
import struct

import pytest
from fakes.bytes import Bytes

from amphora_image.build.inspection.structure import DamagedError, UnsupportedError
from amphora_image.build.inspection.vhd import Vhd

BLOCK = 4096
CHANCE = random.Random(3)
DISK = CHANCE.randbytes(BLOCK) + bytes(2 * BLOCK) + CHANCE.randbytes(BLOCK) + b"end" * 100
DISK = DISK.ljust(-(-len(DISK) // 512) * 512, b"\0")


def footer(kind=3):
    return struct.pack(">8s8xQ24xQ4xI", b"conectix", 512, len(DISK), kind).ljust(512, b"\0")


def dynamic(*, block=BLOCK, count=5, magic=b"cxsparse", **options):
    """Give a dynamic VHD of the disk: footer, header, table, blocks each behind its map, footer."""
    head = footer(**options) + struct.pack(">8s8xQ4xII", magic, 1536, count, block).ljust(1024, b"\0")
    table, data = [], b""
    for at in range(0, len(DISK), BLOCK):
        content = DISK[at : at + BLOCK].ljust(BLOCK, b"\0")
        table.append((2048 + len(data)) // 512 if any(content) else 0xFFFFFFFF)
        data += b"\xff" * 512 + content if any(content) else b""
    return head + struct.pack(">5I", *table).ljust(512, b"\0") + data + footer(**options)


def opened(image):
    return Vhd(Bytes(image), image[:512])


def test_a_dynamic_disk_is_read_as_it_was_written():
    disk = opened(dynamic())
    assert disk.size == len(DISK)
    for _ in range(50):
        start = CHANCE.randrange(len(DISK))
        size = CHANCE.randrange(len(DISK) - start + 1)
        assert disk.read(start, size) == DISK[start : start + size]
    for place in ((-1, 1), (0, -1), (len(DISK), 1)):
        with pytest.raises(DamagedError):
            disk.read(*place)


def test_a_fixed_disk_is_all_but_the_footer():
    disk = Vhd(Bytes(DISK + footer(kind=2)), footer(kind=2))
    assert disk.read(0, disk.size) == DISK


@pytest.mark.parametrize(
    ("image", "kind", "part"),
    [
        (dynamic(kind=4), UnsupportedError, "differs"),
        (dynamic(magic=b"cxbroken"), DamagedError, "header"),
        (dynamic(block=0), DamagedError, "blocks of 0"),
        (dynamic(block=5000), DamagedError, "blocks of 5000"),
        (dynamic(count=2), DamagedError, "has 2 blocks"),
        (dynamic(count=1 << 31), DamagedError, "blocks for"),
        (dynamic()[:-1024], DamagedError, "truncated"),
    ],
)
def test_a_vhd_that_cannot_be_is_told(image, kind, part):
    with pytest.raises(kind, match=part):
        opened(image)
