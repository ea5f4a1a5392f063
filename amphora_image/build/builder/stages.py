# SPDX-License-Identifier: Apache-2.0
"""Stages of root file systems that are kept from build to build, by a key that says all they were made of.

Each is a tar, with a note beside it: how long that is, and by which indexes of mirrors the packages were chosen. A stage
is used for a day, and only while these indexes are what the mirrors have.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from amphora_image.build.builder.indexes import are_current, indexes_of
from amphora_image.build.programs import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEPT_SECONDS: Final = 86400
_MOST_BYTES = 10 << 30
# tar ends with us, whatever becomes of us.
_TAR = ("setpriv", "--pdeathsig", "KILL", "--", "tar", "--numeric-owner", "--xattrs", "--xattrs-include=*")
#: diskimage-builder makes it anew in each phase, and nothing of it is the tree's.
_LEFT_OUT = "--exclude=./tmp/in_target.d"
#: The time of a folder that is not in the archive: one second after 1970 began.
_MARK_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Stages:
    """The kept stages in ``folder``, which is ours alone; ``current`` asks the mirrors."""

    folder: Path
    current: Callable[[Mapping[str, str]], bool] = are_current
    now: Callable[[], float] = time.time

    def find(self, key: str) -> Path | None:
        """Give the archive of a stage, if it is kept and may be used."""
        archive = self.folder / f"{key}.tar"
        try:
            told = json.loads(archive.with_suffix(".json").read_text(encoding="utf-8"))
            usable = archive.stat().st_size == told["bytes"] and self.now() - told["made"] < KEPT_SECONDS
            return archive if usable and self.current(told["indexes"]) else None
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def keep(self, key: str, tree: Path) -> bool:
        """Keep ``tree`` under a key; False where nobody could tell later whether it is current.

        :raises DiskFullError: there is no room.
        :raises ProgramFailedError: tar failed otherwise.
        :raises OSError: the folder cannot be written.
        """
        indexes = indexes_of(tree)
        if not indexes:
            return False
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.prune()
        archive = self.folder / f"{key}.tar"
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".") as name:
            part, note = self.folder / name / "part", self.folder / name / "note"
            run(*_TAR, "--create", "--format=posix", _LEFT_OUT, "-C", tree, "-f", part, ".", folder=self.folder)
            told = {"bytes": part.stat().st_size, "made": self.now(), "indexes": indexes}
            note.write_text(json.dumps(told), encoding="utf-8")
            part.replace(archive)
            note.replace(archive.with_suffix(".json"))
        return True

    @staticmethod
    def unpack(archive: Path, tree: Path) -> None:
        """Make of ``tree`` what is in the archive, whatever was there before; what is mounted there stays where it is.

        A folder that something is mounted on is not removed: it is in the archive, too.

        :raises ProgramFailedError: the archive is damaged; it is removed.
        :raises DiskFullError: there is no room.
        """
        folders = _empty(tree)
        try:
            run(*_TAR, "--extract", "--preserve-permissions", "-C", tree, "-f", archive, folder=tree)
        except Exception:
            archive.unlink(missing_ok=True)
            raise
        for folder in [each for each in folders if each.stat().st_mtime_ns == _MARK_NS]:
            folder.rmdir()

    def prune(self) -> None:
        """Remove what is too old, what a killed build left, and the oldest of what is too much."""
        files = sorted((path for path in self.folder.glob("**/*") if path.is_file()), key=_age, reverse=True)
        room = _MOST_BYTES
        for path in files:
            with contextlib.suppress(OSError):
                told = path.stat()
                room -= told.st_size
                if room < 0 or self.now() - told.st_mtime > KEPT_SECONDS:
                    path.unlink()
        for path in self.folder.glob(".*/"):
            with contextlib.suppress(OSError):
                if self.now() - path.stat().st_mtime > KEPT_SECONDS:
                    path.rmdir()


def _empty(tree: Path) -> list[Path]:
    """Remove all but folders, and mark and give those, the innermost first."""
    found = []
    for top, folders, files in os.walk(tree, topdown=False):
        for path in (Path(top, name) for name in (*files, *folders)):
            if path.is_dir() and not path.is_symlink():
                os.utime(path, ns=(_MARK_NS, _MARK_NS))
                found.append(path)
            else:
                path.unlink()
    return found


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
