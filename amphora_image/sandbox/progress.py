# SPDX-License-Identifier: Apache-2.0
"""What a caller sees of a sandbox's services, and the deadline everything that waits is given."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Progress:
    """One service became ready, or whatever else ``state`` says; ``seconds`` are since `up` began."""

    service: str
    version: str
    seconds: float
    address: str
    state: str = "ready"

    def __str__(self) -> str:
        return f"{f'{self.service} {self.version}':<22} {self.state} {self.seconds:6.1f} s  {self.address}".rstrip()


@dataclass(frozen=True)
class ServiceStatus:
    """One service as it is now; ``pid`` is None and ``memory_mib`` 0 unless ``state`` is ``running``."""

    service: str
    state: str
    pid: int | None
    address: str
    memory_mib: float


class Report(Protocol):
    """Whoever wants to hear of progress."""

    def __call__(self, progress: Progress, /) -> None:
        """Take note of one service that became ready."""


def silent(_progress: Progress, /) -> None:
    """Report to nobody."""


class Deadline:
    """A moment on the monotonic clock by which something must have happened."""

    def __init__(self, seconds: float) -> None:
        self.allowed_seconds = seconds
        self._began = time.monotonic()

    def elapsed(self) -> float:
        """Give the seconds since this deadline was set."""
        return time.monotonic() - self._began

    def remaining(self) -> float:
        """Give the seconds that are left, never less than zero."""
        return max(0.0, self.allowed_seconds - self.elapsed())

    @property
    def passed(self) -> bool:
        """Whether nothing is left."""
        return self.remaining() <= 0
