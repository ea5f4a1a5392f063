# SPDX-License-Identifier: Apache-2.0
import struct

import pytest
from fakes.bytes import Bytes

from amphora_image.build.inspection.ext_blocks import extent_runs, mapped_runs
from amphora_image.build.inspection.structure import DamagedError

BLOCK = 1024


def node(depth, *entries, count=None):
    """Give a node of a tree of extents: leaves are (logical, length, physical), others (logical, block)."""
    packed = struct.pack("<HHHHI", 0xF30A, len(entries) if count is None else count, 4, depth, 0)
    for entry in entries:
        packed += struct.pack("<IHHI", *entry[:2], 0, entry[2]) if depth == 0 else struct.pack("<IIHxx", *entry, 0)
    return packed


def part(*blocks):
    return Bytes(b"".join(block.ljust(BLOCK, b"\0") for block in blocks))


def test_a_tree_of_extents_is_followed():
    disk = part(b"", node(0, (0, 2, 7), (5, 1, 9)), node(0, (6, 32768 + 3, 20), (9, 1, 30)))
    runs = list(extent_runs(disk, node(1, (0, 1), (6, 2)).ljust(60, b"\0"), BLOCK))
    assert [(run.offset // BLOCK, run.at // BLOCK, run.length // BLOCK) for run in runs] == [
        (0, 7, 2),
        (5, 9, 1),
        (9, 30, 1),
    ]


@pytest.mark.parametrize(
    "root",
    [
        b"\0" * 60,
        node(6),
        node(0, count=5).ljust(60, b"\0"),
        node(1, (0, 1), (9, 1)).ljust(60, b"\0"),
        node(2, (0, 1)).ljust(60, b"\0"),
    ],
    ids=["magic", "depth", "count", "twice", "level"],
)
def test_a_tree_that_cannot_be_or_leads_twice_to_a_node_is_refused(root):
    with pytest.raises(DamagedError):
        list(extent_runs(part(b"", node(0, (0, 1, 5))), root, BLOCK))


def test_a_map_that_leads_back_into_itself_is_refused():
    disk = part(b"", struct.pack("<256I", *([1] * 256)))
    for place in (13, 14):
        pointers = [0] * 15
        pointers[place] = 1
        with pytest.raises(DamagedError, match="itself"):
            list(mapped_runs(disk, struct.pack("<15I", *pointers), BLOCK, 1 << 40))
