# SPDX-License-Identifier: Apache-2.0
"""The connection to the database of the relations, by oslo.db's enginefacade; its errors become ours here."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from oslo_db import exception as db
from oslo_db.sqlalchemy import enginefacade

from amphora_image.config.relation import RELATION
from amphora_image.errors import ConfigurationError, RelationSchemaError, RelationStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oslo_config import cfg


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the database is, how many connections a process may have, and how long to wait for anything, in seconds."""

    connection: str = field(repr=False)
    max_pool_size: int = 5
    max_overflow: int = 20
    timeout_seconds: int = 5

    @classmethod
    def of(cls, conf: cfg.ConfigOpts) -> Settings:
        """Read ``[relation]``."""
        group = conf[RELATION]
        return cls(group.connection, group.max_pool_size, group.max_overflow, group.timeout_seconds)


@enginefacade.transaction_context_provider
class _Context:
    """What enginefacade keeps a transaction in: a new one each time, so that none is joined by accident."""


class Database:
    """The database that ``settings`` name. Nothing is connected to before it is needed. Thread-safe.

    :raises ConfigurationError: the URL cannot be read, or there is no driver for it.
    """

    def __init__(self, settings: Settings) -> None:
        url = parse_url(settings.connection)
        self._manager = enginefacade.transaction_context()
        # All that oslo.db would else take from [database] of the host's configuration, which is about another database.
        self._manager.configure(
            connection=settings.connection,
            connection_parameters=_patience(url, settings.timeout_seconds),
            connection_debug=0,
            connection_recycle_time=3600,
            connection_trace=False,
            max_overflow=settings.max_overflow,
            max_pool_size=settings.max_pool_size,
            max_retries=0,
            mysql_sql_mode="TRADITIONAL",
            mysql_wsrep_sync_wait=None,
            # What oslo.db puts in the place of SQLite's pool knows no waiting.
            pool_timeout=None if url.get_backend_name() == "sqlite" else settings.timeout_seconds,
            slave_connection=None,
            sqlite_synchronous=True,
            thread_checkin=False,  # a pause for green threads, which Glance has no more
        )
        if url.get_backend_name() == "sqlite":
            self._manager.append_on_engine_create(lambda engine: _keep_connections(engine, settings))

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Lend a connection for a block that only reads.

        :raises RelationStoreError: the database is down or slow.
        :raises RelationSchemaError: a table or column is missing.
        """
        with translated(), self._manager.reader.connection.using(_Context()) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Lend a connection whose transaction is committed at the end of the block, and rolled back on an error.

        :raises RelationStoreError: the database is down, slow or full.
        :raises RelationSchemaError: a table or column is missing.
        """
        with translated(), self._manager.writer.connection.using(_Context()) as connection:
            yield connection

    def dispose(self) -> None:
        """Close what is open; a later use opens it again."""
        self._manager.dispose_pool()


def parse_url(connection: str) -> sa.URL:
    """Read the URL of a database.

    :raises ConfigurationError: it is none, or there is no driver for it.
    """
    try:
        url = sa.make_url(connection)
        url.get_dialect().import_dbapi()
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError, ValueError) as error:
        # SQLAlchemy's own text may quote the URL, and with it the password.
        problem = f"[relation] connection cannot be used ({type(error).__name__})"
        remedy = "give the URL of a database that SQLAlchemy knows and whose driver is installed"
        raise ConfigurationError(problem, remedy) from None
    if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
        problem = "[relation] connection names no file, and SQLite would keep nothing"
        raise ConfigurationError(problem, "give one as sqlite:////FOLDER/FILE, with four slashes")
    return url


def _patience(url: sa.URL, seconds: int) -> str:
    """Give the parameters of the URL by which its driver waits no longer than that for a connection and an answer."""
    match url.get_backend_name():
        case "sqlite":
            return f"timeout={seconds}"
        case "postgresql":
            return f"connect_timeout={seconds}&options=-c%20statement_timeout%3D{seconds}s"
        case "mysql" | "mariadb":
            return f"connect_timeout={seconds}&read_timeout={seconds}&write_timeout={seconds}"
    return ""


def _keep_connections(engine: sa.Engine, settings: Settings) -> None:
    """Give SQLite back the pool that SQLAlchemy has for files, with all that listens to the one that oslo.db put there.

    That one opens the file anew for each transaction, which takes longer than our query.
    """
    opening = engine.pool
    engine.pool = sa.QueuePool(
        opening._creator,  # noqa: SLF001 - as SQLAlchemy does to make one pool like another
        pool_size=settings.max_pool_size,
        max_overflow=settings.max_overflow,
        timeout=settings.timeout_seconds,
        pre_ping=True,
        dialect=engine.dialect,
        _dispatch=opening.dispatch,
    )


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the database fails with into our errors, all but a duplicate, which the store expects.

    :raises RelationStoreError: the database is down, slow or full.
    :raises RelationSchemaError: a table or column is missing.
    """
    try:
        yield
    except db.DBDuplicateEntry:
        raise
    except db.DBNonExistentTable as error:
        raise RelationSchemaError("its table is missing") from error
    except (db.DBError, sa.exc.SQLAlchemyError) as error:
        text = _told(error)
        if _lacks_schema(text):
            raise RelationSchemaError(text) from error
        raise RelationStoreError(text) from error


def _lacks_schema(text: str) -> bool:
    """Tell a missing table or column, which most drivers report as any wrong statement, by its words."""
    known = (
        "no such table",
        "no such column",
        "UndefinedTable",
        "UndefinedColumn",
        "doesn't exist",
        "does not exist",
        "Unknown column",
    )
    return any(words in text for words in known) and "database" not in text


def _told(error: Any) -> str:
    """Say what the driver said, without the statement and its values, which the text of SQLAlchemy repeats."""
    cause = getattr(error, "inner_exception", None) or error
    cause = getattr(cause, "orig", None) or cause
    return f"{type(cause).__name__}: {cause}".partition("[SQL:")[0].strip()[:300]
