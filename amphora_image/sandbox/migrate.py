# SPDX-License-Identifier: Apache-2.0
"""First start of a service: its own management commands, run in forks of the process that will serve.

Starting Python and importing a service takes longer than most of these commands; a fork shares the imports with the
service, and keeps what a command does to global options and logging away from it.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from amphora_image.errors import SandboxError
from amphora_image.sandbox import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from amphora_image.sandbox.state import State

#: What completes each service's empty databases: functions that take their arguments from ``sys.argv``.
_ENTRIES = {
    "keystone": "keystone.cmd.manage:main",
    "glance": "glance.cmd.manage:main",
    "placement": "placement.cmd.manage:main",
    "nova": "nova.cmd.manage:main",
    "neutron": "neutron.db.migration.cli:main",
    "octavia": "octavia.db.migration.cli:main",
}

#: Whose migrations do not run on PostgreSQL: the tables come from the models, and are then said to be current.
_TABLES = {
    "neutron": "amphora_image.sandbox.neutron_tables:main",
    "octavia": "amphora_image.sandbox.octavia_tables:main",
}

#: What adds a required argument to the global configuration, and so may not be imported where the service is to run.
_LATE = frozenset({_ENTRIES["octavia"]})

#: Nova fills this in from its own configuration, so that its cells follow a server that changes its port.
_CELL_URL = "{scheme}://{username}:{password}@{hostname}:{port}/"

#: The keys stay with the user who makes them, who may have no name on this machine.
_NO_OWNER = ("--keystone-user=", "--keystone-group=")


@dataclass(frozen=True)
class Step:
    """One command: ``entry`` is ``module:function``."""

    entry: str
    arguments: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


def load(service: str) -> None:
    """Import what the service's steps will need."""
    for entries in (_TABLES, _ENTRIES):
        if service in entries and entries[service] not in _LATE:
            _function(entries[service])


def plan(service: str, config_file: str, state: State) -> Sequence[Step]:
    """Say which commands complete the empty databases of a service."""
    commands: dict[str, tuple[tuple[str, ...], ...]] = {
        "keystone": (("db_sync",), ("fernet_setup", *_NO_OWNER), ("credential_setup", *_NO_OWNER), _bootstrap(state)),
        "glance": (("db", "sync"),),
        "placement": (("db", "sync"),),
        "nova": (
            ("api_db", "sync"),
            ("cell_v2", "map_cell0", "--database_connection", f"{_CELL_URL}nova_cell0"),
            ("db", "sync"),
            ("cell_v2", "create_cell", "--name", "cell1", "--database_connection", f"{_CELL_URL}nova"),
        ),
        "neutron": (("stamp", "heads"),),
        "octavia": (("stamp", "head"),),
    }
    secret = {"OS_BOOTSTRAP_PASSWORD": state.passwords["admin"]} if service == "keystone" else {}
    with_config = ("--config-file", config_file)
    steps = [Step(_ENTRIES[service], (*with_config, *command), secret) for command in commands[service]]
    if service == "glance" and catalogue.RELATIONS in state.extras:
        steps.append(Step("amphora_image.cli.main:main", (*with_config, "related", "db", "upgrade")))
    if service in _TABLES:
        steps.insert(0, Step(_TABLES[service], with_config))
    return steps


def _bootstrap(state: State) -> tuple[str, ...]:
    url = catalogue.find("keystone").url(state.ports)
    return (
        *("bootstrap", "--bootstrap-region-id", catalogue.REGION),
        *("--bootstrap-public-url", url, "--bootstrap-internal-url", url),
    )


def run(steps: Sequence[Step]) -> None:
    """Run the steps one after another, each in a fork.

    :raises SandboxError: one of them ended with another status than 0; what it wrote is in the service's log.
    """
    for step in steps:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            _run_and_exit(step)
        _pid, status = os.waitpid(child, 0)
        if status != 0:
            code = os.waitstatus_to_exitcode(status)
            raise SandboxError(f"{step.entry} {' '.join(step.arguments)} ended with status {code}", "see the log above")


def _function(entry: str) -> Callable[[], object]:
    module, _, name = entry.partition(":")
    function: Callable[[], object] = getattr(importlib.import_module(module), name)
    return function


def _run_and_exit(step: Step) -> None:
    """Run a command as its own program would, and never return."""
    code = 1
    try:
        sys.argv = [step.entry.partition(":")[0], *step.arguments]
        os.environ.update(step.environ)
        result = _function(step.entry)()
        code = int(result) if isinstance(result, int) else 0
    except SystemExit as ending:
        if isinstance(ending.code, str):
            print(ending.code, file=sys.stderr)  # noqa: T201  # as the interpreter does
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:  # noqa: BLE001  # nothing may pass the fork and run on as a second service
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
