# SPDX-License-Identifier: Apache-2.0
"""A lost answer is not a lost server: find out what became of a POST whose answer did not arrive.

A server is adopted only when it cannot be anybody else's: its name is unique by itself, and project, image, flavor and
the time it was made are those of our request. Whatever else is found is left alone.
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import tenacity

from amphora_image.errors import RetryableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from amphora_image.models import FoundServer

LOG = logging.getLogger(__name__)

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
#: What :func:`amphora_image.boot.random_name` makes, from eight random characters on: 36^8 names.
_RANDOM = re.compile(r"a[A-Z0-9]{8,}")
#: Nova tells times in whole seconds.
_RESOLUTION_SECONDS = 1.0


class ServerFinder(Protocol):
    """What adopting needs of Nova."""

    def find(self, name: str) -> Sequence[FoundServer]:
        """List our project's servers with exactly that name, and how long ago each was made, by Nova's own clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The request whose answer was lost; ``began`` is when it was sent, by ``clock``, in seconds."""

    name: str
    image_id: str | None
    flavor_id: str | None
    began: float
    clock: Callable[[], float] = time.monotonic

    def is_answered_by(self, found: FoundServer) -> bool:
        """Tell whether ``found`` can only have been made by this request."""
        server = found.server
        return (
            server.name == self.name
            and server.image_id == self.image_id
            and server.flavor_id == self.flavor_id
            and found.age_seconds <= self.clock() - self.began + _RESOLUTION_SECONDS
        )


def is_unique(name: str) -> bool:
    """Tell whether no two servers can have been given ``name`` by chance: it holds a UUID, or is a random name."""
    return bool(_UUID.search(name)) or is_random(name)


def is_random(name: str) -> bool:
    """Tell whether ``name`` is one that :func:`amphora_image.boot.random_name` may have made, and long enough."""
    return bool(_RANDOM.fullmatch(name))


def look_for(
    servers: ServerFinder, lost: Lost, *, deadline_seconds: float, sleep: Callable[[float], None] = time.sleep
) -> str | None:
    """Look for the server that the lost request made, until the deadline, and give its id; None when none appears.

    With a deadline of 0 it looks once. Where two would do, neither is touched.
    """
    if not is_unique(lost.name):
        return None

    def look() -> str | None:
        mine = [found.server.id for found in servers.find(lost.name) if lost.is_answered_by(found)]
        if len(mine) > 1:
            LOG.error("Servers %s all could answer the request for %s; none is touched", mine, lost.name)
            return None
        return mine[0] if mine else None

    try:
        return tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda found: found is None)
            | tenacity.retry_if_exception_type(RetryableError),
            wait=tenacity.wait_exponential(multiplier=0.25, max=4),
            stop=tenacity.stop_before_delay(deadline_seconds),
            sleep=sleep,
        )(look)
    except tenacity.RetryError:
        return None
