# SPDX-License-Identifier: Apache-2.0
"""The services' logs: one for each start, and the one before it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from amphora_image.errors import SandboxError

if TYPE_CHECKING:
    import pathlib

    from amphora_image.sandbox.layout import Layout

#: How many lines of a service's log go with an error.
FAILURE_LINES = 25

_TAIL_BYTES = 256 * 1024


def begin_anew(folder: pathlib.Path) -> None:
    """Put the log of the last start aside as ``NAME.log.1``, so that a log tells of the present run only.

    :raises OSError: a file cannot be renamed.
    """
    for path in folder.glob("*.log"):
        path.replace(path.with_name(f"{path.name}.1"))


def tail(path: pathlib.Path, lines: int) -> list[str]:
    """Give the last lines of a file, none if there is no such file; only its last 256 KiB are looked at.

    :raises OSError: it exists and cannot be read.
    """
    if lines <= 0:
        return []
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            return file.read().decode("utf-8", errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []


def failure(layout: Layout, service: str, what: str) -> SandboxError:
    """Make the error of a service that did not start; ``what`` completes the sentence that begins with its name."""
    log = layout.log(service)
    return SandboxError(f"{service} {what}", f"see its last lines, or all of them in {log}", tail(log, FAILURE_LINES))
