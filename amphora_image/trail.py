# SPDX-License-Identifier: Apache-2.0
"""What one build cost and touched: collected on the way down, told in one line at the end.

A trail belongs to the context that opened it, so that whoever sends a request need not be handed it.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class Trail:
    """``request_ids`` are the services' own, by which their logs are searched; ``retries`` counts what was sent again.

    ``shared`` is True when the image was looked up by another build's request.
    """

    request_ids: list[str] = field(default_factory=list)
    retries: int = 0
    shared: bool = False

    def __str__(self) -> str:
        ids = ", ".join(self.request_ids) or "none"
        return f"look-up {'shared' if self.shared else 'its own'}, retries {self.retries}, requests {ids}"


_TRAIL: ContextVar[Trail | None] = ContextVar("amphora_image_trail", default=None)


@contextmanager
def recorded() -> Iterator[Trail]:
    """Collect what happens inside."""
    trail = Trail()
    token = _TRAIL.set(trail)
    try:
        yield trail
    finally:
        _TRAIL.reset(token)


def note_request(request_id: str | None) -> None:
    """Note a request that was answered, by the id the service gave it."""
    if (trail := _TRAIL.get()) is not None and request_id:
        trail.request_ids.append(request_id)


def note_retry() -> None:
    """Note that a request is sent again."""
    if (trail := _TRAIL.get()) is not None:
        trail.retries += 1


def note_shared() -> None:
    """Note that another build's request was joined."""
    if (trail := _TRAIL.get()) is not None:
        trail.shared = True
