# SPDX-License-Identifier: Apache-2.0
import stat

import pytest
from fakes.bytes import Bytes
from fakes.file_system import FakeFileSystem

from amphora_image.build.inspection.contents import digests_of
from amphora_image.build.inspection.file_system import PIECE_BYTES, Node, Run
from amphora_image.build.inspection.structure import DamagedError
from amphora_image.build.inspection.tree import Tree


class Runs(FakeFileSystem):
    """A file system of one file, with contents where it is told."""

    def __init__(self, content, size, *runs):
        super().__init__({"file": ""})
        self._part = Bytes(content)
        self._runs = runs
        self._nodes[1] = Node(1, stat.S_IFREG | 0o644, 0, 0, size, b"")

    def runs(self, _node):
        return self._runs

    def inline(self, _node):
        return None


def digest(*arguments):
    return digests_of(Tree(Runs(*arguments)), ["/file"])["/file"]


def test_contents_are_put_together_of_runs_and_holes():
    system = Runs(b"abcdefgh", 12, Run(0, 4, 2), Run(5, 0, 3), Run(10, 6, 9))
    with pytest.raises(DamagedError):
        system.read(system.node(1), 11)
    system = Runs(b"abcdefgh", 12, Run(0, 4, 2), Run(5, 0, 3), Run(10, 6, 2))
    assert system.read(system.node(1), 12) == b"ef\0\0\0abc\0\0gh"


def test_a_file_that_has_the_same_bytes_more_often_than_there_is_room_is_refused():
    system = Runs(b"abcdefgh", 1 << 40, *(Run(offset, 0, 8) for offset in range(0, 80, 8)))
    with pytest.raises(DamagedError, match="more data than"):
        list(system.pieces(system.node(1)))


def test_zeros_that_are_stored_and_a_hole_have_the_same_digest():
    size = 2 * PIECE_BYTES
    stored = bytes(PIECE_BYTES) + b"x" * PIECE_BYTES
    assert digest(stored, size, Run(0, 0, size)) == digest(b"x" * size, size, Run(PIECE_BYTES, 0, PIECE_BYTES))


def test_the_same_bytes_at_another_place_have_another_digest():
    size = 2 * PIECE_BYTES
    content = b"x" * size
    assert digest(content, size, Run(0, 0, PIECE_BYTES)) != digest(content, size, Run(PIECE_BYTES, 0, PIECE_BYTES))
