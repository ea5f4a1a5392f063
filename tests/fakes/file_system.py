# SPDX-License-Identifier: Apache-2.0
"""A file system in memory."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field

from amphora_image.build.inspection.file_system import FileSystem, Node
from amphora_image.build.inspection.tree import Tree


@dataclass
class Made:
    """A file to be: text or bytes make a regular one, ``link`` a link; ``mode`` is that of its rights."""

    content: str | bytes = b""
    mode: int = 0o644
    owner: tuple[int, int] = (0, 0)
    link: str | None = None
    attributes: dict[bytes, bytes] = field(default_factory=dict)


class FakeFileSystem(FileSystem):
    """Files by their paths; a folder is made by what is in it, or by a path that ends with a slash."""

    kind = "fake"

    def __init__(self, files, *, label="", uuid=""):
        self.label, self.uuid = label, uuid
        self._nodes = {}
        self._inside = {}
        self._made = {}
        self._add(stat.S_IFDIR | 0o755, Made())
        self._numbers = {"": 0}
        for path, given in files.items():
            made = given if isinstance(given, Made) else Made(given)
            *above, name = path.strip("/").split("/")
            here = ""
            for each in above:
                here = self._below(here, each, stat.S_IFDIR | 0o755, Made())
            if path.endswith("/"):
                self._below(here, name, stat.S_IFDIR | made.mode | 0o111, made)
            else:
                kind = stat.S_IFREG if made.link is None else stat.S_IFLNK
                self._below(here, name, kind | made.mode, made)

    @property
    def root(self):
        return self._nodes[0]

    def node(self, number):
        return self._nodes[number]

    def entries(self, folder):
        return list(self._inside[folder.number].items())

    def runs(self, _node):
        return ()

    def inline(self, node):
        return self._content(self._made[node.number])

    def attributes(self, node):
        return self._made[node.number].attributes

    def _below(self, folder, name, mode, made):
        path = f"{folder}/{name}"
        if path not in self._numbers:
            self._numbers[path] = self._add(mode, made)
            self._inside[self._numbers[folder]][name.encode()] = self._numbers[path]
        return path

    def _add(self, mode, made):
        number = len(self._nodes)
        size = 0 if stat.S_ISDIR(mode) else len(self._content(made))
        self._nodes[number] = Node(number, mode, *made.owner, size, b"")
        self._inside[number] = {}
        self._made[number] = made
        return number

    @staticmethod
    def _content(made):
        if made.link is not None:
            return made.link.encode()
        return made.content.encode() if isinstance(made.content, str) else made.content


def tree(files):
    """Give the tree of a file system of just these files."""
    return Tree(FakeFileSystem(files))


def link(target):
    """Give a link."""
    return Made(link=target, mode=0o777)
