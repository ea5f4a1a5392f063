# SPDX-License-Identifier: Apache-2.0
"""The databases as a client sees them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg2
import psycopg2.extensions

from amphora_image.errors import SandboxError
from amphora_image.sandbox.catalogue import POSTGRES
from amphora_image.sandbox.ports import HOST
from amphora_image.sandbox.state import State

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterable

    from amphora_image.sandbox.progress import Deadline

ROLE = "sandbox"
#: Those of the plain cloud; each extra's is called as itself.
DATABASES = ("keystone", "glance", "placement", "neutron", "nova", "nova_api", "nova_cell0")

_MAINTENANCE = "postgres"
_POLL_SECONDS = 0.05


def url(state: State) -> str:
    """Give the URL of the server for SQLAlchemy; ``/NAME`` of a database is to follow."""
    return f"postgresql+psycopg2://{ROLE}:{state.passwords['database']}@{HOST}:{state.ports[POSTGRES]}"


def connect(state: State, database: str) -> psycopg2.extensions.connection:
    """Connect once, in autocommit mode.

    :raises psycopg2.OperationalError: the server or the database is not there (yet).
    """
    connection = psycopg2.connect(
        host=HOST,
        port=state.ports[POSTGRES],
        user=ROLE,
        password=state.passwords["database"],
        dbname=database,
        connect_timeout=5,
    )
    connection.autocommit = True
    return connection


def answers(state: State, database: str = _MAINTENANCE) -> bool:
    """Whether the database can be connected to."""
    try:
        connect(state, database).close()
    except psycopg2.OperationalError:
        return False
    return True


def await_database(path: pathlib.Path, database: str, deadline: Deadline) -> State:
    """Return the state, read anew from its file, when the database can be connected to.

    The file is read each time, for PostgreSQL's port changes if somebody else was quicker to take it.

    :raises SandboxError: there was no state, or no connection by the deadline.
    """
    while True:
        state = State.load(path)
        if state is not None and answers(state, database):
            return state
        if deadline.passed:
            raise SandboxError(f"no connection to the database {database}", "see PostgreSQL's log")
        time.sleep(_POLL_SECONDS)


def create_databases(state: State, wanted: Iterable[str], deadline: Deadline) -> None:
    """Create those of the wanted databases that do not exist, empty.

    :raises SandboxError: the server refused, for instance for want of space, or was not done by the deadline.
    """
    try:
        connection = connect(state, _MAINTENANCE)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = %s", (max(1, int(deadline.remaining() * 1000)),))
                cursor.execute("SELECT datname FROM pg_database")
                known = {row[0] for row in cursor.fetchall()}
                for name in wanted:
                    if name not in known:
                        cursor.execute(f"CREATE DATABASE {name}")
        finally:
            connection.close()
    except psycopg2.Error as error:
        raise SandboxError(
            f"PostgreSQL could not create the databases: {error}", "see its log; is the disk full?"
        ) from error
