# SPDX-License-Identifier: Apache-2.0
"""What each file of a tree is, contents included, so that two trees can be compared."""

from __future__ import annotations

import hashlib
import stat
from typing import TYPE_CHECKING, NamedTuple

from amphora_image.build.inspection.file_system import PIECE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from amphora_image.build.inspection.file_system import FileSystem, Node
    from amphora_image.build.inspection.tree import Tree

_ZEROS = bytes(PIECE_BYTES)


class Kept(NamedTuple):
    """What two files have in common that are the same, their contents apart; ``mode`` is octal text.

    ``size`` is 0 of what is no regular file, ``target`` empty of what is no link.
    """

    kind: str
    mode: str
    owner: str
    size: int
    target: str


def kept_of(tree: Tree) -> dict[str, Kept]:
    """Tell of each file what can be told without reading its contents."""
    found = {}
    for path, (_, node) in tree.files.items():
        kind = _KINDS.get(stat.S_IFMT(node.mode), "nothing known")
        size = node.size if node.is_file else 0
        found[path] = Kept(kind, f"{node.mode & 0o7777:04o}", f"{node.uid}:{node.gid}", size, tree.target(path) or "")
    return found


def digests_of(tree: Tree, paths: Iterable[str]) -> dict[str, bytes]:
    """Digest the contents of regular files, in the order in which they lie on the disk.

    Zeros count the same whether they are stored or left out; what several paths name is read once.
    """
    done: dict[tuple[int, int], bytes] = {}
    found = {}
    for path in sorted(paths, key=lambda path: _place(*tree.files[path])):
        system, node = tree.files[path]
        key = (id(system), node.number)
        if key not in done:
            done[key] = _digest(system, node)
        found[path] = done[key]
    return found


_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "FIFO",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFSOCK: "socket",
}


def _place(system: FileSystem, node: Node) -> int:
    if system.inline(node) is not None:
        return -1
    return next((run.at for run in system.runs(node)), -1)


def _digest(system: FileSystem, node: Node) -> bytes:
    digest = hashlib.sha256()
    for offset, piece in system.pieces(node):
        if piece != (_ZEROS if len(piece) == PIECE_BYTES else bytes(len(piece))):
            digest.update(offset.to_bytes(8, "little"))
            digest.update(piece)
    return digest.digest()
