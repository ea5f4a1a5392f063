# SPDX-License-Identifier: Apache-2.0
"""Relations in their table: recorded, forgotten, and read page by page, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from oslo_db import exception as db

from amphora_image.relation.table import RELATIONS
from amphora_image.relation.values import Kind, Recorded, Relation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from amphora_image.relation.database import Database

_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which relations: those in which all that is given agrees; None is any.

    ``instance_id`` or ``image_id`` is to be given, or every relation there is will be read.
    """

    instance_id: str | None = None
    image_id: str | None = None
    installation: str | None = None
    kind: Kind | None = None

    def given(self) -> dict[str, str]:
        """Give what is to agree, by column."""
        columns = {
            "instance_id": self.instance_id,
            "image_id": self.image_id,
            "installation": self.installation,
            "kind": self.kind.value if self.kind else None,
        }
        return {name: value for name, value in columns.items() if value is not None}


class RelationStore:
    """The relations in ``database``. Thread-safe; all methods may be repeated.

    All methods raise :class:`RelationStoreError` and :class:`RelationSchemaError`; what raised left nothing behind.
    """

    def __init__(self, database: Database, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._now = now

    def record(self, relation: Relation) -> bool:
        """Keep a relation; True if it was not there yet. It is committed when this returns."""
        values = {
            "installation": relation.installation,
            "instance_id": relation.instance_id,
            "image_id": relation.image_id,
            "kind": relation.kind.value,
            "created_at": self._now().replace(tzinfo=None),
        }
        try:
            with self._database.writing() as connection:
                connection.execute(RELATIONS.insert(), values)
        except db.DBDuplicateEntry:
            return False
        return True

    def forget(self, relation: Relation) -> bool:
        """Remove a relation; False if there was none."""
        wanted = Wanted(
            instance_id=relation.instance_id,
            image_id=relation.image_id,
            installation=relation.installation,
            kind=relation.kind,
        )
        return bool(self.forget_all(wanted))

    def forget_all(self, wanted: Wanted) -> int:
        """Remove all relations that are wanted, and say how many."""
        given = wanted.given()
        with self._database.writing() as connection:
            return int(connection.execute(RELATIONS.delete().where(*_agree(given)), given).rowcount)

    def page(self, wanted: Wanted, *, limit: int = _PAGE, before: int | None = None) -> list[Recorded]:
        """Give up to ``limit`` relations, the newest first: those after the one whose sequence is ``before``.

        That one need not be there any more.
        """
        given: dict[str, Any] = wanted.given()
        query = page_query(tuple(given), after=before is not None)
        with self._database.reading() as connection:
            rows = connection.execute(query, {**given, "most": limit, "before": before})
            return [_recorded(row) for row in rows]

    def every(self, wanted: Wanted) -> Iterator[Recorded]:
        """Give all relations that are wanted, the newest first, reading page after page."""
        before: int | None = None
        while page := self.page(wanted, before=before):
            yield from page
            before = page[-1].sequence

    def image_ids(self, wanted: Wanted, *, limit: int) -> Sequence[str]:
        """Give the ids of up to ``limit`` images, each once, in no order."""
        given: dict[str, Any] = wanted.given()
        with self._database.reading() as connection:
            return list(connection.execute(_ids_query(tuple(given)), {**given, "most": limit}).scalars())


# To build a statement anew takes SQLAlchemy longer than to run it.

_MOST = sa.bindparam("most", type_=sa.Integer)


@cache
def page_query(names: tuple[str, ...], *, after: bool) -> sa.Select[Any]:
    """Give the query for a page of the relations in which these columns agree; its parameters are called as they are.

    ``most`` is the parameter of the page's length, and ``before``, where a page comes ``after`` another, that of its place.
    """
    query = RELATIONS.select().where(*_agree(names)).order_by(RELATIONS.c.id.desc()).limit(_MOST)
    return query.where(RELATIONS.c.id < sa.bindparam("before")) if after else query


@cache
def _ids_query(names: tuple[str, ...]) -> sa.Select[Any]:
    return sa.select(RELATIONS.c.image_id).where(*_agree(names)).distinct().limit(_MOST)


def _agree(names: Iterable[str]) -> list[Any]:
    """Give the terms of an SQL WHERE, each with a parameter that is called as its column."""
    return [RELATIONS.c[name] == sa.bindparam(name) for name in names]


def _recorded(row: Any) -> Recorded:
    relation = Relation(
        installation=row.installation, instance_id=row.instance_id, image_id=row.image_id, kind=Kind(row.kind)
    )
    return Recorded(relation=relation, sequence=row.id, created_at=row.created_at.replace(tzinfo=UTC))
