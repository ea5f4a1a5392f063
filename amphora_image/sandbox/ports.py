# SPDX-License-Identifier: Apache-2.0
"""Loopback ports: taken by listening on them at once, so that nobody can come between."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

from amphora_image.errors import SandboxError

if TYPE_CHECKING:
    import random

HOST = "127.0.0.1"

#: Below the range from which Linux takes the ports of outgoing connections (32768 and up), so that a stopped
#: sandbox finds its ports free more often than not.
_RANGE = range(20000, 32000)
_ATTEMPTS = 200
_BACKLOG = 512


def listen(wanted: int | None, chance: random.Random) -> socket.socket:
    """Listen on ``wanted`` if it is free, else on any free port of ours.

    Two sockets may both bind a port while neither listens, so a port counts as ours only once it listens.

    :raises SandboxError: no free port was found.
    """
    for attempt in range(_ATTEMPTS):
        port = wanted if attempt == 0 and wanted is not None else chance.choice(_RANGE)
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((HOST, port))
            opened.listen(_BACKLOG)
        except OSError:
            opened.close()
        else:
            return opened
    raise _nothing_free()


def _nothing_free() -> SandboxError:
    return SandboxError(
        f"no free port on {HOST} between {_RANGE.start} and {_RANGE.stop - 1} in {_ATTEMPTS} attempts",
        "end programs that listen there",
    )


def free_port(wanted: int | None, chance: random.Random) -> int:
    """Name a port that is free now, ``wanted`` if possible; for a program that can only open it itself.

    :raises SandboxError: no free port was found.
    """
    with listen(wanted, chance) as probe:
        return int(probe.getsockname()[1])


def free_udp_port(wanted: int | None, chance: random.Random) -> int:
    """Do the same for UDP.

    :raises SandboxError: no free port was found.
    """
    for attempt in range(_ATTEMPTS):
        port = wanted if attempt == 0 and wanted is not None else chance.choice(_RANGE)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise _nothing_free()
