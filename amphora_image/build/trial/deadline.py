# SPDX-License-Identifier: Apache-2.0
"""A moment by which something must have happened."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Deadline:
    """The end of ``seconds`` from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends = time.monotonic() + seconds

    def remaining(self) -> float:
        """Give the seconds that are left, never less than zero."""
        return max(0.0, self._ends - time.monotonic())

    def attempts(self, pause_seconds: float) -> Iterator[int]:
        """Give a number for each attempt, the first at once, with a pause between them, until nothing is left."""
        number = 0
        while not number or self.remaining():
            yield number
            number += 1
            time.sleep(min(pause_seconds, self.remaining()))
