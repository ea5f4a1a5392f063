# SPDX-License-Identifier: Apache-2.0
"""The packages of an image by rpm's database, where that is SQLite: of Fedora 33, CentOS Stream and Rocky 9, and later."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from typing import TYPE_CHECKING

from amphora_image.build.inspection.report import Package
from amphora_image.build.inspection.structure import DamagedError
from amphora_image.build.inspection.tree import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amphora_image.build.inspection.tree import Tree

_FOLDERS = ("/usr/lib/sysimage/rpm", "/var/lib/rpm")
_DATABASE = "rpmdb.sqlite"
#: Databases that are not read, by the names of their files.
OTHERS = {"Packages": "Berkeley DB", "Packages.db": "ndb"}
_LARGEST = 512 << 20
_NAME, _VERSION, _RELEASE, _EPOCH, _ARCHITECTURE = 1000, 1001, 1002, 1003, 1022
_INT32, _STRING, _TRANSLATED = 4, 6, 9
_STEP_OPERATIONS = 100_000
_KEY = "gpg-pubkey"  # what rpm keeps among its packages, and is none


def packages_of(tree: Tree) -> tuple[Package, ...] | None:
    """Give all installed packages in the order of their names, None where there is no such database.

    :raises DamagedError: the database cannot be read.
    """
    for folder in _FOLDERS:
        data = tree.read(f"{folder}/{_DATABASE}", _LARGEST)
        if data is not None:
            packages = (package for package in parse(data) if package.name != _KEY)
            return tuple(sorted(packages, key=lambda each: (each.name, each.architecture, each.version)))
    return None


def other_database(tree: Tree) -> str | None:
    """Name the kind of database that there is and that is not read."""
    found = (kind for folder in _FOLDERS for name, kind in OTHERS.items() if tree.find(f"{folder}/{name}"))
    return next(found, None)


def parse(data: bytes, *, most_steps: int = 500) -> Iterator[Package]:
    """Read the database, within that many steps of 100,000 operations of SQLite's machine; 1,000 packages take one."""
    if (
        data[18:20] == b"\x02\x02"
    ):  # with a write-ahead log, which is empty when rpm has ended, and which memory has not
        data = data[:18] + b"\x01\x01" + data[20:]
    try:
        with closing(sqlite3.connect(":memory:")) as database:
            database.deserialize(data)
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("PRAGMA query_only = ON")
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 64 << 20)
            left = iter(range(most_steps))  # where a table is expected there may be a view that never ends
            database.set_progress_handler(lambda: next(left, None) is None, _STEP_OPERATIONS)
            for (blob,) in database.execute("SELECT blob FROM Packages"):
                yield _package(bytes(blob))
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise DamagedError(f"its rpm database cannot be read: {error}") from error


def _package(blob: bytes) -> Package:
    """Read a package's header: how many entries it has, their index, and then their values."""
    count, size = struct.unpack_from(">II", blob)
    values_at = 8 + 16 * count
    if values_at + size > len(blob):
        raise DamagedError("its rpm database has a package that is cut off")
    found = {}
    for at in range(8, values_at, 16):
        tag, kind, offset, _ = struct.unpack_from(">IIII", blob, at)
        if kind in {_STRING, _TRANSLATED}:
            end = blob.find(b"\0", values_at + offset)
            found[tag] = plain(blob[values_at + offset : end]) if end >= 0 else ""
        elif kind == _INT32:
            found[tag] = str(struct.unpack_from(">I", blob, values_at + offset)[0])
    version = f"{found.get(_VERSION, '')}-{found.get(_RELEASE, '')}"
    if _EPOCH in found:
        version = f"{found[_EPOCH]}:{version}"
    return Package(name=found.get(_NAME, ""), version=version, architecture=found.get(_ARCHITECTURE, ""))
