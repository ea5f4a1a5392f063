# SPDX-License-Identifier: Apache-2.0
"""A sandbox as a whole: brought up, looked at and taken down."""

from __future__ import annotations

import shutil
from importlib import metadata
from typing import TYPE_CHECKING

from amphora_image.errors import SandboxError
from amphora_image.sandbox import catalogue, processes
from amphora_image.sandbox.access import Access
from amphora_image.sandbox.layout import Layout
from amphora_image.sandbox.lock import locked
from amphora_image.sandbox.logs import tail
from amphora_image.sandbox.postgres import Server
from amphora_image.sandbox.progress import Deadline, Report, ServiceStatus, silent
from amphora_image.sandbox.start import Start, address, progress
from amphora_image.sandbox.state import State

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterable

    import psutil

_DOWN_SECONDS = 60.0
_OUR_COMPUTE_DRIVER = "amphora_image_driver"


class Sandbox:
    """The sandbox in the folder ``root``, which need not exist yet."""

    def __init__(self, root: pathlib.Path) -> None:
        self.layout = Layout(root.expanduser().absolute())

    def up(
        self,
        report: Report = silent,
        deadline_seconds: float = 180.0,
        *,
        with_: Iterable[str] = (),
        compute_driver: str | None = None,
    ) -> Access:
        """Bring the sandbox up: make it, resume it, or find that it runs already.

        Whatever ends this early (an error, the deadline, an interrupt) leaves no process behind. What an earlier one
        that was killed left is ended, and done again as far as it was not complete.

        :param report: is told of each service that became ready.
        :param with_: what the sandbox shall have beyond the plain cloud, from now on: ``octavia``, ``relations``. One that runs
            without it is started anew.
        :param compute_driver: what Octavia's compute driver shall be, from now on; at first it is this library's.
        :raises SandboxError: it did not come up; the failing service's last lines are in ``log_lines``.
        """
        deadline, wanted = Deadline(deadline_seconds), tuple(with_)
        catalogue.check(wanted)
        try:
            self.layout.create()
            with locked(self.layout.lock, deadline):
                state = self._known() or State.new()
                changed = _change(state, wanted, compute_driver)
                state.save(self.layout.state)
                if self._runs(state) and not changed:
                    _report_all(state, report, deadline)
                else:
                    processes.end_all(state.sandbox_id)
                    processes.end_begun_in(self.layout.root)
                    Start(self.layout, state, report, deadline).run()
                return Access.of(state, self.layout.root)
        except OSError as error:
            raise SandboxError(
                f"the sandbox in {self.layout.root} could not be started: {error}",
                "make room there, or give another folder with --dir",
            ) from error

    def status(self) -> list[ServiceStatus]:
        """Say of each service whether it runs, where, and with how much memory.

        :raises SandboxError: there is no sandbox in this folder.
        """
        state = self._state()
        found = processes.find(state.sandbox_id)
        return [_status(name, state, found.get(name, [])) for name in catalogue.names(state.extras)]

    def access(self) -> Access:
        """Say how to use the sandbox, whether it runs now or not.

        :raises SandboxError: there is none in this folder, or it was never complete.
        """
        return Access.of(self._state(), self.layout.root)

    def logs(self, service: str, lines: int) -> list[str]:
        """Give the last lines that a service logged, none if it never ran.

        :raises SandboxError: there is no such service, or no sandbox in this folder.
        """
        names = catalogue.names(self._state().extras)
        if service not in names:
            raise SandboxError(f"the sandbox has no service {service!r}", f"use one of {', '.join(names)}")
        try:
            return tail(self.layout.log(service), lines)
        except OSError as error:
            raise SandboxError(
                f"{self.layout.log(service)} cannot be read: {error.strerror}",
                "run this as its owner, or make it readable to you",
            ) from error

    def down(self, *, remove: bool = False) -> None:
        """End the sandbox's processes, no others; what is not running is left as it is.

        They are found too if the sandbox's state, or its whole folder, was deleted or is broken.

        :param remove: delete its folder and its databases too.
        :raises SandboxError: somebody else is starting or stopping it, or something cannot be deleted.
        """
        try:
            if not self.layout.state.exists():
                # The folder is gone, or maybe somebody else's: nothing is locked or deleted in it.
                processes.end_begun_in(self.layout.root)
                return
            with locked(self.layout.lock, Deadline(_DOWN_SECONDS)):
                state = self._end_whatever_runs()
                if remove:
                    self._remove(state)
                elif state is not None:
                    state.started = False
                    state.save(self.layout.state)
        except OSError as error:
            raise SandboxError(
                f"the sandbox in {self.layout.root} could not be ended or removed: {error}",
                "see who owns that folder; what is left of it remove by hand",
            ) from error

    def _end_whatever_runs(self) -> State | None:
        """End all processes, and give the state, None if it is broken."""
        try:
            state = State.load(self.layout.state)
        except SandboxError:
            state = None
        if state is not None:
            processes.end_all(state.sandbox_id)
        processes.end_begun_in(self.layout.root)
        return state

    def _remove(self, state: State | None) -> None:
        """Delete the databases and the folder, which without a state may be somebody else's.

        :raises SandboxError: it is.
        :raises OSError: something cannot be deleted.
        """
        if state is None:
            self.layout.check()
        else:
            Server.placed(state, self.layout.root).remove()
        shutil.rmtree(self.layout.root)

    def _known(self) -> State | None:
        """Give the state, None if there is none; where it cannot be known, nothing is left running that nobody could end.

        :raises SandboxError: it is broken.
        """
        try:
            return State.load(self.layout.state)
        except SandboxError:
            processes.end_begun_in(self.layout.root)
            raise

    def _state(self) -> State:
        state = State.load(self.layout.state)
        if state is None:
            raise SandboxError(f"there is no sandbox in {self.layout.root}", "run `amphora-image sandbox up`")
        return state

    def _runs(self, state: State) -> bool:
        return state.started and set(catalogue.names(state.extras)) <= processes.find(state.sandbox_id).keys()


def _report_all(state: State, report: Report, deadline: Deadline) -> None:
    for name in catalogue.names(state.extras):
        report(progress(name, state, deadline))


def _change(state: State, extras: Iterable[str], compute_driver: str | None) -> bool:
    """Take note of what is wanted, and say whether that is something else than there was.

    :raises SandboxError: Octavia would not find the compute driver, or there is no Octavia to use it.
    """
    before = (set(state.extras), state.compute_driver)
    for extra in extras:
        state.add(extra)
    if "octavia" in state.extras:
        state.compute_driver = compute_driver or state.compute_driver or _OUR_COMPUTE_DRIVER
        known = {found.name for found in metadata.entry_points(group="octavia.compute.drivers")}
        if state.compute_driver not in known:
            raise SandboxError(
                f"no compute driver {state.compute_driver!r} is installed for Octavia",
                f"name one with --compute-driver: {', '.join(sorted(known))}",
            )
    elif compute_driver is not None:
        raise SandboxError("a compute driver is named for a sandbox without Octavia", "add --with octavia")
    return before != (set(state.extras), state.compute_driver)


def _status(name: str, state: State, running: list[psutil.Process]) -> ServiceStatus:
    if not running:
        return ServiceStatus(name, "stopped", None, "", 0.0)
    memory = sum(map(processes.memory_mib, processes.roots(running)))
    return ServiceStatus(name, "running", running[0].pid, address(name, state), round(memory, 1))
