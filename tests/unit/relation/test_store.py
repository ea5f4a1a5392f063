# SPDX-License-Identifier: Apache-2.0
"""What does not need a server; ``tests/functional/test_relation_store.py`` has the rest, on each database."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from amphora_image.errors import ConfigurationError
from amphora_image.relation.database import Database, Settings
from amphora_image.relation.schema import Schema
from amphora_image.relation.store import RelationStore, Wanted, page_query
from amphora_image.relation.values import Kind, Relation


@pytest.mark.parametrize(
    "wrong", ["", "canary", "nosuch://u:canary@h/d", "postgresql+nosuch://u:canary@h/d", "sqlite://"]
)
def test_a_url_that_cannot_be_used_is_told_without_its_password(wrong):
    for use in (lambda: Database(Settings(wrong)), lambda: Schema(wrong)):
        with pytest.raises(ConfigurationError, match=r"\[relation\] connection") as caught:
            use()
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(instance_id="i"), "instance"),
        (Wanted(image_id="i"), "image"),
        (Wanted(instance_id="i", installation="u"), "instance"),
    ],
)
def test_a_page_is_one_range_of_an_index_in_its_order(tmp_path, wanted, index):
    url = f"sqlite:///{tmp_path}/x.sqlite"
    Schema(url).upgrade()
    database = Database(Settings(url))
    query = page_query(tuple(wanted.given()), after=False).params(**wanted.given(), most=25)
    with database.reading() as connection:
        text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        plan = " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))
    assert f"ix_amphora_image_relations_{index}" in plan
    assert "TEMP B-TREE" not in plan
    database.dispose()


def test_a_file_of_sqlite_is_opened_once_and_not_for_each_transaction(tmp_path):
    url = f"sqlite:///{tmp_path}/x.sqlite"
    Schema(url).upgrade()
    database, opened = Database(Settings(url)), []
    store = RelationStore(database)
    one = Relation(installation="u", instance_id="i", image_id="m", kind=Kind.BOOT)
    with database.reading() as connection:
        sa.event.listen(connection.engine, "connect", lambda *_: opened.append(1))
    for _ in range(3):
        store.record(one)
        assert [each.relation for each in store.page(Wanted(instance_id="i"))] == [one]
    assert opened == []
    database.dispose()
    store.page(Wanted(instance_id="i"))
    assert opened == [1]
    database.dispose()
