# SPDX-License-Identifier: Apache-2.0
"""Telling how far a publication is on a terminal; a module of its own, since only there its library is needed."""

from __future__ import annotations

from typing import Never, TextIO

from tqdm import tqdm


class Bars:
    """Draws a bar for each phase on ``out``, with the rate and the time left."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._bar: tqdm[Never] | None = None

    def begin(self, phase: str, total: int | None = None) -> None:
        """End the bar before, and draw a new one."""
        self.end()
        # Of what has no bytes to count, how long it takes is all there is to tell.
        shown = "{desc} [{elapsed}]" if total is None else None
        self._bar = tqdm(
            desc=phase, total=total, unit="B", unit_scale=True, unit_divisor=1024, file=self._out, bar_format=shown
        )

    def moved(self, done: int) -> None:
        """Move the bar."""
        if self._bar is not None:
            if done:
                self._bar.bar_format = None
            self._bar.update(done - self._bar.n)

    def end(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
