# SPDX-License-Identifier: Apache-2.0
"""Telling how far a publication is: where nobody looks at a terminal, a line now and then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20
_EVERY_SECONDS = 10.0


class Progress(Protocol):
    """Is told of each phase as it begins, and how many of its ``total`` bytes are done."""

    def begin(self, phase: str, total: int | None = None) -> None:
        """End the phase before, and begin this one; ``total`` is None where nobody knows how much it is."""

    def moved(self, done: int) -> None:
        """Say that ``done`` bytes of the phase are done."""

    def end(self) -> None:
        """End the last phase."""


class Silent:
    """Tells nothing."""

    def begin(self, phase: str, total: int | None = None) -> None:
        """Take no notice."""

    def moved(self, done: int) -> None:
        """Take no notice."""

    def end(self) -> None:
        """Take no notice."""


class Lines:
    """Writes a line as a phase begins, and one every ten seconds while it lasts; ``label`` stands before each."""

    def __init__(self, out: TextIO, label: str = "", *, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._label = f"{label}: " if label else ""
        self._clock = clock
        self._phase, self._total = "", None  # type: str, int | None
        self._began = self._told = clock()

    def begin(self, phase: str, total: int | None = None) -> None:
        """Write what begins."""
        self._phase, self._total = phase, total
        self._began = self._told = self._clock()
        self._write(f"{phase} {total / MIB:.1f} MiB" if total else phase)

    def moved(self, done: int) -> None:
        """Write how far it is, unless a line was written less than ten seconds ago."""
        now = self._clock()
        if now - self._told >= _EVERY_SECONDS:
            self._told = now
            self._write(f"{self._phase} {told(done, self._total, now - self._began)}")

    def end(self) -> None:
        """Write nothing: the result follows."""

    def _write(self, text: str) -> None:
        self._out.write(f"{self._label}{text}\n")
        self._out.flush()


def told(done: int, total: int | None, seconds: float) -> str:
    """Say how much is done, how fast, and how long the rest takes at that rate."""
    rate = done / seconds if seconds > 0 else 0.0
    if not done:
        return f"for {seconds:.0f} s"
    text = f"{done / MIB:.0f} of {total / MIB:.0f} MiB" if total else f"{done / MIB:.0f} MiB"
    left = f", {(total - done) / rate:.0f} s left" if total and rate and done <= total else ""
    return f"{text}, {rate / MIB:.1f} MiB/s{left}"
