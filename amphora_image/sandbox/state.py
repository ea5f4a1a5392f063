# SPDX-License-Identifier: Apache-2.0
"""What a sandbox remembers between two commands, kept in one file that only its owner may read."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import uuid
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from amphora_image.errors import SandboxError

if TYPE_CHECKING:
    import pathlib

#: Raised whenever an older folder can no longer be resumed, only made anew.
FORMAT = 1

#: Who has a password: the users of the cloud, and ``database`` for PostgreSQL.
USERS = ("admin", "demo", "glance", "placement", "nova", "neutron", "octavia", "database")

#: What else is secret, by the extra it belongs to.
EXTRA_SECRETS = {"octavia": ("octavia-ca", "octavia-certificates", "octavia-heartbeat")}

_PASSWORD_BYTES = 24


def _removal(path: pathlib.Path) -> str:
    """Give the command that removes a sandbox; deleting its folder would leave its processes running."""
    return f"remove it by `amphora-image sandbox down --remove --dir {shlex.quote(str(path.parent))}`"


@dataclass
class State:
    """Ports, passwords and ids by name; ``prepared`` says that the databases are complete, ``started`` that the last start was.

    ``postgres_home`` is the folder of PostgreSQL's data, which for root lies outside of the sandbox's own folder.
    ``extras`` are what there is beyond the plain cloud; the value says whether its database is complete.
    ``compute_driver`` is the one that Octavia boots its amphorae with.
    """

    sandbox_id: str
    passwords: dict[str, str] = field(repr=False)
    ports: dict[str, int] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    postgres_home: str = ""
    prepared: bool = False
    started: bool = False
    extras: dict[str, bool] = field(default_factory=dict)
    compute_driver: str = ""
    format: int = FORMAT

    @classmethod
    def new(cls) -> State:
        """Make the state of a sandbox that does not exist yet, with passwords of its own."""
        return cls(
            sandbox_id=str(uuid.uuid4()), passwords={user: secrets.token_urlsafe(_PASSWORD_BYTES) for user in USERS}
        )

    def add(self, extra: str) -> None:
        """Take note that an extra is wanted, from now on."""
        self.extras.setdefault(extra, False)
        for name in EXTRA_SECRETS.get(extra, ()):
            self.passwords.setdefault(name, secrets.token_urlsafe(_PASSWORD_BYTES))

    @classmethod
    def load(cls, path: pathlib.Path) -> State | None:
        """Read the state, None if there is none.

        :raises SandboxError: the file cannot be read, is not one of ours, or of another format.
        """
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            state = cls(**raw)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SandboxError(
                f"{path} cannot be read: {error.strerror}", "run this as its owner, or make it readable to you"
            ) from error
        except (ValueError, TypeError) as error:
            raise SandboxError(
                f"{path} is no sandbox's state: {type(error).__name__}", f"{_removal(path)} and begin anew"
            ) from error
        if state.format != FORMAT:
            raise SandboxError(
                f"{path} has format {state.format}, this release uses {FORMAT}",
                f"use the release that began it, or {_removal(path)} and begin anew",
            )
        return state

    def save(self, path: pathlib.Path) -> None:
        """Write the state so that a reader sees the old or the new one whole, even if the disk fills up.

        What is empty is left out, so that a release that does not know it yet can read the rest.

        :raises OSError: it cannot be written; the old one stays.
        """
        draft = path.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump({name: value for name, value in asdict(self).items() if value}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
