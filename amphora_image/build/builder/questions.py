# SPDX-License-Identifier: Apache-2.0
"""How a hook within the enclosure has something done outside of it: by a FIFO it asks, by another it hears that it is done."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_QUESTION_BYTES = 512


class Questions:
    """The two FIFOs ``question`` and ``answer`` in ``folder``; one line each way, and one question at a time.

    :raises OSError: they cannot be made.
    """

    def __init__(self, folder: Path, act: Callable[[str], object]) -> None:
        self._act = act
        # Open both ways, so that there is no end when a hook has asked and gone.
        self._question, self._answer = (_fifo(folder / name) for name in ("question", "answer"))

    def fileno(self) -> int:
        """Give what is readable when a hook asks."""
        return self._question

    def take(self) -> None:
        """Do what is asked, and say so."""
        self._act(os.read(self._question, _QUESTION_BYTES).decode().strip())
        os.write(self._answer, b"done\n")

    def close(self) -> None:
        """Close both."""
        os.close(self._question)
        os.close(self._answer)


def _fifo(path: Path) -> int:
    os.mkfifo(path, 0o600)
    return os.open(path, os.O_RDWR | os.O_CLOEXEC)
