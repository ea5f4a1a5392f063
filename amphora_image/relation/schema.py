# SPDX-License-Identifier: Apache-2.0
"""The schema of the relations: brought up to date by one process at a time, and looked at."""

from __future__ import annotations

import pathlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from amphora_image.errors import RelationSchemaError, RelationStoreError
from amphora_image.relation.database import parse_url, translated
from amphora_image.relation.table import RELATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alembic.script import Script

_HOME = pathlib.Path(__file__).parent / "migrations"
_VERSION_TABLE = "amphora_image_relation_version"
_LOCK_NAME = "amphora_image_relation_upgrade"
_LOCK_NUMBER = 0x616D_7069_7265_6C31  # PostgreSQL's locks have numbers; the letters "ampirel1"
_LOCK_SECONDS = 300

EXPAND, CONTRACT = "expand", "contract"


@dataclass(frozen=True, slots=True)
class SchemaState:
    """What the schema is and lacks; ``current`` is None for an empty database, ``pending`` are (revision, phase)."""

    current: str | None
    newest: str
    pending: tuple[tuple[str, str], ...]

    @property
    def usable(self) -> bool:
        """Whether this release can work with it: nothing has to be added."""
        return all(phase == CONTRACT for _revision, phase in self.pending)


class Schema:
    """The schema in the database at ``connection``, a URL; ``versions`` are the folders of the revisions.

    :raises ConfigurationError: the URL cannot be read, or there is no driver for it.
    """

    def __init__(self, connection: str, versions: Sequence[pathlib.Path] = (_HOME / "versions",)) -> None:
        # An engine of its own: a change to the schema may take longer than any request is given.
        self._engine = sa.create_engine(parse_url(connection), poolclass=sa.NullPool)
        self._config = Config()
        self._config.set_main_option("script_location", str(_HOME).replace("%", "%%"))
        self._config.set_main_option("path_separator", "newline")
        self._config.set_main_option("version_locations", "\n".join(str(each).replace("%", "%%") for each in versions))
        self._script = ScriptDirectory.from_config(self._config)

    def state(self) -> SchemaState:
        """Look at the schema; nothing is changed.

        :raises RelationStoreError: the database is down or slow.
        :raises RelationSchemaError: the table is gone that was made.
        """
        with translated(), self._engine.connect() as connection:
            return self._state(connection)

    def upgrade(self, *, contract: bool = True) -> SchemaState:
        """Apply what is pending, one process at a time, and give the state before.

        :param contract: apply also what takes away from an older release what it needs; else stop before it.
        :raises RelationStoreError: the database is down, slow or full; run it again, what is applied stays.
        :raises RelationSchemaError: the table is gone that was made.
        """
        with translated(), self._engine.connect() as connection, _alone(connection):
            state = self._state(connection)
            chosen = [name for name, phase in self._until(state.pending, contract=contract)]
            if chosen:
                self._config.attributes.update(connection=connection, table=_VERSION_TABLE)
                command.upgrade(self._config, chosen[-1])
            return state

    def _state(self, connection: sa.Connection) -> SchemaState:
        current = MigrationContext.configure(connection, opts={"version_table": _VERSION_TABLE}).get_current_revision()
        if current is not None and not sa.inspect(connection).has_table(RELATIONS.name):
            # A backup put back in part, say. An upgrade would find nothing to do.
            detail = f"{_VERSION_TABLE} says {current}, but there is no table {RELATIONS.name}"
            raise RelationSchemaError(f"{detail} (put that back, or drop the former)")
        newest = str(self._script.get_current_head())
        known = {each.revision for each in self._script.walk_revisions()}
        if current is not None and current not in known:  # a later release was here; it added, and took nothing away
            return SchemaState(current, newest, ())
        pending = [
            each for each in self._script.walk_revisions("base", "heads") if each.revision not in self._done(current)
        ]
        return SchemaState(current, newest, tuple((each.revision, _phase(each)) for each in reversed(pending)))

    def _done(self, current: str | None) -> set[str]:
        return {each.revision for each in self._script.walk_revisions("base", current)} if current else set()

    @staticmethod
    def _until(pending: Sequence[tuple[str, str]], *, contract: bool) -> Iterator[tuple[str, str]]:
        """Give what is pending in order, up to the first contraction if that is not wanted."""
        for name, phase in pending:
            if phase == CONTRACT and not contract:
                return
            yield name, phase


def _phase(script: Script) -> str:
    return str(script.module.phase)


@contextmanager
def _alone(connection: sa.Connection) -> Iterator[None]:
    """Hold the upgrade's lock and a transaction for the block; who dies lets go of both.

    :raises RelationStoreError: MariaDB's lock was held by another for too long.
    """
    match connection.dialect.name:
        case "sqlite":
            # The driver would begin a transaction only at the first change of data, and never for the schema's.
            connection.connection.driver_connection.isolation_level = None  # type: ignore[union-attr]
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {_LOCK_SECONDS * 1000}")
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
        case "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})")
        case "mysql" | "mariadb":
            if connection.exec_driver_sql(f"SELECT GET_LOCK('{_LOCK_NAME}', {_LOCK_SECONDS})").scalar() != 1:
                raise RelationStoreError(f"another upgrade held the lock for {_LOCK_SECONDS} s")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
