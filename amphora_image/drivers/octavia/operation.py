# SPDX-License-Identifier: Apache-2.0
"""Which two builds are a pair: those of one operation on one load balancer, as Octavia's own database tells.

``build`` is told a server group at most. Without anti-affinity, which is Octavia's default, there is none; and in one
group not only a pair is built, but whatever replaces its amphorae later.
"""

from __future__ import annotations

import contextlib
import logging
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy
from octavia.common import constants
from octavia.db import api

from amphora_image.errors.base import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LOG = logging.getLogger(__name__)

#: As Octavia names a server, before the amphora's id.
_PREFIX = "amphora-"
#: The amphora's row is there before ``build`` is called. That of its load balancer is changed when an operation begins
#: and when it has ended; between the two builds only where its operating status changes (``doc/adr/0003``).
#: In plain SQL: Octavia's models bring its whole API with them.
_BALANCER = sqlalchemy.text(
    "SELECT load_balancer.id, load_balancer.updated_at FROM amphora"
    " JOIN load_balancer ON load_balancer.id = amphora.load_balancer_id"
    " WHERE amphora.id = :amphora_id AND load_balancer.topology = :topology"
)


def operation_for(name: str, engine: Callable[[], Any] = api.get_engine) -> str | None:
    """Name the operation that the amphora with this server's name is built for; None where it is not for a pair.

    None too where the database does not answer: a mixed pair is better than no load balancer.
    """
    if not name.startswith(_PREFIX):
        return None
    asked = {"amphora_id": name.removeprefix(_PREFIX), "topology": constants.TOPOLOGY_ACTIVE_STANDBY}
    try:
        row = _row(engine(), asked)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no reason not to build
        LOG.warning(
            "Which load balancer %s is for could not be read, so the pair may be mixed: %s", name, one_line(str(error))
        )
        return None
    return None if row is None else f"load balancer {row[0]}, changed {row[1]}"


def _row(engine: sqlalchemy.Engine, asked: Mapping[str, str]) -> Any:
    """Read the load balancer's id and time, None where there is none, over the database's driver itself.

    SQLAlchemy's connection and oslo.db's look whether it still is one, a query before each, cost as much again as the
    query. They are asked where that fails, for then it may be the connection that was none any more.
    """
    statement, names = _compiled(engine.dialect)
    try:
        with contextlib.closing(engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute(statement, tuple(asked[name] for name in names) if names else asked)
            return cursor.fetchone()
    except Exception:  # noqa: BLE001 - each driver has errors of its own
        with engine.connect() as connection:
            return connection.execute(_BALANCER, asked).one_or_none()


@cache
def _compiled(dialect: sqlalchemy.Dialect) -> tuple[str, Sequence[str]]:
    """Give the query as a driver takes it, and its parameters' names where they go by their place."""
    compiled: Any = _BALANCER.compile(dialect=dialect)
    return str(compiled), compiled.positiontup or ()
