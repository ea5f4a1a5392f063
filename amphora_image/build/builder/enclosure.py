# SPDX-License-Identifier: Apache-2.0
"""An enclosure for programs that mount and chroot: name spaces of their own, which the kernel clears with its first process.

What is mounted inside is seen inside alone, and nothing that is started inside outlives the first process. That one gets
SIGKILL as soon as the thread that made the enclosure is gone, for whatever reason: a ``kill -9`` of this program leaves
no mount, no loop device and no process behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

_ENTER = ("setpriv", "--pdeathsig", "KILL", "--")
_UNSHARE = (
    "unshare",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child=KILL",
    "--mount-proc",
    "--propagation",
    "private",
    "--",
)
_SUDO = Path(__file__).parent / "sudo.sh"
#: diskimage-builder asks for it before it unmounts; what is in the tree need not be on any disk, let alone what others wrote.
_SYNC = "#!/bin/sh\n"


class Enclosure:
    """Runs a command in name spaces of its own, in a session of its own; its output can be read from :attr:`output`.

    :raises OSError: it cannot be started.
    """

    def __init__(self, command: Sequence[str | Path], *, environment: Mapping[str, str], folder: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
            [*_ENTER, *_UNSHARE, *map(str, command)],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o022,  # whoever builds may have another, and an image what others cannot read
        )

    @property
    def output(self) -> int:
        """Give the descriptor that its output is read from."""
        assert self._process.stdout is not None  # noqa: S101 - for the type; it is a pipe
        return self._process.stdout.fileno()

    def __enter__(self) -> Self:
        """Give the enclosure."""
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        """End all that runs inside."""
        self.end()

    def wait(self) -> int:
        """Wait until the command has ended by itself, and give its exit code."""
        return self._process.wait()

    def end(self) -> None:
        """End all that runs inside, and be back when it is gone, with all that was mounted."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdout is not None:
            self._drain()
            self._process.stdout.close()

    def _drain(self) -> None:
        """Read to the end: there is one when the last process inside has closed the pipe, and so is gone."""
        while os.read(self.output, 1 << 16):
            pass


def place_stand_ins(folder: Path) -> Path:
    """Put what stands for sudo and sync into a new folder, for PATH, and give that folder: whoever is inside is root already."""
    place = folder / "bin"
    place.mkdir()
    for name, text in (("sudo", _SUDO.read_text(encoding="utf-8")), ("sync", _SYNC)):
        (place / name).write_text(text, encoding="utf-8")
        (place / name).chmod(0o755)
    return place
