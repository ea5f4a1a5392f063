# SPDX-License-Identifier: Apache-2.0
import random
import struct
from pathlib import Path

import pytest
from fakes.bytes import Bytes
from support.filesystems import ext, run

from amphora_image.build.inspection.ext import Ext
from amphora_image.build.inspection.file_system import PIECE_BYTES, Node
from amphora_image.build.inspection.structure import DamagedError, UnsupportedError
from amphora_image.build.inspection.tree import Tree

NOISE = random.Random(2).randbytes(400_000)
LARGE = 2 * PIECE_BYTES + 12345
FILES = {
    "etc/hostname": "amphora\n",
    "etc/empty": "",
    "usr/bin/su": (b"\x7fELF", 0o4755),
    "noise": NOISE,
    "short": Path("/etc/hostname"),
    "long": Path("/" + "d/" * 40 + "x"),
    "longest": Path("/" + "x" * 1000),
    **{f"few/{letter * 20}": letter for letter in "abcde"},
    **{f"many/{number:04d}-{'n' * 40}": str(number) for number in range(300)},
}
KINDS = {
    "ext4": ("ext4", ("-b", "4096")),
    "ext4-1k": ("ext4", ("-b", "1024")),
    "ext4-inline": ("ext4", ("-O", "inline_data", "-I", "512")),
    "ext4-32bit": ("ext4", ("-O", "^64bit,^metadata_csum")),
    "ext3": ("ext3", ()),
    "ext2": ("ext2", ("-b", "1024", "-I", "128")),
}


@pytest.fixture(scope="module", params=KINDS)
def made(request, tmp_path_factory):
    """An ext file system of each kind with the same files in it, and its kind."""
    kind, options = KINDS[request.param]
    folder = tmp_path_factory.mktemp("ext")
    commands = [
        "set_inode_field /etc/hostname uid 70000",
        "set_inode_field /etc/hostname gid 80000",
        "ea_set /usr/bin/su user.note made-by-hand",
    ]
    options = (*options, "-L", "root", "-U", "c0ffee00-0000-4000-8000-000000000001")
    return request.param, ext(folder, FILES, kind=kind, options=options, commands=commands)


def test_every_file_is_read_whatever_the_kind(made):
    name, image = made
    system = Ext(Bytes(image))
    tree = Tree(system)
    assert (system.kind, system.label) == (name.partition("-")[0], "root")
    assert system.uuid == "c0ffee00-0000-4000-8000-000000000001"
    assert not system.needs_recovery
    assert set(tree.files) == {
        *(f"/{path}" for path in FILES),
        *("/etc", "/usr", "/usr/bin", "/few", "/many", "/lost+found"),
    }
    for path, given in FILES.items():
        content = given[0] if isinstance(given, tuple) else given
        if isinstance(content, Path):
            assert tree.target(f"/{path}") == str(content)
        else:
            assert tree.read(f"/{path}", 1 << 20) == (content if isinstance(content, bytes) else content.encode())


def test_modes_owners_and_attributes_are_read(made):
    tree = Tree(Ext(Bytes(made[1])))
    assert tree.files["/usr/bin/su"].node.mode == 0o104755
    assert (tree.files["/etc/hostname"].node.uid, tree.files["/etc/hostname"].node.gid) == (70000, 80000)
    system, node = tree.files["/usr/bin/su"]
    assert system.attributes(node)[b"user.note"] == b"made-by-hand"


@pytest.mark.parametrize("kind", ["ext4", "ext2"])
def test_a_large_file_with_holes_is_read_in_pieces(tmp_path, kind):
    content = b"begin" + bytes(LARGE - 8) + b"end"
    sparse = tmp_path / "root" / "sparse"
    sparse.parent.mkdir()
    with sparse.open("wb") as file:
        file.write(b"begin")
        file.seek(LARGE - 3)
        file.write(b"end")
    system = Ext(
        Bytes(ext(tmp_path, {"full": b"abcdefgh" * (LARGE // 8)}, kind=kind, options=("-b", "1024"), size="8M"))
    )
    tree = Tree(system)
    assert tree.read("/sparse", LARGE) == content
    assert tree.read("/full", LARGE) == b"abcdefgh" * (LARGE // 8)
    pieces = list(system.pieces(tree.files["/full"].node))
    assert [offset for offset, _ in pieces] == [0, PIECE_BYTES, 2 * PIECE_BYTES]
    assert {len(piece) for _, piece in pieces[:-1]} == {PIECE_BYTES}
    assert [offset for offset, _ in system.pieces(tree.files["/sparse"].node)] == [0, 2 * PIECE_BYTES]


def test_a_file_in_many_extents_is_read(tmp_path):
    """Its extents are a tree: they do not find place in the inode."""
    image = tmp_path / "ext.img"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", image, "4M")
    (tmp_path / "noise").write_bytes(NOISE)
    # Every second block is taken away, so that each extent is one block long.
    holes = [f"punch /noise {block} {block}" for block in range(1, 300, 2)]
    run("debugfs", "-w", "-f", "-", image, input="\n".join([f"write {tmp_path}/noise /noise", *holes]).encode())
    tree = Tree(Ext(Bytes(image.read_bytes())))
    expected = bytearray(NOISE)
    for block in range(1, 300, 2):
        expected[block * 1024 : (block + 1) * 1024] = bytes(1024)
    assert tree.read("/noise", 1 << 20) == bytes(expected)


def test_a_size_may_have_more_than_32_bits(tmp_path):
    path = tmp_path / "root" / "sparse"
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(5 << 30)
    assert Tree(Ext(Bytes(ext(tmp_path, {})))).files["/sparse"].node.size == 5 << 30


def test_what_was_reserved_and_never_written_is_zero_whatever_lies_there(tmp_path):
    image = tmp_path / "ext.img"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", image, "1M")
    (tmp_path / "noise").write_bytes(NOISE)
    (tmp_path / "empty").touch()
    commands = [f"write {tmp_path}/noise /noise", "rm /noise", f"write {tmp_path}/empty /reserved"]
    commands += ["fallocate /reserved 0 199", "set_inode_field /reserved size 200000"]
    run("debugfs", "-w", "-f", "-", image, input="\n".join(commands).encode())
    tree = Tree(Ext(Bytes(image.read_bytes())))
    node = tree.files["/reserved"].node
    assert b"\x0a\xf3" in node.details[40:44], "it has extents"
    assert tree.read("/reserved", 1 << 20) == bytes(200_000)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small ext4, to damage."""
    return ext(tmp_path_factory.mktemp("small"), {"etc/hostname": "amphora\n"}, options=("-b", "1024"), size="1M")


@pytest.mark.parametrize(
    ("at", "value", "kind", "part"),
    [
        (24, struct.pack("<I", 60), DamagedError, "blocks of"),
        (32, bytes(4), DamagedError, "a group"),
        (40, bytes(4), DamagedError, "a group"),
        (88, struct.pack("<H", 100), DamagedError, "inodes of 100"),
        (4, struct.pack("<I", 1 << 30), DamagedError, "truncated"),
        (96, struct.pack("<I", 1 << 30), UnsupportedError, "features"),
        (0x150, struct.pack("<I", 1), DamagedError, "truncated"),
    ],
)
def test_a_superblock_that_cannot_be_is_told(small, at, value, kind, part):
    image = bytearray(small)
    image[1024 + at : 1024 + at + len(value)] = value
    with pytest.raises(kind, match=part):
        Ext(Bytes(bytes(image)))


def test_a_journal_to_replay_is_noticed(small):
    image = bytearray(small)
    image[1024 + 96] |= 4
    assert Ext(Bytes(bytes(image))).needs_recovery


def test_names_that_find_no_place_in_the_inode_itself_are_read_from_its_attribute(small):
    """As the kernel writes a small folder; mke2fs gives it a block instead."""

    def names(size, *numbers):
        entries = b"".join(struct.pack("<IHBB8s", number, 16, 8, 1, b"file-%03d" % number) for number in numbers[:-1])
        last = size - len(entries)
        return entries + struct.pack("<IHBB8s", numbers[-1], last, 8, 1, b"file-%03d" % numbers[-1]).ljust(last, b"\0")

    inode = bytearray(512)
    struct.pack_into("<I", inode, 32, 0x10000000)
    inode[40:100] = struct.pack("<I", 2) + names(56, 11, 12)
    inode[128:130] = struct.pack("<H", 32)
    inode[160:184] = b"\x00\x00\x02\xea" + struct.pack("<BBHIII4s", 4, 7, 100, 0, 48, 0, b"data")
    inode[264:312] = names(48, 13, 14, 15)
    folder = Node(20, 0o40755, 0, 0, 108, bytes(inode))
    found = [(f"file-{number:03d}".encode(), number) for number in (11, 12, 13, 14, 15)]
    assert Ext(Bytes(small)).entries(folder) == found


def test_an_inode_that_there_is_not_is_told(small):
    system = Ext(Bytes(small))
    for number in (0, 1 << 31):
        with pytest.raises(DamagedError, match="inode"):
            system.node(number)


def test_a_size_that_makes_no_sense_reserves_no_memory(small):
    system = Ext(Bytes(small))
    node = Tree(system).files["/etc/hostname"].node
    with pytest.raises(DamagedError, match="at most"):
        system.read(node._replace(size=1 << 60), 1 << 20)
