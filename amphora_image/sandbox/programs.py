# SPDX-License-Identifier: Apache-2.0
"""The programs that an extra brings, started as an administrator would: by their own commands."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil

from amphora_image.sandbox import catalogue, configs, processes
from amphora_image.sandbox.logs import failure

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from amphora_image.sandbox.layout import Layout
    from amphora_image.sandbox.progress import Deadline
    from amphora_image.sandbox.state import State

_POLL_SECONDS = 0.05


def run(layout: Layout, state: State, deadline: Deadline) -> Iterator[str]:
    """Start the programs of all extras, and yield each one's name when it runs.

    :raises SandboxError: one ended instead, or the deadline passed.
    :raises OSError: one could not be started.
    """
    started = [(program, _start(program, layout, state)) for program in catalogue.programs(state.extras)]
    for program, process in started:
        while not _runs(program, process, layout, state):
            if process.poll() is not None:
                raise failure(layout, program.name, "ended before it was ready")
            if deadline.passed:
                raise failure(layout, program.name, f"was not ready in {deadline.allowed_seconds:.0f} s")
            time.sleep(_POLL_SECONDS)
        yield program.name


def _start(program: catalogue.Program, layout: Layout, state: State) -> subprocess.Popen[bytes]:
    return processes.start(
        processes.Launch(
            command=[configs.script(program), *configs.arguments(layout, program)],
            environ=processes.environment(state.sandbox_id, program.name, {}, root=layout.root),
            folder=layout.root,
            log=layout.log(program.name),
        )
    )


def _runs(program: catalogue.Program, process: subprocess.Popen[bytes], layout: Layout, state: State) -> bool:
    if program.ready not in layout.log(program.name).read_text(encoding="utf-8", errors="replace"):
        return False
    return not program.uses_port or state.ports[program.name] in _udp_ports(process.pid)


def _udp_ports(pid: int) -> set[int]:
    """Give the UDP ports that a process and its descendants have opened."""
    ports: set[int] = set()
    try:
        started = psutil.Process(pid)
        for each in (started, *started.children(recursive=True)):
            ports.update(connection.laddr.port for connection in each.net_connections(kind="udp"))
    except psutil.Error:
        pass  # it ended meanwhile, which whoever waits sees too
    return ports
