# SPDX-License-Identifier: Apache-2.0
"""Stages within a build: where diskimage-builder is made to wait, a kept stage is put in place, or what is there is kept.

The base system is what the hooks ``root.d`` make; the second stage is what is there when all is installed. What comes
later, an element's last touches, is done in each build. The key of a stage has all that its hooks could see: their own
text with all that is collected beside them, every variable, and what was put into the tree on the way.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from amphora_image.errors import AmphoraImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from amphora_image.build.builder.stages import Stages

ELEMENT: Final = "kept-stages"
VARIABLE: Final = "AMPHORA_IMAGE_STAGES"

#: Hooks that the second stage does not depend on, or by way of the first.
_ELSEWHERE = ("root.d", "post-install.d", "post-root.d", "block-device.d", "pre-finalise.d", "finalise.d", "cleanup.d")
#: A hook that mounts something for the rest of the build does so again where what it made is taken from the cache.
_MOUNTS = re.compile(rb"^\s*(?:sudo\s+)?mount\s.*--bind", re.MULTILINE)
_NAMES = {"base": "the base system", "installed": "the system with all installed"}
_NOTHING = b"#!/bin/sh\n"

#: Variables of a terminal, a session or a test run, which say nothing about the image.
_NOISE = ("_", "PWD", "OLDPWD", "SHLVL", "COLUMNS", "LINES", "TERM", "MAIL", "TMUX", "STY", "WINDOWID", "DISPLAY")
_NOISES = (
    *("SSH_", "SUDO_", "XDG_SESSION", "XDG_RUNTIME", "DBUS_", "LESS", "LS_COLORS"),
    *("PYTEST_", "JOURNAL_", "INVOCATION_"),
)
#: Names of elements matter to what is installed, not to the base system.
_ELEMENTS = ("IMAGE_ELEMENT", "BASH_FUNC_get_image_element_array", "DIB_ARGS", "DIB_ENV")
_CHANCE = re.compile(r"dib_(?:build|image)\.\w+")
#: The kernel's clock of files has steps; this is longer than any.
_TICK_SECONDS = 0.02


class Keeper:
    """Keeps and brings back the stages of one build, in its ``folder``; ``packages`` are those besides the elements'.

    ``tell`` is told what is done now, ``log`` what could not be kept.
    """

    def __init__(
        self,
        stages: Stages,
        folder: Path,
        packages: Sequence[str] = (),
        *,
        tell: Callable[[str], object],
        log: Callable[[str], object],
    ) -> None:
        self._stages = stages
        self._folder = folder
        self._packages = packages
        self._tell = tell
        self._log = log
        self._base = ""
        self._missing: dict[str, str] = {}
        self._since = 0

    def answer(self, question: str) -> None:
        """Do what a hook of the element waits for: ``begin``, ``base``, ``collected`` or ``installed``.

        :raises ProgramFailedError: a kept stage is damaged; it is removed.
        :raises DiskFullError: there is no room for it.
        """
        [build] = self._folder.glob("dib_build.*")
        tree, hooks = build / "mnt", build / "hooks"
        if question == "begin":
            made_of = _files(hooks / "root.d", hooks / "bin")
            self._base = _key(*self._variables(_ELEMENTS), *_told(made_of, build))
            if self._take("base", self._base, tree):
                _silence(hooks / "root.d")
        elif question == "base":
            self._keep("base", tree)
            self._since = _moment(build / "since")
        elif question == "collected":
            made_of = _files(*(path for path in hooks.iterdir() if path.name not in _ELSEWHERE))
            put_in = (path for path in _files(tree) if path.lstat().st_ctime_ns >= self._since)
            seen = (*_told(made_of, build), *_told(put_in, build))
            if self._take("installed", _key(self._base, *self._packages, *self._variables(), *seen), tree):
                _silence(hooks / "pre-install.d", hooks / "install.d")
        else:
            self._keep("installed", tree)

    def _take(self, name: str, key: str, tree: Path) -> bool:
        archive = self._stages.find(f"{name}-{key}")
        if archive is None:
            self._missing[name] = f"{name}-{key}"
            return False
        self._tell(f"taking from the cache: {_NAMES[name]}")
        self._stages.unpack(archive, tree)
        return True

    def _keep(self, name: str, tree: Path) -> None:
        """Keep a stage that was not kept yet; that it cannot be is no reason to end the build."""
        if name not in self._missing:
            return
        self._tell(f"keeping for the next build: {_NAMES[name]}")
        try:
            if not self._stages.keep(self._missing[name], tree):
                self._log(f"{_NAMES[name]} is not kept: by which indexes it was chosen cannot be told")
        except (OSError, AmphoraImageError) as error:
            self._log(f"{_NAMES[name]} is not kept: {error}")

    def _variables(self, without: tuple[str, ...] = ()) -> list[str]:
        """Give the variables that the hook found, without what is of this build's folder, or says nothing of the image."""
        text = _CHANCE.sub("", (self._folder / "environment").read_text(encoding="utf-8", errors="surrogateescape"))
        told = sorted(each for each in text.replace(str(self._folder), "").split("\0") if each)
        return [each for each in told if not each.startswith((*_NOISES, *without)) and each.split("=")[0] not in _NOISE]


def _key(*parts: str) -> str:
    whole = hashlib.sha256()
    for part in parts:
        one = part.encode(errors="surrogateescape")
        whole.update(len(one).to_bytes(8) + one)
    return whole.hexdigest()


def _files(*tops: Path) -> Iterator[Path]:
    """Give all that is no folder, in a fixed order."""
    for top in sorted(tops):
        if top.is_file() or top.is_symlink():
            yield top
        for folder, names, files in os.walk(top):
            names.sort()
            links = [name for name in names if Path(folder, name).is_symlink()]
            yield from (Path(folder, name) for name in sorted([*files, *links]))


def _told(files: Iterable[Path], build: Path) -> Iterator[str]:
    """Say of each file what it is called, whose it is, and what is in it."""
    for path in files:
        about = path.lstat()
        content = str(path.readlink()) if path.is_symlink() else ""
        if path.is_file() and not path.is_symlink():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        yield f"{path.relative_to(build)} {about.st_mode:o} {about.st_uid} {about.st_gid} {content}"


def _silence(*folders: Path) -> None:
    """Have the hooks in there do nothing; one is only replaced, for they are listed already, and one is running."""
    for path in (path for folder in folders if folder.is_dir() for path in folder.iterdir()):
        if path.is_file() and not path.name.endswith(ELEMENT) and not _MOUNTS.search(path.read_bytes()):
            instead = path.with_name(f"{path.name}~")
            instead.write_bytes(_NOTHING)
            instead.chmod(0o755)
            instead.replace(path)


def _moment(file: Path) -> int:
    """Give a time, in nanoseconds as files have it, that all that is written from now on has at least."""
    time.sleep(_TICK_SECONDS)
    file.touch()
    return file.stat().st_ctime_ns
