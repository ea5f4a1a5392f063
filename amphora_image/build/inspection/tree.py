# SPDX-License-Identifier: Apache-2.0
"""All files of an image by their paths, with what is mounted below its root; links lead nowhere outside it."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from amphora_image.build.inspection.structure import DamagedError, UnsupportedError

if TYPE_CHECKING:
    from amphora_image.build.inspection.file_system import FileSystem, Node

_MOST_FOLDER_BYTES = 1 << 30
_LONGEST_PATH = 4096
#: What controls a terminal, or the direction of what is written on it; all but the tab and the end of a line.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_MOST_LINKS = 40  # as in the kernel


class File(NamedTuple):
    """A node, and the file system it is in."""

    system: FileSystem
    node: Node


class Tree:
    """The files of ``root`` and of what :meth:`mount` adds, read at once. A path begins with / and has no / at its end.

    In paths and in texts that are given here, what is no UTF-8 or cannot be printed is escaped with backslashes.
    """

    def __init__(self, root: FileSystem, *, most_files: int = 1_000_000) -> None:
        self.files: dict[str, File] = {}
        self.folders: dict[str, list[str]] = {}
        self._most_files = most_files
        self._seen: set[tuple[int, int]] = set()
        self._left_bytes = _MOST_FOLDER_BYTES
        self._add("", root)

    def mount(self, path: str, system: FileSystem) -> None:
        """Put a file system in the place of a folder and of all in it; where ``path`` is no folder, do nothing."""
        if path not in self.folders or not path:
            return
        for files in (self.files, self.folders):
            for below in [each for each in files if each.startswith(f"{path}/")]:
                del files[below]
        self.files[path] = File(system, system.root)
        self._add(path, system)

    def resolve(self, path: str) -> str | None:
        """Follow all links on the way to ``path``; give the path they lead to, None where there is nothing."""
        left, here, links = deque(path.split("/")), "", 0
        while left:
            name = left.popleft()
            if name in {"", "."}:
                continue
            if name == "..":
                here = here.rpartition("/")[0]
                continue
            found = self.files.get(f"{here}/{name}")
            if found is None:
                return None
            if not found.node.is_link:
                here = f"{here}/{name}"
                continue
            links += 1
            target = plain(found.system.target(found.node))
            if links > _MOST_LINKS or len(target) + len(left) > _LONGEST_PATH:
                return None
            if target.startswith("/"):
                here = ""
            left.extendleft(reversed(target.split("/")))
        return here

    def find(self, path: str) -> File | None:
        """Give the file or folder that ``path`` leads to."""
        found = self.resolve(path)
        return self.files.get(found) if found else None

    def names(self, path: str) -> list[str]:
        """Give what is in a folder, in order; nothing where it is none."""
        found = self.resolve(path)
        return sorted(self.folders.get(found, ())) if found is not None else []

    def read(self, path: str, limit: int) -> bytes | None:
        """Give a regular file's contents, None where there is none."""
        found = self.find(path)
        if found is None or not found.node.is_file:
            return None
        return found.system.read(found.node, limit)

    def text(self, path: str, limit: int = 1 << 20) -> str | None:
        """Give a text file's contents, None where there is none."""
        found = self.read(path, limit)
        return None if found is None else _UNPRINTABLE.sub(_escaped, found.decode("utf-8", "backslashreplace"))

    def target(self, path: str) -> str | None:
        """Say what is written in a link, None where ``path`` itself is none."""
        found = self.files.get(path)
        return plain(found.system.target(found.node)) if found is not None and found.node.is_link else None

    def _add(self, path: str, system: FileSystem) -> None:
        """Read all folders of a file system."""
        pending = deque([(path, system.root)])
        while pending:
            here, folder = pending.popleft()
            names = self.folders[here] = []
            for raw, number in self._entries(system, folder):
                name, node = plain(raw), system.node(number)
                below = f"{here}/{name}"
                if len(below) > _LONGEST_PATH:
                    raise DamagedError("its folders lie deeper in one another than any path leads")
                names.append(name)
                self.files[below] = File(system, node)
                if node.is_folder:
                    pending.append((below, node))
            if len(self.files) > self._most_files:
                raise UnsupportedError(f"it has more than {self._most_files} files", "give the image of an amphora")

    def _entries(self, system: FileSystem, folder: Node) -> list[tuple[bytes, int]]:
        """Read a folder, unless its size or how it was come to cannot be."""
        key = (id(system), folder.number)
        self._left_bytes -= folder.size
        if key in self._seen or self._left_bytes < 0:
            raise DamagedError("its folders are in one another, or are larger than can be")
        self._seen.add(key)
        found = system.entries(folder)
        for name, _ in found:
            if not name or b"/" in name or len(name) > 1024:
                raise DamagedError("a folder has a name that cannot be")
        return found


def plain(raw: bytes) -> str:
    """Give a name, or a short text, as what can be printed on any terminal."""
    text = raw.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
