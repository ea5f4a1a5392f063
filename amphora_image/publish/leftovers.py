# SPDX-License-Identifier: Apache-2.0
"""Who is making an image: a mark that tells, after a crash, what nobody will complete.

A mark names one process of one boot of one machine, in its namespace of process ids. Only what the same place can be
seen from is judged: whether a publisher on another machine still runs, this one cannot know (``doc/adr/0009``).
"""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path

#: The property that an image has from the request that makes it until it is whole.
PUBLISHER = "amphora_image_publisher"

_PROC = Path("/proc")


class Fate(Enum):
    """What has become of whoever left a mark."""

    RUNS = "runs"
    ENDED = "ended"
    UNKNOWN = "unknown"


def mark(proc: Path = _PROC) -> str:
    """Give the mark of this process."""
    return f"{_place(proc)} {os.getpid()} {_started(proc, os.getpid())}"


def fate(text: str, proc: Path = _PROC) -> Fate:
    """Tell whether the process that left the mark ``text`` still runs; a process id that was used again is another."""
    boot, namespace, pid, started = text.split(" ") if text.count(" ") == 3 else ("", "", "", "")
    if f"{boot} {namespace}" != _place(proc) or not pid.isdecimal():
        return Fate.UNKNOWN
    return Fate.RUNS if _started(proc, int(pid)) == started else Fate.ENDED


def _place(proc: Path) -> str:
    """Name the boot and the namespace in which process ids are unique (proc(5), namespaces(7))."""
    boot = (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {(proc / 'self/ns/pid').readlink()}"


def _started(proc: Path, pid: int) -> str:
    """Give a process's start in clock ticks since the boot (field 22 of its stat); empty when it runs no more.

    One that ended and that nobody has waited for yet is still listed, as Z (field 3).
    """
    try:
        stat = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in {"Z", "X"} else fields[18]
