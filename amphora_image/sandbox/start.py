# SPDX-License-Identifier: Apache-2.0
"""One start of a sandbox, from ports to the first requests; whatever ends it early leaves no process behind."""

from __future__ import annotations

import os
import random
import selectors
import shutil
import sys
import time
from typing import TYPE_CHECKING

from amphora_image.sandbox import (
    catalogue,
    certificates,
    configs,
    database,
    ports,
    postgres,
    processes,
    programs,
    seed,
    warm,
)
from amphora_image.sandbox.logs import begin_anew, failure
from amphora_image.sandbox.progress import Deadline, Progress, Report

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping

    from amphora_image.errors import SandboxError
    from amphora_image.sandbox.layout import Layout
    from amphora_image.sandbox.state import State

_POLL_SECONDS = 0.05
_PORT_ATTEMPTS = 5

#: The services through which a new cloud is filled.
_SEEDED_THROUGH = frozenset({"keystone", "nova", "neutron"})


def address(service: str, state: State) -> str:
    """Say where a service is: a URL, or host and port, or nothing if nobody can speak to it."""
    if service in {each.name for each in catalogue.services(state.extras)}:
        return catalogue.find(service).url(state.ports)
    return f"{ports.HOST}:{state.ports[service]}" if service in state.ports else ""


def progress(service: str, state: State, deadline: Deadline) -> Progress:
    """Say that a service is ready now."""
    if service == catalogue.POSTGRES:
        return Progress("PostgreSQL", postgres.VERSION, deadline.elapsed(), address(service, state))
    known = catalogue.described(service)
    return Progress(known.title, known.version, deadline.elapsed(), address(service, state))


class Start:
    """A start of the sandbox whose state is given, none of whose processes runs."""

    def __init__(self, layout: Layout, state: State, report: Report, deadline: Deadline) -> None:
        self._layout = layout
        self._state = state
        self._report = report
        self._deadline = deadline
        self._chance = random.Random()  # noqa: S311  # ports are no secret
        self._server = postgres.Server.placed(state, layout.root)
        self._fresh = not (state.prepared and self._server.is_made())
        self._unmade = {name for name, complete in state.extras.items() if self._fresh or not complete}
        self._clients = seed.Clients(layout, state, deadline)
        self._waiting: dict[int, str] = {}

    def run(self) -> None:
        """Start everything and return when the cloud serves.

        :raises SandboxError: something failed, or the deadline passed.
        :raises OSError: a file could not be written or a program not started.
        """
        try:
            self._begin()
            self._start_services()
            self._start_postgres()
            self._await_services()
            for program in programs.run(self._layout, self._state, self._deadline):
                self._report(progress(program, self._state, self._deadline))
            self._report(Progress("First requests", "", self._deadline.elapsed(), "to all of them", state="begun"))
            warm.warm_up(self._clients)
            self._state.prepared = self._state.started = True
            self._state.extras = dict.fromkeys(self._state.extras, True)
            self._state.save(self._layout.state)
        except BaseException:
            processes.end_all(self._state.sandbox_id)
            raise
        finally:
            for descriptor in self._waiting:
                os.close(descriptor)

    def _begin(self) -> None:
        """Note what is about to be made, before it is; incomplete databases are wiped with all that belongs to them."""
        state = self._state
        begin_anew(self._layout.logs)
        state.started = False
        state.postgres_home = str(self._server.home)
        if self._fresh:
            state.prepared = False
            state.extras = dict.fromkeys(state.extras, False)
            state.ids.clear()
            state.save(self._layout.state)
            for folder in self._layout.data:
                shutil.rmtree(folder, ignore_errors=True)
        for folder in self._layout.data:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if "octavia" in self._unmade:
            certificates.make_authority(self._layout.root / "octavia", state.passwords["octavia-ca"])

    def _start_services(self) -> None:
        """Start the services' processes: they import while PostgreSQL is made, and wait for it themselves."""
        state = self._state
        services = catalogue.services(state.extras)
        sockets = {each.name: ports.listen(state.ports.get(each.name), self._chance) for each in services}
        try:
            for each in catalogue.programs(state.extras):
                if each.uses_port:
                    state.ports[each.name] = ports.free_udp_port(state.ports.get(each.name), self._chance)
            state.ports.update({name: opened.getsockname()[1] for name, opened in sockets.items()})
            self._choose_postgres_port(state.ports.get(catalogue.POSTGRES))
            for service in services:
                self._start_service(service, sockets[service.name].fileno())
        finally:
            for opened in sockets.values():
                opened.close()

    def _choose_postgres_port(self, wanted: int | None) -> None:
        self._state.ports[catalogue.POSTGRES] = ports.free_port(wanted, self._chance)
        self._state.save(self._layout.state)
        configs.write(self._layout, self._state)

    def _start_service(self, service: catalogue.Service, listening: int) -> None:
        ready, told = os.pipe()
        self._waiting[ready] = service.name
        own = configs.environ(self._layout, service)
        tables = {service.name, catalogue.RELATIONS if service.name == "glance" else service.name}
        command = [
            *(sys.executable, "-P", "-m", "amphora_image.sandbox.serve"),
            *(service.name, str(self._layout.root), str(listening), str(told)),
            f"--deadline={self._deadline.remaining():.0f}",
            *(["--prepare"] if self._fresh or tables & self._unmade else []),
        ]
        try:
            processes.start(
                processes.Launch(
                    command=command,
                    environ=self._environ(service.name, own),
                    folder=self._layout.root,
                    log=self._layout.log(service.name),
                    inherited=(listening, told),
                )
            )
        finally:
            os.close(told)

    def _environ(self, service: str, own: Mapping[str, str]) -> dict[str, str]:
        return processes.environment(self._state.sandbox_id, service, own, root=self._layout.root)

    def _start_postgres(self) -> None:
        environ = self._environ(catalogue.POSTGRES, {"HOME": str(self._server.home)})
        if self._fresh:
            self._server.make(self._state.passwords["database"], environ, self._deadline)
        self._server.forget_former()
        for _attempt in range(_PORT_ATTEMPTS):
            self._server.configure(self._state.ports[catalogue.POSTGRES])
            started = processes.start(
                processes.Launch(
                    command=self._server.command(),
                    environ=environ,
                    folder=self._server.home,
                    log=self._layout.log(catalogue.POSTGRES),
                    identity=self._server.identity(),
                )
            )
            if self._postgres_answers(started):
                break
            self._choose_postgres_port(None)
        else:
            raise failure(self._layout, catalogue.POSTGRES, "ended at once, several times")
        if wanted := [*(database.DATABASES if self._fresh else ()), *self._unmade]:
            database.create_databases(self._state, wanted, self._deadline)
        self._report(progress(catalogue.POSTGRES, self._state, self._deadline))

    def _postgres_answers(self, started: subprocess.Popen[bytes]) -> bool:
        """Wait until PostgreSQL answers; False if it ended instead, as it does when its port is taken."""
        while started.poll() is None:
            if database.answers(self._state):
                return True
            if self._deadline.passed:
                raise self._late(catalogue.POSTGRES)
            time.sleep(_POLL_SECONDS)
        return False

    def _await_services(self) -> None:
        """Wait for the services, and fill a new cloud as soon as those are ready through which that is done."""
        ready: set[str] = set()
        for service in self._became_ready():
            self._report(progress(service, self._state, self._deadline))
            ready.add(service)
            if service == "keystone":
                (seed.identity if self._fresh else seed.correct_catalogue)(self._clients)
            if service in _SEEDED_THROUGH and ready >= _SEEDED_THROUGH:
                self._make_resources()

    def _make_resources(self) -> None:
        state = self._state
        if self._fresh:
            seed.resources(self._clients)
        if "octavia" in state.extras and "tenant-subnet" not in state.ids:
            seed.tenant_network(self._clients)
        if self._fresh or self._unmade:
            # In this order: once the state has the network's id, Octavia takes its file for complete.
            configs.write(self._layout, state)
            state.save(self._layout.state)

    def _became_ready(self) -> Iterator[str]:
        """Yield the services as they say that they are ready.

        :raises SandboxError: one ended instead, or the deadline passed.
        """
        with selectors.DefaultSelector() as selector:
            for descriptor in self._waiting:
                selector.register(descriptor, selectors.EVENT_READ)
            while self._waiting:
                events = selector.select(self._deadline.remaining())
                if not events:
                    raise self._late(self._last())
                for key, _mask in events:
                    service = self._waiting[key.fd]
                    if not os.read(key.fd, 64):
                        raise failure(self._layout, service, "ended before it was ready")
                    selector.unregister(key.fd)
                    del self._waiting[key.fd]
                    os.close(key.fd)
                    yield service

    def _last(self) -> str:
        """Name the service to blame: Nova waits for the others, and Octavia for Nova, so they are blamed last."""
        return min(self._waiting.values(), key=("nova", "octavia").count)

    def _late(self, service: str) -> SandboxError:
        return failure(self._layout, service, f"was not ready in {self._deadline.allowed_seconds:.0f} s")
