# SPDX-License-Identifier: Apache-2.0
import sqlite3
import struct

import pytest
from fakes.file_system import tree

from amphora_image.build.inspection import dpkg, rpm
from amphora_image.build.inspection.report import Package
from amphora_image.build.inspection.structure import DamagedError

STATUS = """\
Package: haproxy
Status: install ok installed
Priority: optional
Version: 2.6.12-1+deb12u1
Architecture: amd64
Description: fast and reliable load balancing reverse proxy
 Version: this line belongs to the description
 .

Package: removed
Status: deinstall ok config-files
Version: 1.0
Architecture: all

Package: half
Status: install reinstreq half-installed
Version: 1.0
Architecture: all

Package: adduser
Architecture: all
Status: install ok installed
Version: 3.134
"""


def test_what_dpkg_has_installed_is_found():
    assert dpkg.packages_of(tree({"var/lib/dpkg/status": STATUS})) == (
        Package(name="adduser", version="3.134", architecture="all"),
        Package(name="haproxy", version="2.6.12-1+deb12u1", architecture="amd64"),
    )


def test_packages_are_found_in_an_image_without_dpkg():
    files = {
        "var/lib/dpkg/status.d/libc6": "Package: libc6\nVersion: 2.36\nArchitecture: amd64\n",
        "var/lib/dpkg/status.d/libc6.md5sums": "Package: none",
    }
    assert [each.name for each in dpkg.packages_of(tree(files))] == ["libc6"]


def test_without_a_database_nothing_is_known():
    assert dpkg.packages_of(tree({"etc/x": ""})) is None
    assert rpm.packages_of(tree({"etc/x": ""})) is None
    assert rpm.other_database(tree({"etc/x": ""})) is None


def test_a_database_of_rpm_that_is_not_read_is_named():
    assert rpm.other_database(tree({"var/lib/rpm/Packages": "x"})) == "Berkeley DB"
    assert rpm.other_database(tree({"usr/lib/sysimage/rpm/Packages.db": "x"})) == "ndb"


def header(**values):
    """Give a package's header as rpm keeps it."""
    tags = {"name": 1000, "version": 1001, "release": 1002, "epoch": 1003, "arch": 1022}
    index, store = b"", b""
    for name, value in values.items():
        number = isinstance(value, int)
        index += struct.pack(">IIII", tags[name], 4 if number else 6, len(store), 1)
        store += struct.pack(">I", value) if number else value.encode() + b"\0"
    return struct.pack(">II", len(values), len(store)) + index + store


def database(*blobs, tmp_path, journal="delete"):
    path = tmp_path / "rpmdb.sqlite"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode={journal}")
    connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
    connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(blob,) for blob in blobs])
    connection.commit()
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_what_rpm_has_installed_is_found(tmp_path, journal):
    blobs = (
        header(name="haproxy", version="2.8.14", release="1.el9", arch="x86_64"),
        header(name="bind", version="9.16", release="2.el9", epoch=32, arch="x86_64"),
        header(name="gpg-pubkey", version="1", release="1"),
    )
    files = tree({"var/lib/rpm/rpmdb.sqlite": database(*blobs, tmp_path=tmp_path, journal=journal)})
    assert rpm.packages_of(files) == (
        Package(name="bind", version="32:9.16-2.el9", architecture="x86_64"),
        Package(name="haproxy", version="2.8.14-1.el9", architecture="x86_64"),
    )


def test_a_view_in_the_place_of_the_table_that_never_ends_is_told(tmp_path):
    path = tmp_path / "rpmdb.sqlite"
    connection = sqlite3.connect(path)
    endless = "WITH RECURSIVE more(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more) SELECT count(*) AS blob FROM more"
    connection.execute(f"CREATE VIEW Packages AS {endless}")
    connection.commit()
    connection.close()
    with pytest.raises(DamagedError, match="interrupted"):
        list(rpm.parse(path.read_bytes(), most_steps=3))


@pytest.mark.parametrize("blob", [b"", struct.pack(">II", 1 << 30, 0), header(name="x")[:-1], header(name="x")[:10]])
def test_a_package_that_is_cut_off_is_told(tmp_path, blob):
    files = tree({"var/lib/rpm/rpmdb.sqlite": database(blob, tmp_path=tmp_path)})
    with pytest.raises((DamagedError, struct.error)):
        rpm.packages_of(files)


@pytest.mark.parametrize("content", [b"no database at all", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_database_that_is_none_is_told(content):
    with pytest.raises(DamagedError, match="rpm database"):
        rpm.packages_of(tree({"var/lib/rpm/rpmdb.sqlite": content}))
