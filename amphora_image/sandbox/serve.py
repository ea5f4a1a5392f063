# SPDX-License-Identifier: Apache-2.0
"""The process of one service: ``python -m amphora_image.sandbox.serve SERVICE ROOT SOCKET READY [--prepare]``.

SOCKET is the descriptor of a listening socket, READY that of a pipe which is told when the service answers.
"""

from __future__ import annotations

import argparse
import importlib
import pathlib
import sys
import time
from typing import Any

from amphora_image.errors import SandboxError
from amphora_image.sandbox import catalogue, configs, database, migrate, server
from amphora_image.sandbox.layout import Layout
from amphora_image.sandbox.progress import Deadline
from amphora_image.sandbox.state import State

#: Imported while PostgreSQL still starts, so that two cores have something to do.
_EARLY = {
    "keystone": "keystone.server.flask.core",
    "glance": "glance.common.wsgi_app",
    "placement": "placement.wsgi",
    "nova": "amphora_image.sandbox.nova",
    "neutron": "neutron.server.api",
    "octavia": "amphora_image.sandbox.octavia",
}

#: The database whose presence says that those of the plain cloud are all there: they are made together.
_LAST_DATABASE = database.DATABASES[-1]
_POLL_SECONDS = 0.05


def main() -> None:
    """Run the service until it is told to end.

    :raises SystemExit: it could not start; the reason is on standard error.
    """
    parser = argparse.ArgumentParser(description="one service of a sandbox; started by `amphora-image sandbox up`")
    parser.add_argument("service", choices=[service.name for service in catalogue.services(catalogue.EXTRAS)])
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("socket", type=int)
    parser.add_argument("ready", type=int)
    parser.add_argument("--deadline", type=float, default=180.0)
    parser.add_argument("--prepare", action="store_true", help="complete the service's empty databases first")
    arguments = parser.parse_args()
    service = catalogue.find(arguments.service)
    layout = Layout(arguments.root)
    sys.argv = [service.name, *configs.arguments(layout, service)]  # the services read options of their own from there
    try:
        application = _application(service, layout, arguments)
    except SandboxError as error:
        raise SystemExit(str(error)) from error
    server.serve(arguments.socket, application, service.threads, arguments.ready)


def _application(service: catalogue.Service, layout: Layout, arguments: argparse.Namespace) -> Any:
    """Import the service and, if this is its first start, complete its databases.

    :raises SandboxError: its databases were not there by the deadline, or could not be completed.
    """
    deadline = Deadline(arguments.deadline)
    early = importlib.import_module(_EARLY[service.name])
    if arguments.prepare:
        migrate.load(service.name)
    needed = service.name if service.name in catalogue.EXTRAS else _LAST_DATABASE
    state = database.await_database(layout.state, needed, deadline)
    if service.name == "glance" and catalogue.RELATIONS in state.extras:
        state = database.await_database(layout.state, catalogue.RELATIONS, deadline)
    if arguments.prepare:
        config_file = configs.told(layout, configs.config_file(layout, service.name))
        migrate.run(migrate.plan(service.name, config_file, state))
    if service.name == "octavia":
        _await_network(layout.state, deadline)
    application = importlib.import_module(service.wsgi).application
    if service.name == "nova":
        early.start_services(deadline)
    elif service.name == "octavia":
        early.start_worker()
    return application


def _await_network(path: pathlib.Path, deadline: Deadline) -> None:
    """Wait until the amphorae's network is made, for Octavia reads its id once, from a file that then names it.

    :raises SandboxError: it was not made by the deadline.
    """
    while not ((state := State.load(path)) and "network" in state.ids):
        if deadline.passed:
            raise SandboxError("the amphorae's network was not made", "see the logs of the other services")
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    main()
