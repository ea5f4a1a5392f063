# SPDX-License-Identifier: Apache-2.0
"""Where things lie in a sandbox's folder, which other users of the machine may not enter."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What may stand in a folder that a killed `up` left before it could write its state.
_OURS = frozenset(
    {"etc", "glance", "keystone", "lock", "log", "neutron", "nova", "octavia", "postgres", "state.json", "state.new"}
)


def default_root(name: str, environ: Mapping[str, str]) -> pathlib.Path:
    """Give the folder of the sandbox called ``name``, by the XDG Base Directory specification.

    :raises SandboxError: the name would lead out of the folder of all sandboxes.
    """
    if not name or name in {".", ".."} or "/" in name:
        raise SandboxError(f"{name!r} is no name for a sandbox", "use letters, digits and dashes, or give --dir")
    state_home = environ.get("XDG_STATE_HOME")
    folder = pathlib.Path(state_home) if state_home else pathlib.Path.home() / ".local" / "state"
    return folder / "amphora-image" / "sandbox" / name


@dataclass(frozen=True)
class Layout:
    """The paths under ``root``, an absolute folder of mode 0700."""

    root: pathlib.Path

    @property
    def lock(self) -> pathlib.Path:
        """The file whose lock is held by whoever starts or stops this sandbox."""
        return self.root / "lock"

    @property
    def state(self) -> pathlib.Path:
        """The file that holds :class:`amphora_image.sandbox.state.State`."""
        return self.root / "state.json"

    @property
    def config(self) -> pathlib.Path:
        """The folder of the services' configuration, one folder each."""
        return self.root / "etc"

    @property
    def logs(self) -> pathlib.Path:
        """The folder of the services' logs."""
        return self.root / "log"

    def log(self, service: str) -> pathlib.Path:
        """Give the file that holds all that a service wrote to its standard streams since the last start."""
        return self.logs / f"{service}.log"

    @property
    def data(self) -> tuple[pathlib.Path, ...]:
        """The folders whose contents belong to the databases: made and wiped together with them."""
        glance, keystone = self.root / "glance", self.root / "keystone"
        return (
            keystone / "fernet",
            keystone / "credential",
            *(glance / part for part in ("store1", "store2", "staging", "tasks", "lock")),
            *(self.root / "nova" / part for part in ("state", "lock")),
            self.root / "neutron" / "lock",
        )

    def create(self) -> None:
        """Make the folder if it is absent; leave alone one that holds somebody else's files.

        :raises SandboxError: the folder exists and is not a sandbox's.
        :raises OSError: it cannot be made.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.check()
        self.root.chmod(0o700)
        for folder in (self.config, self.logs):
            folder.mkdir(mode=0o700, exist_ok=True)

    def check(self) -> None:
        """Refuse a folder that holds somebody else's files.

        :raises SandboxError: it does.
        :raises OSError: it cannot be read.
        """
        strangers = sorted(entry.name for entry in self.root.iterdir() if entry.name not in _OURS)
        if strangers:
            raise SandboxError(
                f"{self.root} is no sandbox's folder, it holds {strangers[0]!r}", "choose an empty or a new folder"
            )
