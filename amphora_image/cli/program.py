# SPDX-License-Identifier: Apache-2.0
"""Where ``amphora-image`` begins and ends: around all that takes long enough to be interrupted, its loading too."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

#: What is loaded lives to the end, and makes hundreds of thousands of objects: every 700 of them is too soon to look for garbage.
_OBJECTS_BETWEEN_LOOKS = 50_000
#: What a shell gives for a program that SIGINT ended: 128 and the signal's number.
INTERRUPTED = 130


def main() -> int:
    """Run the command on the command line, and give its exit code."""
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS)
    open_standard_streams()
    return ended(_run, sys.stderr)


def open_standard_streams() -> None:
    """Open the null device for each of the three that is closed: else a file or a socket would be taken for it."""
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(number, True)
    os.close(number)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def ended(run: Callable[[], int], out: TextIO) -> int:
    """Give the exit code of ``run``; an interrupt is told on ``out`` in one line."""
    try:
        code = run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:  # cliff, too, has caught one and says nothing
        out.write("amphora-image: interrupted\n")
    # At its end the interpreter would look through all that was loaded for garbage: a tenth of a short command's CPU.
    gc.freeze()
    return code


def heed_sigterm() -> None:
    """Have SIGTERM end the command as Ctrl-C does, so that what was begun is undone; a shell's 143 is then its exit code."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def _run() -> int:
    from amphora_image.cli.main import main as run  # noqa: PLC0415 - takes long enough to be interrupted

    return run()
