# SPDX-License-Identifier: Apache-2.0
"""A private MariaDB: in a folder of its own, on a Unix socket in it, ended with the block."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pymysql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Debian puts the server where only root's PATH leads.
_PATH = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin"
_START_SECONDS = 120


def missing() -> str | None:
    """Say what has to be installed, None if nothing."""
    found = all(shutil.which(name, path=_PATH) for name in ("mariadbd", "mariadb-install-db"))
    return None if found else "MariaDB's server is not installed: apt-get install mariadb-server"


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run a server with an empty database for the block, and give its URL for SQLAlchemy."""
    user, data, socket = pwd.getpwuid(os.geteuid()).pw_name, folder / "data", folder / "s"
    environ = {**os.environ, "PATH": _PATH}
    own = ["--no-defaults", f"--user={user}", f"--datadir={data}"]
    with (folder / "log").open("wb") as log:
        streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT, "env": environ}
        quick = ["--skip-test-db", "--auth-root-authentication-method=normal", "--skip-name-resolve"]
        subprocess.run(["mariadb-install-db", *own, *quick], check=True, timeout=_START_SECONDS, **streams)
        small = ["--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"]
        command = ["mariadbd", *own, f"--socket={socket}", "--skip-networking", f"--pid-file={folder / 'pid'}", *small]
        server = subprocess.Popen(command, **streams)
        try:
            _create_database(server, folder, socket)
            yield f"mysql+pymysql://root@localhost/relations?unix_socket={socket}"
        finally:
            server.terminate()
            server.wait(timeout=60)


def _create_database(server: subprocess.Popen[bytes], folder: Path, socket: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while b"ready for connections" not in (folder / "log").read_bytes():
        assert server.poll() is None, "MariaDB ended; see its log"
        assert time.monotonic() < end, f"MariaDB was not ready in {_START_SECONDS} s"
        time.sleep(0.1)
    with pymysql.connect(unix_socket=str(socket), user="root") as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE relations")
