# SPDX-License-Identifier: Apache-2.0
"""Which builds are a pair: those of one operation on one load balancer, as Octavia's own database tells.

``build`` is told a server group at most. Without anti-affinity, which is Octavia's default, there is none; and in one
group not only a pair is built, but whatever replaces its amphorae later.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import sqlalchemy
from octavia.common import constants
from octavia.db import api

from amphora_image.errors.base import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

LOG = logging.getLogger(__name__)

#: As Octavia names a server, before the amphora's id.
_PREFIX = "amphora-"
#: An amphora's row is made before ``build`` is called. That of its load balancer is changed when an operation begins and
#: when it has ended; between the two builds only where its operating status changes (``doc/adr/0003``). So what was made
#: after the last change is of the operation that runs. In plain SQL: Octavia's models bring its whole API with them.
_SIBLINGS = sqlalchemy.text(
    "SELECT sibling.id FROM amphora"
    " JOIN load_balancer ON load_balancer.id = amphora.load_balancer_id"
    " JOIN amphora AS sibling ON sibling.load_balancer_id = load_balancer.id"
    " WHERE amphora.id = :amphora_id AND load_balancer.topology = :topology"
    " AND (load_balancer.updated_at IS NULL OR sibling.created_at >= load_balancer.updated_at)"
)


def of_one_operation(name: str, engine: Callable[[], Any] = api.get_engine) -> frozenset[str] | None:
    """Name the servers that are built in one operation with the one that has this name; none where that is no pair.

    None where that cannot be told: the name is not Octavia's, or the database does not answer. A mixed pair is better than
    no load balancer.
    """
    if not name.startswith(_PREFIX):
        return None
    asked = {"amphora_id": name.removeprefix(_PREFIX), "topology": constants.TOPOLOGY_ACTIVE_STANDBY}
    try:
        with engine().connect() as connection:
            return frozenset(f"{_PREFIX}{found}" for found in connection.execute(_SIBLINGS, asked).scalars())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no reason not to build
        LOG.warning(
            "Which load balancer %s is for could not be read, so the pair may be mixed: %s", name, one_line(str(error))
        )
        return None
