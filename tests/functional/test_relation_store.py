# SPDX-License-Identifier: Apache-2.0
"""The store of relations on each database that it supports: SQLite, the sandbox's PostgreSQL, a private MariaDB."""

from __future__ import annotations

import json
import os
import time
import uuid
from contextlib import closing
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from support import mariadb

from amphora_image.cli.main import main
from amphora_image.errors import RelationSchemaError, RelationStoreError
from amphora_image.relation.database import Database, Settings
from amphora_image.relation.schema import Schema
from amphora_image.relation.store import RelationStore, Wanted
from amphora_image.relation.table import METADATA, RELATIONS
from amphora_image.relation.values import Kind, Relation
from amphora_image.sandbox import database as sandbox_database
from amphora_image.sandbox.progress import Deadline
from amphora_image.sandbox.state import State

KINDS = ("sqlite", "postgresql", "mariadb")


@pytest.fixture(scope="session")
def mariadb_url(tmp_path_factory):
    if reason := mariadb.missing():
        pytest.skip(reason)
    with mariadb.running(tmp_path_factory.mktemp("mariadb")) as url:
        yield url


@pytest.fixture(params=KINDS)
def url(request, tmp_path):
    """A database of its own, without a table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/relations.sqlite"
    elif request.param == "postgresql":
        state = State.load(request.getfixturevalue("sandbox").layout.state)
        name = f"relations_{uuid.uuid4().hex[:8]}"
        sandbox_database.create_databases(state, [name], Deadline(60))
        yield f"{sandbox_database.url(state)}/{name}"
        with closing(sandbox_database.connect(state, "postgres")) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    else:
        found = request.getfixturevalue("mariadb_url")
        yield found
        engine = sa.create_engine(found)
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP DATABASE relations")
            connection.exec_driver_sql("CREATE DATABASE relations")
        engine.dispose()


@pytest.fixture
def database(url):
    Schema(url).upgrade()
    made = Database(Settings(url, timeout_seconds=2))
    yield made
    made.dispose()


@pytest.fixture
def store(database):
    return RelationStore(database)


def relation(**parts):
    made = {key: str(uuid.uuid4()) for key in ("installation", "instance_id", "image_id")}
    return Relation(**{**made, "kind": Kind.SNAPSHOT, **parts})


def test_a_relation_is_kept_once_and_forgotten_once(store):
    one = relation()
    assert [store.record(one), store.record(one)] == [True, False]
    assert [each.relation for each in store.page(Wanted(image_id=one.image_id))] == [one]
    assert [store.forget(one), store.forget(one)] == [True, False]
    assert store.page(Wanted(image_id=one.image_id)) == []


def test_all_relations_of_an_instance_come_page_by_page_and_the_newest_first(store):
    instance = str(uuid.uuid4())
    made = [relation(instance_id=instance) for _ in range(7)]
    for one in made:
        store.record(one)
        store.record(relation())
    first = store.page(Wanted(instance_id=instance), limit=3)
    store.forget(first[-1].relation)  # "markers that have vanished"
    rest = store.page(Wanted(instance_id=instance), before=first[-1].sequence)
    assert [each.relation for each in (*first, *rest)] == made[::-1]
    assert set(store.image_ids(Wanted(instance_id=instance), limit=99)) == {one.image_id for one in made} - {
        first[-1].relation.image_id
    }


def test_two_installations_with_the_same_instance_id_never_mix(store):
    """Promise: "Two installations with the same instance id never mix"."""
    one = relation()
    other = relation(instance_id=one.instance_id, image_id=one.image_id)
    for each in (one, other):
        store.record(each)
    found = store.page(Wanted(instance_id=one.instance_id, installation=one.installation))
    assert [each.relation for each in found] == [one]
    store.forget(one)
    assert [each.relation for each in store.every(Wanted(instance_id=one.instance_id))] == [other]


def test_ids_are_compared_to_the_letter(store):
    upper = relation(image_id=str(uuid.uuid4()).upper())
    store.record(upper)
    assert store.record(relation(**{**as_dict(upper), "image_id": upper.image_id.lower()}))
    assert len(store.page(Wanted(image_id=upper.image_id))) == 1


def as_dict(one):
    return {key: getattr(one, key) for key in ("installation", "instance_id", "image_id", "kind")}


def test_the_migrations_make_the_table_that_the_store_uses(database):
    with database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda name, kind, _: kind != "table" or name == RELATIONS.name}
        )
        assert compare_metadata(context, METADATA) == []


def test_upgrades_that_run_at_once_do_no_harm(url):
    begin, given = os.pipe()
    children = [forked(lambda: (os.read(begin, 1), Schema(url).upgrade()), given) for _ in range(4)]
    os.close(begin)
    os.close(given)  # for which all of them wait
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    assert Schema(url).state().pending == ()


def forked(work, unneeded):
    """Do the work in a process of its own, and give that process's number; 0 is its exit code if nothing is raised."""
    child = os.fork()
    if child == 0:
        try:
            os.close(unneeded)
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return child


def test_the_commands_upgrade_a_schema_and_check_it(tmp_path, capsys):
    """Promise: "`related db upgrade|check`"."""
    ini = tmp_path / "glance-api.conf"
    ini.write_text(f"[relation]\nconnection = sqlite:///{tmp_path}/relations.sqlite\n")
    check, upgrade = (["--config-file", str(ini), "related", "db", name] for name in ("check", "upgrade"))
    assert main(check) == 2
    assert "related db upgrade" in capsys.readouterr().err
    assert [main(upgrade), main(upgrade)] == [0, 0]
    assert [line.split("; ")[0] for line in capsys.readouterr().err.splitlines()] == [
        "schema (none) -> r0001",
        "schema r0001 -> r0001",
    ]
    assert main([*check, "-f", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"current": "r0001", "newest": "r0001", "pending": ""}


LATER = '''# SPDX-License-Identifier: Apache-2.0
"""A revision of a later release."""
import sqlalchemy as sa
from alembic import op
revision, down_revision, phase = "{name}", "{before}", "{phase}"
def upgrade():
    {change}
'''


def test_the_older_release_works_until_the_contraction_that_comes_last(url, tmp_path):
    """Promise: "expand and contract"."""
    Schema(url).upgrade()
    table = "amphora_image_relations"
    change = f'op.add_column("{table}", sa.Column("note", sa.String(9)))'
    (tmp_path / "r0002.py").write_text(LATER.format(name="r0002", before="r0001", phase="expand", change=change))
    change = f'op.drop_index("ix_{table}_image", "{table}")'
    (tmp_path / "r0003.py").write_text(LATER.format(name="r0003", before="r0002", phase="contract", change=change))
    home = Schema.__init__.__defaults__[0][0]
    later = Schema(url, versions=(home, tmp_path))
    assert not later.state().usable
    later.upgrade(contract=False)
    assert (later.state().current, later.state().pending) == ("r0002", (("r0003", "contract"),))
    assert later.state().usable
    assert Schema(url).state().usable, "the older release must go on working"
    database = Database(Settings(url))
    one = relation()
    assert RelationStore(database).record(one)
    later.upgrade()
    assert later.state().pending == ()
    assert RelationStore(database).forget(one)
    database.dispose()


def test_a_database_without_the_table_says_what_to_run(url):
    """Fault: "The database … has no table"."""
    database = Database(Settings(url))
    with pytest.raises(RelationSchemaError, match="related db upgrade"):
        RelationStore(database).record(relation())
    database.dispose()


def test_a_table_that_is_gone_again_is_told_as_no_upgrade_would_make_it(url):
    """Fault: "The database … has no table"."""
    schema, engine = Schema(url), sa.create_engine(url)
    schema.upgrade()
    RELATIONS.drop(engine)
    engine.dispose()
    for look in (schema.state, schema.upgrade):
        with pytest.raises(RelationSchemaError, match="says r0001, but there is no table"):
            look()


def test_a_database_that_does_not_answer_costs_no_more_than_the_time_given(database, url):
    """Fault: "The database is … slow"."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        table = RELATIONS.name
        connection.exec_driver_sql(
            {
                "sqlite": "BEGIN EXCLUSIVE",
                "postgresql": f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE",
                "mysql": f"LOCK TABLES {table} WRITE",
            }[engine.dialect.name]
        )
        began = time.monotonic()
        with pytest.raises(RelationStoreError):
            RelationStore(database).record(relation())
        assert time.monotonic() - began < 12
        connection.rollback()
    engine.dispose()
    store = RelationStore(database)
    assert store.record(relation())  # "down" is not for ever


@pytest.mark.parametrize(
    "where", ["postgresql+psycopg2://u:canary@127.0.0.1:1/x", "mysql+pymysql://u:canary@127.0.0.1:1/x"]
)
def test_a_database_that_is_down_is_told_without_its_password(where):
    """Fault: "The database is down"."""
    with pytest.raises(RelationStoreError, match=r"127\.0\.0\.1") as caught:
        RelationStore(Database(Settings(where))).page(Wanted(image_id="x"))
    assert "canary" not in str(caught.value)


def test_a_database_that_is_full_is_told_and_keeps_what_it_had(tmp_path):
    """Fault: "The database is … full"; on SQLite, the size of whose file can be limited."""
    url = f"sqlite:///{tmp_path}/relations.sqlite"
    Schema(url).upgrade()
    database = Database(Settings(url))
    store = RelationStore(database)
    one = relation()
    store.record(one)
    with pytest.raises(RelationStoreError, match="full"):
        fill(database)
    assert [each.relation for each in store.every(Wanted(instance_id=one.instance_id))] == [one]


def fill(database):
    with database.writing() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        for _ in range(999):
            connection.execute(RELATIONS.insert(), {**as_dict(relation()), "created_at": datetime.now(UTC)})
